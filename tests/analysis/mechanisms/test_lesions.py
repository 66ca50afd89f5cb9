"""Lesions: means computed by hand, every verdict, and the figures."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.figures import style
from analysis.mechanisms.lesions import build
from tests.support.probe_tables import DELETED_ALONE, INTACT, lesions_of_run


@pytest.fixture(autouse=True)
def _style():
    style.apply()


@pytest.fixture
def frame_with_lesions(build_frame):
    """Return a function that builds a frame with lesions.

    It takes {family: {depth: training error of each seed}} and {family: {block: error when that
    block is deleted}}, where the key (family, depth) overrides the family at one depth.
    """

    def build_probed_frame(errors, alone=DELETED_ALONE, shifts=(0.0, 0.5, 1.0)):
        frame = build_frame(errors)
        runs = frame.runs.to_dict("records")
        run_lesions = [
            alone.get((run["family"], run["depth"]), alone[run["family"]]) for run in runs
        ]
        tables = [
            lesions_of_run(run, blocks, shifts[run["seed"]])
            for run, blocks in zip(runs, run_lesions, strict=True)
        ]
        return replace(frame, probes={"lesions": pd.concat(tables, ignore_index=True)})

    return build_probed_frame


TRAINED = {"plain": {20: [1.0, 1.0, 1.0]}, "residual": {20: [1.0, 1.0, 1.0]}}


def test_without_probe_there_is_no_explanation(build_frame):
    assert build(build_frame(TRAINED), 2.0) is None


def test_table_averages_blocks_that_keep_the_shape(frame_with_lesions):
    explanation = build(frame_with_lesions(TRAINED), 2.0)
    table = explanation.table.set_index(["family", "lesion", "number"])
    assert table.loc[("plain", "delete", 1), "test_error_mean"] == pytest.approx(85.5)
    # Block 1 changes the shape and is excluded.
    assert table.loc[("residual", "delete", 1), "test_error_mean"] == pytest.approx(5.5)
    assert table.loc[("residual", "delete", 1), "increase_mean"] == pytest.approx(3.5)
    assert table.loc[("residual", "delete", 2), "test_error_mean"] == pytest.approx(50.5)
    assert table.loc[("plain", "none", 0), "runs"] == 3


@pytest.mark.parametrize(
    ("residual", "verdict"),
    [
        ({0: 4.0, 1: 99.0, 2: 6.0}, Verdict.REPRODUCED),
        (
            {0: 62.0, 1: 2.0, 2: 72.0},
            Verdict.CONTRADICTED,
        ),  # 65 points like plain, whatever block 1 costs
        ({0: 60.0, 1: 2.0, 2: 70.0}, Verdict.INCONCLUSIVE),  # two points less: the margin itself
    ],
)
def test_deletion_has_all_three_verdicts(frame_with_lesions, residual, verdict):
    (claim,) = build(
        frame_with_lesions(TRAINED, {**DELETED_ALONE, "residual": residual}), 2.0
    ).claims
    assert claim.verdict is verdict
    side = "upper" if verdict is Verdict.CONTRADICTED else "lower"
    increase = (residual[0] + residual[2]) / 2 - INTACT["residual"]
    assert f"20 layers, plain minus residual: {65 - increase:+.2f}" in claim.decisive_line
    assert f"95 % {side} bound" in claim.decisive_line


# The seeds have a standard deviation of 0.5, so the difference has a standard error of 0.408 with 4
# degrees of freedom, and a one-sided 95 % bound is 2.13 * 0.408 = 0.87 away.
@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (2.9, Verdict.REPRODUCED),
        (2.8, Verdict.INCONCLUSIVE),
        (1.2, Verdict.INCONCLUSIVE),
        (1.1, Verdict.CONTRADICTED),
    ],
)
def test_bounds_decide_on_both_sides_of_the_margin(frame_with_lesions, difference, verdict):
    residual = dict.fromkeys((0, 1, 2), INTACT["residual"] + 65 - difference)
    assert (
        build(frame_with_lesions(TRAINED, {**DELETED_ALONE, "residual": residual}), 2.0)
        .claims[0]
        .verdict
        is verdict
    )


def test_lead_below_the_margin_is_negligible(frame_with_lesions):
    """Plain networks lose 65 points; here, residual ones lose a little less, or more."""
    for difference, is_negligible in ((1.1, True), (-1.1, False)):
        residual = dict.fromkeys((0, 1, 2), INTACT["residual"] + 65 - difference)
        explanation = build(frame_with_lesions(TRAINED, {**DELETED_ALONE, "residual": residual}), 2)
        (claim,) = explanation.claims
        assert claim.verdict is Verdict.CONTRADICTED
        assert claim.is_negligible == is_negligible
        assert ("but by less than the margin" in explanation.introduction) == is_negligible
        assert ("about as much" in explanation.introduction) != is_negligible


def test_difference_of_unknown_sign_is_not_called_smaller(frame_with_lesions):
    """+0.05 points, with bounds far on both sides of 0: nobody knows who loses less."""
    residual = dict.fromkeys((0, 1, 2), INTACT["residual"] + 65 - 0.05)
    frame = frame_with_lesions(TRAINED, {**DELETED_ALONE, "residual": residual})
    (claim,) = build(frame, 2.0).claims
    assert claim.verdict is Verdict.CONTRADICTED
    assert not claim.is_negligible


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("done", Verdict.REPRODUCED), ("failed", Verdict.NOT_TESTED), ("diverged", "inconclusive")],
)
def test_depth_whose_runs_failed_is_not_left_out(frame_with_lesions, state, verdict):
    """At 32 layers residual networks lose as much; nobody knows that if those runs failed."""
    errors = {family: {20: [1.0] * 3, 32: [1.0] * 3} for family in TRAINED}
    frame = frame_with_lesions(errors)
    is_deep = frame.runs["depth"] == 32
    probed = frame.probes["lesions"][frame.probes["lesions"]["depth"] == 20]
    if state == "done":
        is_deep &= False
        probed = frame.probes["lesions"]
    runs = frame.runs.assign(state=frame.runs["state"].where(~is_deep, state))
    (claim,) = build(replace(frame, runs=runs, probes={"lesions": probed}), 2.0).claims
    assert claim.verdict == verdict


def test_diverged_runs_of_an_excluded_depth_leave_the_verdict(frame_with_lesions):
    """A plain network that diverged is at chance as one that did not train is."""
    errors = {family: {**depths, 56: [1.0] * 3} for family, depths in TRAINED.items()}
    frame = frame_with_lesions(errors)
    has_diverged = (frame.runs["depth"] == 56) & (frame.runs["family"] == "plain")
    runs = frame.runs.assign(state=frame.runs["state"].where(~has_diverged, "diverged"))
    runs.loc[has_diverged, "training_error"] = 90.0
    lesions = frame.probes["lesions"]
    probed = lesions[~lesions["run_id"].isin(runs.loc[has_diverged, "run_id"])]
    (claim,) = build(replace(frame, runs=runs, probes={"lesions": probed}), 2.0).claims
    assert claim.verdict is Verdict.REPRODUCED
    assert any("plain-56 is excluded" in note for note in claim.notes)


def test_several_depths_need_more_to_contradict(frame_with_lesions):
    """At one depth 1.1 points contradict (p = 0.046); two depths need p < 0.025."""
    errors = {family: {20: [1.0] * 3, 32: [1.0] * 3} for family in TRAINED}
    for difference, verdict in ((1.1, Verdict.INCONCLUSIVE), (0.5, Verdict.CONTRADICTED)):
        weak = dict.fromkeys((0, 1, 2), INTACT["residual"] + 65 - difference)
        (claim,) = build(
            frame_with_lesions(errors, {**DELETED_ALONE, ("residual", 32): weak}), 2.0
        ).claims
        assert claim.verdict is verdict
    assert claim.decisive_line.startswith(
        "worst case, 32 layers, plain minus residual: +0.50 points, 95 % upper bound (Holm, 2"
    )


def test_untrained_depth_is_excluded_and_named(frame_with_lesions):
    errors = {family: {**depths, 56: [89.0, 86.0, 89.5]} for family, depths in TRAINED.items()}
    (claim,) = build(frame_with_lesions(errors), 2.0).claims
    assert claim.verdict is Verdict.REPRODUCED
    assert len(claim.evidence) == 1
    reason = "it is no better than chance (mean within 2 points of it) and has nothing to lose"
    assert f"plain-56 is excluded: {reason}" in claim.notes
    assert f"residual-56 is excluded: {reason}" in claim.notes
    # A residual network has nothing to lose either.
    errors["plain"][56] = [1.0, 2.0, 3.0]
    (claim,) = build(frame_with_lesions(errors), 2.0).claims
    assert len(claim.evidence) == 1
    # The mean over seeds decides, as in the other claims.
    errors["plain"][56] = errors["residual"][56] = [89.0, 30.0, 89.5]
    (claim,) = build(frame_with_lesions(errors), 2.0).claims
    assert len(claim.evidence) == 2
    assert not any("excluded" in note for note in claim.notes)
    (claim,) = build(
        frame_with_lesions({"plain": {56: [89.0, 89.0]}, "residual": {56: [1.0, 1.0]}}), 2.0
    ).claims
    assert claim.verdict is Verdict.NOT_TESTED


@pytest.mark.parametrize(
    "errors", [{"plain": {20: [1.0]}, "residual": {20: [1.0]}}, {"residual": {20: [1.0, 1.0]}}]
)
def test_one_seed_or_family_is_drawn_but_not_tested(frame_with_lesions, errors):
    explanation = build(frame_with_lesions(errors), 2.0)
    assert explanation.claims[0].verdict is Verdict.NOT_TESTED
    lines = explanation.figures["lesions"][0].axes[0].lines
    assert lines[0].get_ydata()[0] == pytest.approx(INTACT[min(errors)])


def test_unprobed_run_is_named(frame_with_lesions):
    frame = frame_with_lesions(TRAINED)
    table = frame.probes["lesions"]
    probed = table[table["run_id"] != "residual-d20-s1"]
    (claim,) = build(replace(frame, probes={"lesions": probed}), 2.0).claims
    assert any(
        "1 of 6 runs lack this probe: residual-d20-s1 (done)" in note for note in claim.notes
    )


def test_identity_probe_shows_shape_changes_without_plain(frame_with_lesions):
    frame = frame_with_lesions({"residual": {20: [1.0, 1.0]}})
    identity = pd.DataFrame({"depth": 20, "block": [0, 1, 2], "shape_change": [False, True, False]})
    table = build(replace(frame, probes={**frame.probes, "identity": identity}), 2.0).table
    row = table[(table["lesion"] == "delete") & (table["number"] == 1)].iloc[0]
    assert row["test_error_mean"] == pytest.approx(5.25)


def test_figure_draws_means_and_range_over_runs(frame_with_lesions):
    fig = build(frame_with_lesions(TRAINED), 2.0).figures["lesions"][0]
    plain_deleted, residual_deleted, plain_swapped, _ = fig.axes
    for ax, expected in ((plain_deleted, [20, 85.5, 50.5]), (residual_deleted, [2, 5.5, 50.5])):
        assert ax.lines[0].get_xdata() == pytest.approx([0, 0.5, 1])
        assert ax.lines[0].get_ydata() == pytest.approx(expected)
    assert plain_swapped.lines[0].get_ydata() == pytest.approx([20, 10.5, 20.5])
    assert plain_deleted.lines[1].get_ydata() == pytest.approx([90, 90])  # chance
    band = plain_deleted.collections[0].get_paths()[0].vertices
    assert {85.0, 86.0} <= {round(y, 6) for _, y in band}
    assert len({ax.get_ylim() for ax in fig.axes}) == 1


def test_chance_line_follows_the_data(frame_with_lesions):
    """With unbalanced classes, guessing the most frequent one beats 90 % error."""
    frame = frame_with_lesions(TRAINED)
    frame.runs["chance"] = 100 * 8 / 9
    figures = build(frame, 2.0).figures
    for name in ("lesions", "lesions-alone"):
        fig = figures[name][0]
        assert [fig.axes[0].lines[-1].get_ydata()[0]] == pytest.approx([100 * 8 / 9])
        assert "chance (88.89 %)" in [text.get_text() for text in fig.legends[0].get_texts()]


def test_single_deletions_are_points_or_crosses(frame_with_lesions):
    fig = build(frame_with_lesions(TRAINED), 2.0).figures["lesions-alone"][0]
    residual = fig.axes[1]
    points, crosses = residual.collections
    assert sorted(map(tuple, crosses.get_offsets())) == [(2, 60.0), (2, 60.5), (2, 61.0)]
    assert sorted({float(x) for x, _ in points.get_offsets()}) == [1, 3]
    assert residual.lines[0].get_ydata() == pytest.approx([4.5, 60.5, 6.5])
    assert residual.lines[1].get_ydata() == pytest.approx([2.0, 2.0])  # intact
