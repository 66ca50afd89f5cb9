"""Lesions, in all their verdicts, on tables whose means can be taken by hand."""

from dataclasses import replace

import numpy as np
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
def probed(frame_of):
    """{family: {depth: training error of each seed}} and {family: {block: error}} -> a frame with lesions.

    {(family, depth): {block: error}} for one depth.
    """

    def made(errors, alone=DELETED_ALONE, shifts=(0.0, 0.5, 1.0)):
        frame = frame_of(errors)
        runs = frame.runs.to_dict("records")
        of_run = [alone.get((run["family"], run["depth"]), alone[run["family"]]) for run in runs]
        tables = [
            lesions_of_run(run, blocks, shifts[run["seed"]])
            for run, blocks in zip(runs, of_run, strict=True)
        ]
        return replace(frame, probes={"lesions": pd.concat(tables, ignore_index=True)})

    return made


TRAINED = {"plain": {20: [1.0, 1.0, 1.0]}, "residual": {20: [1.0, 1.0, 1.0]}}


def test_without_the_probe_there_is_no_part(frame_of):
    assert build(frame_of(TRAINED), 2.0) is None


def test_the_table_holds_means_over_blocks_and_sets_without_those_that_change_the_shape(probed):
    explanation = build(probed(TRAINED), 2.0)
    table = explanation.table.set_index(["family", "lesion", "number"])
    assert table.loc[("plain", "delete", 1), "test_error_mean"] == pytest.approx(85.5)
    assert table.loc[("residual", "delete", 1), "test_error_mean"] == pytest.approx(
        5.5
    )  # not block 1
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
        ),  # 65 points, as plain, whatever block 1 costs
        ({0: 60.0, 1: 2.0, 2: 70.0}, Verdict.INCONCLUSIVE),  # two points less, the margin itself
    ],
)
def test_verdicts(probed, residual, verdict):
    (claim,) = build(probed(TRAINED, {**DELETED_ALONE, "residual": residual}), 2.0).claims
    assert claim.verdict is verdict
    side = "upper" if verdict is Verdict.CONTRADICTED else "lower"
    increase = (residual[0] + residual[2]) / 2 - INTACT["residual"]
    assert f"20 layers, plain minus residual: {65 - increase:+.2f}" in claim.decisive
    assert f"95 % {side} bound" in claim.decisive


# The shifts have a standard deviation of 0.5, so the difference has a standard error of 0.408 with 4 degrees of
# freedom: the one-sided 95 % bounds are 2.13 * 0.408 = 0.87 away.
@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (2.9, Verdict.REPRODUCED),
        (2.8, Verdict.INCONCLUSIVE),
        (1.2, Verdict.INCONCLUSIVE),
        (1.1, Verdict.CONTRADICTED),
    ],
)
def test_the_bound_decides_on_both_sides_of_the_margin(probed, difference, verdict):
    residual = dict.fromkeys((0, 1, 2), INTACT["residual"] + 65 - difference)
    assert (
        build(probed(TRAINED, {**DELETED_ALONE, "residual": residual}), 2.0).claims[0].verdict
        is verdict
    )


def test_one_of_several_depths_contradicts_only_by_more(probed):
    """1.1 points contradict alone (p = 0.046); of two depths one has to be below 0.025."""
    errors = {family: {20: [1.0] * 3, 32: [1.0] * 3} for family in TRAINED}
    for difference, verdict in ((1.1, Verdict.INCONCLUSIVE), (0.5, Verdict.CONTRADICTED)):
        weak = dict.fromkeys((0, 1, 2), INTACT["residual"] + 65 - difference)
        (claim,) = build(probed(errors, {**DELETED_ALONE, ("residual", 32): weak}), 2.0).claims
        assert claim.verdict is verdict
    assert claim.decisive.startswith(
        "worst case, 32 layers, plain minus residual: +0.50 points, 95 % upper bound (Holm, 2"
    )


