"""The page of a report, read by an HTML parser: structure, accessibility, size and words."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from analysis.page.outline import PART_ANCHORS
from analysis.report import build
from tests.support.frames import join_frames

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]},
}
VOID = {"meta", "link", "img", "br", "input", "source"}
HEADINGS = ("h1", "h2", "h3", "h4")


@dataclass
class Element:
    """An element of a page that has been read."""

    tag: str
    attributes: dict[str, str | None]
    ancestors: tuple["Element", ...]
    text: list[str] = field(default_factory=list)

    def is_folded(self) -> bool:
        """Return whether the element is in a closed <details>, or not shown at all."""
        chain = [*self.ancestors, self]
        for index, element in enumerate(chain):
            if element.tag in ("style", "script", "title", "noscript"):
                return True
            if "popover" in element.attributes or "hidden" in element.attributes:
                return True
            is_closed = element.tag == "details" and "open" not in element.attributes
            inner = chain[index + 1 : index + 2]
            if is_closed and inner and inner[0].tag != "summary":
                return True
        return False


class Page(HTMLParser):
    """All elements of a page in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), tuple(self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag, "elements are nested"

    def handle_data(self, data):
        if self._open:
            self._open[-1].text.append(data)

    def find(self, *tags):
        return [element for element in self.elements if element.tag in tags]

    def values(self, attribute):
        return [
            element.attributes[attribute]
            for element in self.elements
            if attribute in element.attributes
        ]

    def count_words(self):
        shown = [element for element in self.elements if not element.is_folded()]
        return len(" ".join(part for element in shown for part in element.text).split())


@pytest.fixture(scope="module")
def page_text(build_frame, tmp_path_factory):
    frame = build_frame(ERRORS)
    folder = tmp_path_factory.mktemp("page")
    return build(frame, folder, "mine", "command", {"digits": 2.0}).page.read_text()


@pytest.fixture(scope="module")
def page(page_text):
    return Page(page_text)


def test_ids_are_unique_and_links_lead_to_them(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.values("href") if link.startswith("#")]
    assert {"verdicts", "runs", "repeat"} <= set(targets)
    assert set(targets) <= set(ids)
    assert set(page.values("popovertarget")) <= set(ids)
    references = page.values("aria-labelledby")
    assert set(references) <= set(ids)


def test_nothing_is_loaded_from_outside(page):
    assert all(source.startswith("data:") for source in page.values("src"))
    outside = [link for link in page.values("href") if not link.startswith(("#", "data:"))]
    assert outside == ["runs.csv"]
    styles = "".join(part for element in page.find("style") for part in element.text)
    assert "{" in styles
    assert not re.search(r"@import|url\(", styles)
    (policy,) = [text for text in page.values("content") if "default-src" in text]
    assert policy.startswith("default-src 'none'")


def test_landmarks_headings_and_pictures_are_accessible(page):
    assert [len(page.find(tag)) for tag in ("main", "nav", "h1")] == [1, 1, 1]
    levels = [int(element.tag[1]) for element in page.find(*HEADINGS)]
    assert levels[0] == 1
    steps = [after - before for before, after in pairwise(levels)]
    assert max(steps) == 1
    alternatives = [element.attributes.get("alt", "") for element in page.find("img")]
    assert len(alternatives) == 2
    assert all(len(text) > 20 for text in alternatives)
    (html,) = page.find("html")
    assert html.attributes["lang"] == "en"


def test_first_screen_has_headline_chart_badges_and_facts(page):
    (hero,) = [element for element in page.elements if element.attributes.get("class") == "hero"]
    inside = [element for element in page.elements if hero in element.ancestors]
    assert [element.tag for element in inside if element.tag == "h1"] == ["h1"]
    assert "depth-chart" in [element.attributes.get("id") for element in inside]
    badges = [
        element
        for element in inside
        if (element.attributes.get("class") or "").startswith("badge ")
    ]
    assert [element.attributes["class"] for element in badges] == ["badge reproduced"] * 3
    facts = [element for element in inside if element.attributes.get("class") == "facts"]
    assert len(facts) == 1


def test_words_are_few_while_everything_is_folded(page):
    """A page without mechanisms: most of it is folded."""
    assert 100 < page.count_words() < 500
    opened = [element for element in page.find("details") if "open" in element.attributes]
    assert opened == []


def test_deciding_difference_is_in_its_row_and_above_it(page_text):
    text = re.sub(r"<script.*?</script>", "", page_text, flags=re.DOTALL)
    # The bounds of the difference that decides about the fix, by hand: 51.33 - 0.53
    assert text.count("+50.80") == 2
    assert text.count("Decided by: ") == 3
    assert text.count("<small>(decides)</small>") == 3


def test_parts_are_in_the_order_in_which_a_reader_asks(page):
    parts = [element.attributes.get("id") for element in page.find("section")]
    assert parts == [anchor for anchor in PART_ANCHORS if anchor in parts]
    assert parts == ["training", "verdicts", "published", "runs", "repeat", "references"]


@pytest.mark.slow
def test_comparison_of_a_key_leads(build_frame, tmp_path):
    frames = [build_frame(ERRORS, **{"config.model.width": width}) for width in (4, 16)]
    report = build(join_frames(frames, "01"), tmp_path, "two", "", {"digits": 2.0})
    page = Page(report.page.read_text())
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    order = [anchor for anchor in ids if anchor in PART_ANCHORS]
    assert order == [
        "comparisons",
        "training",
        "published",
        "conditions",
        "runs",
        "repeat",
        "references",
    ]
    assert order == [anchor for anchor in PART_ANCHORS if anchor in order]
    assert page.count_words() < 900
