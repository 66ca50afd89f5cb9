"""Gradient flow: its spans by hand, each verdict, each word for a pattern, and what is drawn."""

import math

import numpy as np
import pytest

from analysis.claim import Verdict
from analysis.figures import gradient_flow as figure
from analysis.figures import style
from analysis.mechanisms.gradient_flow import build, judge_norms, measure_spans, summarise
from tests.support.probe_tables import EXPLODING, LEVEL, gradient_flow_table

COLLAPSED = [1e-9, 1e-6, 1e-3, 0.1]


def verdict_of(norms, family="plain", **keys):
    table = gradient_flow_table({family: norms}, **keys)
    return judge_norms(
        measure_spans(table), table.drop_duplicates("run_id").assign(state="done"), family
    )


def test_spans_are_largest_over_smallest_norm():
    spans = measure_spans(gradient_flow_table({"plain": {20: {0: EXPLODING, 400: LEVEL}}}, seeds=1))
    assert spans["span"].tolist() == pytest.approx([1e6, 4.0])
    assert spans["first"].tolist() == pytest.approx([1e5, 1.0])
    assert spans["last"].tolist() == pytest.approx([0.1, 0.5])


def test_level_norms_at_every_depth_and_probe_are_healthy():
    claim = verdict_of({20: {0: LEVEL, 400: LEVEL}, 56: {0: LEVEL, 400: LEVEL}})
    assert claim.verdict is Verdict.REPRODUCED
    assert "factor 4, 95 % upper bound 4" in claim.decisive
    assert claim.evidence[0] == "20 layers: initialisation healthy (4), end healthy (4)"


@pytest.mark.parametrize(("norms", "word"), [(EXPLODING, "exploding"), (COLLAPSED, "collapsed")])
def test_one_moment_of_one_depth_contradicts(norms, word):
    claim = verdict_of({20: {0: LEVEL}, 56: {0: norms, 400: LEVEL}})
    assert claim.verdict is Verdict.CONTRADICTED
    assert claim.decisive.startswith("worst case, 56 layers, initialisation: factor 1e+0")
    assert f"initialisation {word}" in claim.evidence[1]


# Three seeds: the logarithms of the spans are a step of log10(1.1) = 0.0414 apart, so the standard error of their mean
# is 0.0414 / sqrt(3) = 0.0239, and the one-sided 95 % bounds are 2.92 of it away: a factor of 1.174.
@pytest.mark.parametrize(
    ("mean", "verdict"),
    [
        (100 / 1.18, Verdict.REPRODUCED),
        (100 / 1.17, Verdict.INCONCLUSIVE),  # the mean is below the limit, its upper bound is not
        (100 * 1.17, Verdict.INCONCLUSIVE),
        (100 * 1.18, Verdict.CONTRADICTED),
    ],
)
def test_the_bound_decides_on_both_sides_and_not_the_mean(mean, verdict):
    claim = verdict_of({20: {0: [mean / 1.1, 1.0, 1.0, 1.0]}}, seeds=3, spread=1.1)
    assert claim.verdict is verdict
    side = "lower" if verdict is Verdict.CONTRADICTED else "upper"
    assert f"95 % {side} bound" in claim.decisive
    assert claim.decisive.endswith("(limit 100)")


def test_one_of_several_bounds_contradicts_only_by_more():
    """One-sided p = 0.036 alone: with a second depth it would have to be below 0.025."""
    norms = [100 * 1.212 / 1.1, 1.0, 1.0, 1.0]  # 3.5 standard errors above
    assert verdict_of({20: {0: norms}}, seeds=3, spread=1.1).verdict is Verdict.CONTRADICTED
    two = {20: {0: norms}, 56: {0: LEVEL}}
    assert verdict_of(two, seeds=3, spread=1.1).verdict is Verdict.INCONCLUSIVE
    claim = verdict_of({20: {0: EXPLODING}, 56: {0: LEVEL}}, seeds=3, spread=1.1)
    assert claim.verdict is Verdict.CONTRADICTED
    assert "95 % lower bound (Holm, 2 together) 9e+05" in claim.decisive


def test_seeds_that_disagree_are_inconclusive():
    claim = verdict_of({20: {0: [60.0, 1.0, 1.0, 1.0]}}, spread=3.0)  # spans of 60 and 180
    assert claim.verdict is Verdict.INCONCLUSIVE


def test_one_seed_is_not_tested():
    claim = verdict_of({20: {0: LEVEL}}, seeds=1)
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive == "plain nets of 20 layers have one seed; an interval needs two"


