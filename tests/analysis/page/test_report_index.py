"""The index of reports: order, links, badges, pictures, and reports that cannot be read."""

import math
import re

import pytest

from analysis.page.depth_sketch import draw_sketch
from analysis.page.report_index import collect_reports, write_index
from analysis.report_json import write_summary
from analysis.report_summary import DepthCurve
from tests.support.report_summaries import make_summary, make_verdict

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def reports(tmp_path):
    """Return a function that writes a report's page and its summary."""

    def write(folder_name, **changes):
        folder = tmp_path / folder_name
        folder.mkdir()
        (folder / "report.html").write_text("<p>page</p>")
        write_summary(folder, make_summary(**changes))
        return folder

    write.root = tmp_path
    return write


def read_index(reports):
    return write_index(reports.root).read_text()


def test_newest_report_comes_first(reports):
    reports("a-old", written_at="2026-01-01T00:00:00Z")
    reports("b-new", written_at="2026-11-01T00:00:00Z")
    page = read_index(reports)
    assert page.index('href="b-new/report.html"') < page.index('href="a-old/report.html"')
    assert "1 November 2026" in page
    assert "8 runs<" in page
    assert "2 seeds" in page


def test_page_loads_nothing_and_is_escaped(reports):
    verdict = make_verdict(claim=HOSTILE)
    curves = [DepthCurve("", HOSTILE, [20], [1.0])]
    reports("a&b c", headline=HOSTILE, data=[HOSTILE], verdicts=[verdict], depth_curves=curves)
    page = read_index(reports)
    assert "<script" not in page
    assert 'href="a%26b%20c/report.html"' in page
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {"data:,", "a%26b%20c/report.html"}


def test_comparison_leads_and_negligible_is_never_green(reports):
    finding = make_verdict(section_kind="comparison", kind="finding", outcome="alike")
    negligible = make_verdict(outcome="negligible", is_negligible=True)
    reports("a", verdicts=[make_verdict(), finding])
    reports("b", verdicts=[negligible])
    cards, _ = collect_reports(reports.root)
    badges = {card.name: [badge for _, badge in card.badges] for card in cards}
    assert [badge.words for badge in badges["a"]] == ["alike"]
    assert [(badge.words, badge.tone) for badge in badges["b"]] == [("negligible", "inconclusive")]


def test_unreadable_reports_have_one_line_each(reports):
    reports("whole")
    (reports("damaged") / "report.json").write_text("{")
    (reports("older") / "report.json").unlink()
    (reports.root / "begun").mkdir()
    (reports.root / "begun/.lock").touch()
    (reports.root / "not-a-report").mkdir()
    (reports.root / ".hidden").mkdir()
    (reports.root / "link").symlink_to(reports.root / "whole")
    cards, problems = collect_reports(reports.root)
    assert [card.link for card in cards] == ["whole/report.html"]
    assert [(problem.name, problem.link) for problem in problems] == [
        ("begun", ""),
        ("damaged", "damaged/report.html"),
        ("older", "older/report.html"),
    ]
    page = read_index(reports)
    assert "damaged</a>: report.json is not valid JSON" in page
    assert "begun: report.json is missing" in page


def test_empty_folder_says_so(reports):
    assert "There is no report yet." in read_index(reports)


def test_strange_values_do_not_break_the_index(reports):
    reports("a", written_at="yesterday", verdicts=[make_verdict(verdict="maybe")])
    reports("b", runs={}, seeds=[], data=[], verdicts=[], depth_curves=[])
    cards, problems = collect_reports(reports.root)
    assert len(cards) == 2
    assert not problems
    assert cards[1].facts[:2] == ["0 runs", "0 seeds"]
    assert "a/report.html" in read_index(reports)


@pytest.mark.parametrize(
    "change",
    [
        {"depth_curves": [DepthCurve("", "plain", [20, 10**400], [1.0, 2.0])]},
        {"depth_curves": [DepthCurve("", "plain", [20, 56], [1.0, 10**400])]},
        {"runs": {"done": 10**400}},
        {"runs": {"done": -3}},
        {"excluded": -1},
    ],
)
def test_impossible_numbers_are_a_problem_of_one_report(reports, change):
    reports("whole")
    reports("damaged", **change)
    cards, (problem,) = collect_reports(reports.root)
    assert [card.link for card in cards] == ["whole/report.html"]
    assert problem.name == "damaged"
    assert "damaged</a>: report.json" in read_index(reports)


def test_picture_scales_points_to_its_frame():
    picture = draw_sketch([DepthCurve("", "plain", [20, 38, 56], [0.0, 30.0, 60.0])])
    (path,) = re.findall(r'd="M([^"]*)" fill', picture)
    points = [tuple(map(float, point.split(","))) for point in path.split("L")]
    assert points == [(46.0, 108.0), (135.0, 60.0), (224.0, 12.0)]
    assert ">60 %<" in picture
    assert 'aria-label="Training error against depth: plain 0 % at 20 layers, 60 % at 56"' in (
        picture
    )


@pytest.mark.parametrize(
    ("errors", "top", "words"),
    [([0.3, 1.44], 2, "0.3 % at 20 layers, 1.4 % at 56"), ([0.04, 0.5], 1, "0.04 % at 20")],
)
def test_picture_is_drawn_to_the_scale_that_it_names(errors, top, words):
    picture = draw_sketch([DepthCurve("", "plain", [20, 56], errors)])
    assert f">{top} %<" in picture
    (last,) = re.findall(r'L224.0,([\d.]+)"', picture)
    assert float(last) == pytest.approx(108 - 96 * errors[1] / top, abs=0.06)
    assert words in picture


@pytest.mark.parametrize(
    "curves",
    [
        [],
        [DepthCurve("", "plain", [], [])],
        [DepthCurve("", "plain", [20, 56], [None, math.nan])],
        [DepthCurve("", "plain", [20], [math.inf])],
    ],
)
def test_without_an_error_there_is_no_picture(curves):
    assert draw_sketch(curves) == ""


def test_one_depth_and_errors_of_zero_are_drawn():
    picture = draw_sketch([DepthCurve("", "other", [20], [0.0])])
    assert "20 layers" in picture
    assert "nan" not in picture


def test_every_colour_of_the_page_is_defined(reports):
    """A variable that is not defined makes text black, also on a dark page."""
    reports("quick")
    page = read_index(reports)
    used, defined = (
        set(re.findall(r"var\((--[\w-]+)\)", page)),
        set(re.findall(r"(--[\w-]+):", page)),
    )
    assert used <= defined


def test_report_is_called_by_its_name_unless_two_have_it(reports):
    """The folder's name has the record root too, which is long."""
    reports("quick-record_root-published-1a2b3c4d", name="quick")
    reports("width", name="width")
    assert {card.name for card in collect_reports(reports.root)[0]} == {"quick", "width"}
    reports("quick", name="quick")
    names = {card.name for card in collect_reports(reports.root)[0]}
    assert names == {"quick", "quick-record_root-published-1a2b3c4d", "width"}
