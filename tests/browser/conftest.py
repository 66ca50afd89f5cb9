"""Reports that are opened in a real browser. After each test, the page must have been quiet."""

import pandas as pd
import pytest

from analysis.frame import Frame
from analysis.report import build
from tests.browser.errors import ERRORS
from tests.browser.sizes import DESK
from tests.support.chromium import FLAGS, ChromiumError, find_chromium
from tests.support.frames import join_frames, make_curve_row

FACTORS = {40: 1.1, 80: 1.05, 200: 1.02, 400: 1.0}  # iteration: error divided by the final one


@pytest.fixture(scope="session")
def browser():
    """Run a headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    try:
        path = find_chromium()
    except ChromiumError as error:
        pytest.skip(str(error))
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def report(build_frame, tmp_path_factory):
    """Return the report of a sweep of two families and three depths, with one diverged run."""
    runs = build_frame(ERRORS, error_step=1 / 15, test_step=1 / 3).runs
    is_diverged = runs["run_id"] == "plain-d56-s1"
    runs.loc[is_diverged, ["state", "ended_at"]] = ["diverged", 100]
    errors = [name for name in runs if name.endswith("error")]
    runs.loc[is_diverged, errors] = 90.0  # chance
    curves = []
    for run in runs.to_dict("records"):
        for iteration, factor in FACTORS.items():
            curves.append(make_curve_row(run, iteration, factor))
    frame = Frame(runs, pd.DataFrame(curves))
    folder = tmp_path_factory.mktemp("browser") / "report"
    return build(frame, folder, "browser", "make report", {"digits": 2.0})


@pytest.fixture(scope="session")
def swept_frame(build_frame):
    """Return the frame of a sweep over two learning rates."""
    frames = [build_frame(ERRORS, **{"config.optim.lr": rate}) for rate in (0.1, 0.2)]
    frames[1].runs["training_error"] /= 2
    return join_frames(frames, ["a", "b"])


@pytest.fixture
def open_report(browser):
    """Return a function: path of an HTML file, size and colours -> page in the browser.

    Afterwards, the test fails if a page logged an error or requested anything but itself.
    """
    contexts, problems = [], []

    def open_page(path, size=DESK, colors="light", scripts=True):
        context = browser.new_context(
            viewport=size, color_scheme=colors, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        address = path.as_uri()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(str(error)))

        def note_request(request):
            if request.url.partition("#")[0] != address and not request.url.startswith("data:"):
                problems.append(request.url)

        page.on("request", note_request)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
