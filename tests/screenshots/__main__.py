"""`make screenshots`: take pictures of a report's page, for docs/report.md.

PYTHONPATH=. python tests/screenshots experiment=quick

Takes the first screen of a desk's and of a phone's window, in light and in dark colours, and the
first sheet of paper.
"""

import argparse
import sys
from pathlib import Path

from playwright import sync_api

from degradation.cli import Parser, add_overrides, run_script
from degradation.sweep.report_name import REPORTS
from degradation.sweep.report_pages import list_pages
from degradation.sweep.runs import expand_runs
from tests.browser.sizes import DESK, PHONE
from tests.support.chromium import FLAGS, ChromiumError, find_chromium

SCREENSHOTS = Path(__file__).parents[2] / "docs/screenshots"
SIZES = {"desk": DESK, "phone": PHONE}
COLORS = ("light", "dark")
SHEET = {"width": 794, "height": 1123}  # A4 in CSS pixels, 96 per inch
SHEET_MARGIN = "html { padding: 1.5cm }"  # a browser that prints adds it outside the page


def take_screenshots(page: Path, folder: Path) -> list[Path]:
    """Write one PNG per size and colour scheme, and one of the print, and return their paths.

    Raises ChromiumError if there is no browser.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = page.resolve().as_uri()
    paths = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
        for name, size in SIZES.items():
            for colors in COLORS:
                tab = browser.new_page(viewport=size, color_scheme=colors)
                paths.append(_photograph(tab, address, folder / f"{name}-{colors}.png"))
        tab = browser.new_page(viewport=SHEET)
        tab.emulate_media(media="print")
        paths.append(_photograph(tab, address, folder / "print.png", SHEET_MARGIN))
        browser.close()
    return paths


def _photograph(tab: sync_api.Page, address: str, path: Path, style: str = "") -> Path:
    tab.goto(address)
    if style:
        tab.add_style_tag(content=style)
    tab.screenshot(path=path)
    return path


def main() -> None:
    """Take the pictures of the report that the overrides name."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument("--out", type=Path, default=SCREENSHOTS, help="folder of the pictures")
    arguments = parser.parse_intermixed_args()
    runs = expand_runs(arguments.overrides)
    page = list_pages(arguments.overrides, runs, REPORTS)[0]
    if not page.is_file():
        sys.exit(f"{page} does not exist; `make report` with the same arguments writes it")
    try:
        paths = take_screenshots(page, arguments.out)
    except ChromiumError as error:
        sys.exit(str(error))
    for path in paths:
        print(path)


if __name__ == "__main__":
    run_script(main)
