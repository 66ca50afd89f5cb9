"""Titles and footers: what the verdicts say, and which runs and marks a figure shows."""

import re

import pytest

from analysis.claim import Claim, Verdict
from analysis.claim_names import Topic
from analysis.claims import judge
from analysis.family_pairs import FAMILY_PAIRS
from analysis.figures import (
    convergence,
    error_vs_depth,
    gradient_flow,
    gradient_identity,
    learning_curves,
    lesions,
    paths,
    plot_condition,
    responses,
    shattering,
    style,
)
from analysis.figures.title_and_footer import add_title_and_footer, describe_data
from analysis.labelled_figures import NEUTRAL, TAKEAWAY, label_figures, write_labels
from analysis.sections import Section
from analysis.takeaways import SENTENCES, state_comparison, state_takeaway

PAIR = FAMILY_PAIRS[0]
MODULES = [convergence, gradient_flow, gradient_identity, lesions, paths, responses, shattering]
ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]},
}
YES, NO, OPEN = Verdict.REPRODUCED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE


TITLES_OF_CONTRADICTIONS = {
    "convergence": "The iterations that plain networks need do not grow exponentially with depth",
    "responses": "Not at every depth do the layers of residual networks respond more weakly",
    "paths": "Not at every depth does the gradient flow along short paths",
}


def make_claims(degradation, no_degradation):
    return [
        Claim(name, "", verdict, "")
        for name, verdict in (("degradation", degradation), ("no degradation", no_degradation))
    ]


@pytest.mark.parametrize(
    ("degradation", "no_degradation", "title"),
    [
        (YES, YES, "Plain networks get worse with depth; residual networks do not"),
        (YES, NO, "Both plain and residual networks get worse with depth"),
        (NO, YES, "Neither plain nor residual networks get worse with depth"),
        (NO, NO, "Residual networks get worse with depth; plain networks do not"),
        (YES, OPEN, "Plain networks get worse with depth"),
        (OPEN, YES, "Residual networks do not get worse with depth"),
        (OPEN, Verdict.NOT_TESTED, ""),
    ],
)
def test_takeaway_says_what_is_decided(degradation, no_degradation, title):
    claims = make_claims(degradation, no_degradation)
    assert state_takeaway("error-against-depth", claims, PAIR) == title


@pytest.mark.parametrize(
    ("verdicts", "title"),
    [
        ((YES, YES), "2 of 2 networks agree with the published test error"),
        ((YES, NO), "1 of 2 networks agree with the published test error"),
        ((YES, OPEN, OPEN), "1 of 3 networks are shown to agree with the published test error"),
        ((YES, Verdict.NOT_TESTED), "1 of 1 networks agree with the published test error"),
        ((OPEN, OPEN), ""),
    ],
)
def test_open_comparisons_with_the_paper_are_counted(verdicts, title):
    claims = [
        Claim(f"published residual-{depth}", "", verdict, "", topic=Topic.PUBLISHED_ERROR)
        for depth, verdict in zip((20, 32, 44), verdicts, strict=False)
    ]
    assert state_takeaway("published", claims, PAIR) == title


def test_takeaways_of_mechanisms_follow_the_verdicts():
    claims = [
        Claim("healthy gradients, plain", "", NO, ""),
        Claim("healthy gradients, residual", "", YES, ""),
        Claim("short paths", "", YES, ""),
        Claim("removing a block", "", OPEN, ""),
        Claim("weaker responses", "", YES, "", is_negligible=True),
    ]
    titles = {
        "gradient-flow": (
            "Residual networks have healthy gradients throughout; plain networks do not"
        ),
        "gradient-flow-weights": "",
        "paths": "The gradient flows along short paths",
        "lesions": "",
        "responses": "",
    }
    for stem, title in titles.items():
        assert state_takeaway(stem, claims, PAIR) == title


def test_title_names_the_families_of_the_runs():
    claims = [Claim("exponential slowing", "", YES, ""), Claim("shattered gradients", "", YES, "")]
    assert state_takeaway("convergence", claims, FAMILY_PAIRS[1]) == (
        "Plain-preactivation networks need exponentially more iterations the deeper they are"
    )
    assert state_takeaway("shattering", claims, FAMILY_PAIRS[1]) == (
        "Before training, gradients shatter in deep plain-preactivation networks, less so in"
        " preactivation ones"
    )


@pytest.mark.parametrize("stem", sorted(SENTENCES))
def test_title_denies_nothing_of_all_depths(stem):
    """One depth can contradict a claim, and a margin may be what decides."""
    name = SENTENCES[stem][0]
    title = state_takeaway(stem, [Claim(name, "", NO, "")], PAIR)
    assert title in ("", TITLES_OF_CONTRADICTIONS.get(stem))


def test_takeaway_of_a_comparison_is_what_was_found():
    by_size, by_value = Topic.SIZE_BY_VALUE, Topic.DEGRADATION_BY_VALUE
    size = Claim("a", "", YES, "", plain_words="The rise differs.", topic=by_size)
    each = Claim("b", "", OPEN, "", plain_words="Not settled.", topic=by_value)
    assert state_comparison("model-width", [each, size]) == "The rise differs"
    assert state_comparison("model-width-against-depth", [each, size]) == ""
    assert state_comparison("model-width", [size, size]) == ""  # two strata


