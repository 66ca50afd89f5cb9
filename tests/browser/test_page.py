"""The page of a report in a real browser: accessible, on a phone, and without scripts."""

import pytest

from tests.browser.sizes import DESK, PHONE

pytestmark = pytest.mark.slow
SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(open_report, report, size, colors):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_report(report.page, size, colors)
    page.evaluate("document.querySelectorAll('main details').forEach(item => (item.open = true))")
    results = axe.Axe().run(page).response["violations"]
    violations = {
        result["id"]: [node["target"] for node in result["nodes"]]
        for result in results
        if result["impact"] in SERIOUS
    }
    assert violations == {}


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_is_wider_than_the_page(open_report, report, size):
    page = open_report(report.page, size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.evaluate("document.querySelectorAll('details').forEach(item => (item.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_chart_is_on_the_first_screen(open_report, report, size):
    page = open_report(report.page, size)
    box = page.locator("#depth-chart svg[role=img]").bounding_box()
    assert box["y"] + box["height"] <= size["height"]


def test_first_screen_of_a_phone_says_what_was_trained(open_report, report):
    page = open_report(report.page, PHONE)
    what = page.locator(".kicker .on-what")
    assert "handwritten digits" in what.text_content()
    box = what.bounding_box()
    assert box["y"] + box["height"] <= PHONE["height"]


def test_first_screen_of_a_phone_says_how_sure_the_verdicts_are(open_report, report):
    page = open_report(report.page, PHONE)
    certainty = page.locator(".badges > .certainty").bounding_box()
    chart = page.locator("#depth-chart svg[role=img]").bounding_box()
    assert certainty["y"] + certainty["height"] <= chart["y"]


def test_words_of_a_table_do_not_stand_below_each_other_on_a_phone(open_report, report):
    page = open_report(report.page, PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(item => (item.open = true))")
    headers = page.locator(".card th[scope=row]")
    assert headers.count() >= 3
    for header in headers.all():
        assert header.bounding_box()["width"] >= 100  # CSS pixels


def test_paper_has_no_hints_for_a_pointer(open_report, report):
    page = open_report(report.page)
    hint = page.locator("#depth-chart figcaption .on-screen")
    assert "Click a depth" in hint.text_content()
    page.emulate_media(media="print")
    assert not hint.is_visible()


def test_term_is_explained_to_a_pointer_and_a_keyboard(open_report, report):
    page = open_report(report.page)
    term, definition = page.locator("h1 .term-plain"), page.locator("#term-plain")
    assert not definition.is_visible()
    term.hover()
    assert definition.is_visible()
    page.mouse.move(1, 1)
    assert not definition.is_visible()
    term.focus()
    page.keyboard.press("Enter")
    assert definition.is_visible()
    page.keyboard.press("Escape")
    assert not page.evaluate("document.getElementById('term-plain').matches(':popover-open')")


def test_term_is_explained_to_a_finger(browser, report):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(report.page.as_uri())
    page.locator(".hero .term-seed").tap()
    assert page.locator("#term-seed").is_visible()
    context.close()


def test_evidence_is_unfolded(open_report, report):
    page = open_report(report.page)
    evidence = page.locator("#verdicts details", has_text="Evidence").first
    assert not evidence.locator("p").first.is_visible()
    evidence.locator("summary").first.click()
    assert evidence.locator("p").first.is_visible()


def test_without_scripts_there_are_static_figures(open_report, report):
    page = open_report(report.page, scripts=False)
    for chart in ("#depth-chart", "#curves-chart"):
        assert page.locator(f"{chart} img").is_visible()
        assert not page.locator(f"{chart} .chart-controls").is_visible()


def test_phone_without_scripts_gets_narrow_figures(open_report, report):
    page = open_report(report.page, PHONE, scripts=False)
    for chart in ("#depth-chart", "#curves-chart"):
        picture = page.locator(f"{chart} img")
        box = picture.bounding_box()
        assert box["width"] <= PHONE["width"]
        assert box["height"] > box["width"]  # the panels are below each other
    desk = open_report(report.page, scripts=False)
    box = desk.locator("#depth-chart img").bounding_box()
    assert box["height"] < box["width"]