@pytest.mark.parametrize("broken", [0.0, float("nan")])
def test_a_norm_that_is_zero_or_not_finite_has_no_span_and_is_told(broken):
    claim = verdict_of({20: {0: [broken, 1.0, 1.0]}, 56: {0: LEVEL}})
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "20 layers, initialisation: gradient zero or not finite in 2 runs" in claim.decisive
    assert "(not finite)" in claim.evidence[0]


def test_a_net_that_explodes_contradicts_whatever_another_has():
    claim = verdict_of({20: {0: [0.0, 1.0, 1.0]}, 56: {0: EXPLODING}})
    assert claim.verdict is Verdict.CONTRADICTED


def test_a_moment_that_one_run_alone_was_probed_at_has_no_bound():
    """A run of a release without probes has no early one."""
    table = gradient_flow_table({"plain": {20: {0: LEVEL, 40: EXPLODING, 400: LEVEL}}})
    table = table[(table["iteration"] != 40) | (table["seed"] == 0)]
    claim = judge_norms(
        measure_spans(table), table.drop_duplicates("run_id").assign(state="done"), "plain"
    )
    assert claim.verdict is Verdict.REPRODUCED
    assert claim.notes == ["20 layers, iteration 40: one run, no bound"]


def test_runs_that_were_not_probed_are_told():
    table = gradient_flow_table({"plain": {20: {0: LEVEL}}}, seeds=3)
    runs = table.drop_duplicates("run_id").assign(state=["done", "done", "diverged"])
    claim = judge_norms(measure_spans(table[table["seed"] < 2]), runs, "plain")
    assert claim.notes == ["1 of 3 runs without this probe: plain-d20-s2 (diverged)"]


def test_the_table_has_geometric_means():
    table = summarise(
        measure_spans(gradient_flow_table({"plain": {20: {0: [1.0, 1.0]}}}, spread=4.0))
    )
    assert table.loc[0, "first_gmean"] == pytest.approx(2)
    assert table.loc[0, "runs"] == 2


@pytest.mark.parametrize("broken", [0.0, math.nan])
def test_a_norm_that_is_not_known_has_no_mean_in_the_table(broken):
    table = summarise(measure_spans(gradient_flow_table({"plain": {20: {0: [broken, 1.0, 1.0]}}})))
    assert math.isnan(table.loc[0, "first_gmean"])
    assert table.loc[0, "last_gmean"] == pytest.approx(1)


def test_both_families_have_a_claim_and_the_figure_draws_their_geometric_means(frame_of):
    norms = {20: {0: LEVEL, 400: LEVEL}, 56: {0: EXPLODING, 400: LEVEL}}
    table = gradient_flow_table(
        {"plain": norms, "residual": {20: {0: LEVEL, 400: LEVEL}}}, spread=4.0
    )
    frame = frame_of({"plain": {20: [1.0, 2.0], 56: [50.0, 60.0]}, "residual": {20: [1.0, 2.0]}})
    frame.probes["gradient_flow"] = table
    explanation = build(frame, 2.0)
    assert [claim.name for claim in explanation.claims] == [
        "healthy norms, residual",
        "healthy norms, plain",
    ]
    style.apply()
    table["weight_gradient"] *= 3
    drawn = {
        name: canvas.axes[0].lines[0].get_ydata()
        for name, (canvas, _) in build(frame, 2.0).figures.items()
    }
    assert np.allclose(drawn["gradient-flow"], [2.0, *LEVEL[1:]])
    assert np.allclose(drawn["gradient-flow-weights"], 3 * np.array(LEVEL[:-1]))
    canvas = figure.plot(table, "input_gradient", "norm of dE/dx")
    assert len(canvas.axes) == 4
    lines = [line.get_ydata() for line in canvas.axes[0].lines]
    assert np.allclose(lines[0], [2.0, *LEVEL[1:]])  # seeds 1 and 4 at the first block: 2
    assert np.allclose(lines[1], [2e5, *EXPLODING[1:]])
    assert len({ax.get_ylim() for ax in canvas.axes}) == 1


def test_one_family_one_depth_and_one_seed_are_drawn():
    style.apply()
    table = gradient_flow_table({"residual": {20: {0: LEVEL}}}, seeds=1)
    for column in ("input_gradient", "weight_gradient"):
        figure.plot(table, column, "norm")


def test_a_frame_without_the_probe_has_no_such_part(frame_of):
    assert build(frame_of({"plain": {20: [1.0]}}), 2.0) is None