@pytest.mark.parametrize(
    ("between", "title"),
    [
        ({32: [60.0, 61.0, 62.0]}, "Residual networks do not get worse with depth"),
        ({110: [90.0, 90.0, 90.0]}, "Residual networks do not get worse with depth"),
        ({32: [2.0, 2.2, 2.1]}, "Neither plain nor residual networks get worse with depth"),
    ],
)
def test_no_title_denies_a_rise_that_the_figure_shows(build_frame, between, title):
    plain = {20: [1.0, 1.2, 1.1], 56: [1.2, 1.3, 1.1]} | between
    frame = build_frame({"plain": plain, "residual": ERRORS["residual"]})
    claims = judge(frame.runs, 2.0)
    assert claims[0].verdict is NO
    with style.own_settings():
        figures = {"error-against-depth": (error_vs_depth.plot(frame), "")}
        section = Section("", 2.0, claims, figures, run_ids=tuple(frame.runs["run_id"]))
        label_figures([section], write_labels([section], frame))
    heading, footer = list_texts(figures["error-against-depth"][0])
    assert heading == title
    assert footer.replace("\n", " ").endswith(
        "worse: at some depth 2 points of training error or more above the shallowest."
    )


def list_texts(figure):
    return [text.get_text() for text in figure.texts if text.get_text()]


@pytest.mark.parametrize(
    ("titles", "title", "end"),
    [
        (NEUTRAL, "Error after the last iteration against depth", "of the mean."),
        (TAKEAWAY, "Plain networks get worse with depth; residual networks do not", "shallowest."),
    ],
)
def test_figure_has_a_title_and_a_footer(build_frame, titles, title, end):
    frame = build_frame(ERRORS)
    with style.own_settings():
        figures = {"error-against-depth-a": (error_vs_depth.plot(frame), "")}
        run_ids = tuple(frame.runs["run_id"])
        claims = make_claims(YES, YES)
        section = Section("", 2.0, claims, figures, run_ids=run_ids, suffix="-a")
        label_figures([section], write_labels([section], frame, titles))
    heading, footer = list_texts(figures["error-against-depth-a"][0])
    assert heading == title
    assert footer.startswith(
        "digits: 12 runs, 3 seeds per network; points: single runs; bars: 95 %"
    )
    assert footer.endswith(end)


@pytest.mark.parametrize("value", ["$_{x}^$", "a\ud800", "q" * 5000, "long " * 1000])
def test_titles_show_the_values_of_a_key_literally(build_frame, value):
    frame = build_frame(ERRORS)
    words = f"The rise is larger at {value} than at z."
    claim = Claim("a", "", YES, "", plain_words=words, topic=Topic.SIZE_BY_VALUE)
    with style.own_settings():
        figure = error_vs_depth.plot(frame)
        section = Section("", 2.0, [claim], {"options-a": (figure, "")}, kind="comparison")
        label_figures([section], write_labels([section], frame))
        figure.draw_without_rendering()
    (title,) = [text for text in figure.texts if text.get_text().startswith("The rise")]
    assert title.get_window_extent().x1 <= figure.bbox.x1
    assert title.get_text().count("\n") <= 4


def test_footer_counts_the_runs_and_seeds_that_are_shown(build_frame):
    runs = build_frame({"plain": {20: [1.0]}, "residual": {20: [1.0, 2.0]}}).runs
    assert describe_data(runs) == "digits: 3 runs, 1 to 2 seeds per network"
    assert describe_data(runs[:1], (), "width 8") == "digits, width 8: 1 run, 1 seed per network"
    assert describe_data(runs[:0]) == "no finished runs"


def test_long_titles_wrap_and_nothing_overlaps(build_frame):
    with style.own_settings():
        figure = add_title_and_footer(learning_curves.plot(build_frame(ERRORS)), "word " * 60, "x.")
        figure.draw_without_rendering()
    heading, footer = [text for text in figure.texts if text.get_text()]
    assert heading.get_text().count("\n") >= 2
    (legend,) = figure.legends
    extents = [part.get_window_extent() for part in (heading, legend, footer)]
    panels = [ax.get_tightbbox() for ax in figure.axes]
    top, middle, bottom = extents
    assert all(figure.bbox.x1 >= extent.x1 for extent in extents)
    assert bottom.y1 < middle.y0 < middle.y1 <= min(panel.y0 for panel in panels)
    assert max(panel.y1 for panel in panels) <= top.y0


def test_captions_speak_only_of_what_is_drawn(build_frame):
    frame = build_frame({"plain": {20: [1.0], 56: [2.0]}})
    frame.runs["chance"] = float("nan")
    frame.runs["config.schedule.milestones"] = "[]"
    absent = ("cross", "bars", "dotted", "drops", "He et al.", "cut off")
    for _, caption in plot_condition(frame).values():
        assert not [word for word in absent if word in caption]
    frame = build_frame(ERRORS)
    frame.runs.loc[0, "state"] = "diverged"
    depth, curves = (caption for _, caption in plot_condition(frame).values())
    assert all(word in depth for word in ("cross", "bars", "dotted"))
    assert all(word in curves for word in ("dotted", "drops"))


def test_figures_of_single_runs_speak_of_no_mean(build_frame):
    frame = build_frame({"plain": {20: [1.5], 56: [51.0]}, "residual": {20: [0.9], 56: [0.7]}})
    with style.own_settings():
        figures = plot_condition(frame)
        section = Section("", 2.0, [], figures, run_ids=tuple(frame.runs["run_id"]))
        label_figures([section], write_labels([section], frame))
    for figure, caption in figures.values():
        legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        for text in [caption, *list_texts(figure), *legend]:
            assert not re.search("mean|interval|band|seeds", text), text


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_captions_leave_the_means_to_the_marks(module):
    captions = [text for name, text in vars(module).items() if name.endswith("CAPTION")]
    assert captions
    for caption in captions:
        assert "over seeds" not in caption
