"""Open the page of a sweep's report in a browser; overrides as for train.py.

python experiments/open_report.py experiment=quick

Without a report of this sweep, the index of all reports is opened, and a line names those that
exist. If no browser can be opened, the path of the page is printed instead.
"""

import argparse
import webbrowser
from pathlib import Path

from analysis.abbreviation import abbreviate
from degradation.cli import Parser, add_overrides, run_script
from degradation.errors import UserError
from degradation.progress import notify
from degradation.sweep.report_name import REPORTS
from degradation.sweep.report_pages import INDEX_FILE, PAGE_FILE, list_pages
from degradation.sweep.runs import expand_runs


class NoReport(UserError):
    """There is neither a report nor an index of reports."""


def find_page(pages: list[Path], reports: Path) -> Path:
    """Return the only page that exists, or else the index of reports. Raises NoReport."""
    existing = [page for page in pages if page.is_file()]
    if len(existing) == 1:
        return existing[0]
    index = reports / INDEX_FILE
    if not index.is_file():
        raise NoReport(f"{pages[0]} does not exist; `make reproduce` or `make report` writes it")
    return index


def describe_missing_pages(pages: list[Path], reports: Path) -> str:
    """Return which pages do not exist and which reports do; those of similar names are first."""
    missing = ", ".join(str(page) for page in pages)
    verb = "does" if len(pages) == 1 else "do"
    names = sorted(page.parent.name for page in reports.glob(f"*/{PAGE_FILE}"))
    wanted = tuple(page.parent.name for page in pages)
    names.sort(key=lambda name: not name.startswith(wanted))
    existing = abbreviate(names) if names else "none"
    return f"{missing} {verb} not exist, so the index is opened; reports in {reports}: {existing}"


def open_in_browser(page: Path) -> bool:
    """Open a page in the user's browser, and return whether there is one."""
    try:
        return webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        return False


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the reports")
    arguments = parser.parse_intermixed_args()
    runs = expand_runs(arguments.overrides)
    pages = list_pages(arguments.overrides, runs, arguments.reports)
    page = find_page(pages, arguments.reports)
    if not any(path.is_file() for path in pages):
        notify(describe_missing_pages(pages, arguments.reports))
    print(page, flush=True)
    if not open_in_browser(page):
        print("No browser can be opened here; open this file in one.")


if __name__ == "__main__":
    run_script(main)