def test_a_depth_whose_plain_net_did_not_train_is_left_out_and_told(probed):
    errors = {family: {**depths, 56: [89.0, 86.0, 89.5]} for family, depths in TRAINED.items()}
    (claim,) = build(probed(errors), 2.0).claims
    assert claim.verdict is Verdict.REPRODUCED
    assert len(claim.evidence) == 1
    assert (
        "plain-56 is excluded: it is untrained (mean within 2 points of chance) and has nothing to lose"
        in claim.notes
    )
    errors["plain"][56] = [
        89.0,
        30.0,
        89.5,
    ]  # the mean of the depth decides, as in the other claims
    (claim,) = build(probed(errors), 2.0).claims
    assert len(claim.evidence) == 2
    assert not any("excluded" in note for note in claim.notes)
    (claim,) = build(
        probed({"plain": {56: [89.0, 89.0]}, "residual": {56: [1.0, 1.0]}}), 2.0
    ).claims
    assert claim.verdict is Verdict.NOT_TESTED


@pytest.mark.parametrize(
    "errors", [{"plain": {20: [1.0]}, "residual": {20: [1.0]}}, {"residual": {20: [1.0, 1.0]}}]
)
def test_one_seed_or_one_family_is_no_test_and_is_drawn(probed, errors):
    explanation = build(probed(errors), 2.0)
    assert explanation.claims[0].verdict is Verdict.NOT_TESTED
    lines = explanation.figures["lesions"][0].axes[0].lines
    assert lines[0].get_ydata()[0] == pytest.approx(INTACT[min(errors)])


def test_a_run_that_was_not_probed_is_told(probed):
    frame = probed(TRAINED)
    table = frame.probes["lesions"]
    kept = table[table["run_id"] != "residual-d20-s1"]
    (claim,) = build(replace(frame, probes={"lesions": kept}), 2.0).claims
    assert any(
        "1 of 6 runs without this probe: residual-d20-s1 (done)" in note for note in claim.notes
    )


def test_without_plain_nets_the_probe_of_the_identity_tells_what_changes_the_shape(probed):
    frame = probed({"residual": {20: [1.0, 1.0]}})
    identity = pd.DataFrame({"depth": 20, "block": [0, 1, 2], "shape_change": [False, True, False]})
    table = build(replace(frame, probes={**frame.probes, "identity": identity}), 2.0).table
    row = table[(table["lesion"] == "delete") & (table["number"] == 1)].iloc[0]
    assert row["test_error_mean"] == pytest.approx(5.25)


def test_the_figure_draws_the_means_and_the_band_of_all_runs(probed):
    canvas = build(probed(TRAINED), 2.0).figures["lesions"][0]
    plain_deleted, residual_deleted, plain_swapped, _ = canvas.axes
    for ax, expected in ((plain_deleted, [20, 85.5, 50.5]), (residual_deleted, [2, 5.5, 50.5])):
        assert ax.lines[0].get_xdata() == pytest.approx([0, 0.5, 1])
        assert ax.lines[0].get_ydata() == pytest.approx(expected)
    assert plain_swapped.lines[0].get_ydata() == pytest.approx([20, 10.5, 20.5])
    assert plain_deleted.lines[1].get_ydata() == pytest.approx([90, 90])  # chance
    band = plain_deleted.collections[0].get_paths()[0].vertices
    assert {85.0, 86.0} <= {round(y, 6) for _, y in band}
    assert len({ax.get_ylim() for ax in canvas.axes}) == 1


def test_chance_is_drawn_where_the_data_have_it(probed):
    """The commonest of unbalanced classes is more than a tenth."""
    frame = probed(TRAINED)
    frame.runs["chance"] = 100 * 8 / 9
    figures = build(frame, 2.0).figures
    for name in ("lesions", "lesions-alone"):
        canvas = figures[name][0]
        assert [canvas.axes[0].lines[-1].get_ydata()[0]] == pytest.approx([100 * 8 / 9])
        assert "chance (88.89 %)" in [text.get_text() for text in canvas.legends[0].get_texts()]


def test_every_single_deletion_is_a_point_and_those_that_change_the_shape_are_crosses(probed):
    canvas = build(probed(TRAINED), 2.0).figures["lesions-alone"][0]
    residual = canvas.axes[1]
    points, crosses = (np.asarray(one.get_offsets()) for one in residual.collections)
    assert sorted(map(tuple, crosses)) == [(2, 60.0), (2, 60.5), (2, 61.0)]
    assert sorted({x for x, _ in points}) == [1, 3]
    assert residual.lines[0].get_ydata() == pytest.approx([4.5, 60.5, 6.5])
    assert residual.lines[1].get_ydata() == pytest.approx([2.0, 2.0])  # intact
