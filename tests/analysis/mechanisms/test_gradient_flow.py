"""Gradient flow: spans computed by hand, every verdict and pattern, and the figure."""

import math

import numpy as np
import pytest

from analysis.claim import Verdict
from analysis.figures import gradient_flow as figure
from analysis.figures import style
from analysis.mechanisms.gradient_flow import build, judge_norms, measure_spans, summarise
from tests.support.probe_tables import EXPLODING, LEVEL, gradient_flow_table

VANISHING = [1e-9, 1e-6, 1e-3, 0.1]


def judge_table(norms, family="plain", **keys):
    table = gradient_flow_table({family: norms}, **keys)
    return judge_norms(
        measure_spans(table), table.drop_duplicates("run_id").assign(state="done"), family
    )


def test_spans_are_largest_over_smallest_norm():
    spans = measure_spans(gradient_flow_table({"plain": {20: {0: EXPLODING, 400: LEVEL}}}, seeds=1))
    assert spans["span"].tolist() == pytest.approx([1e6, 4.0])
    assert spans["first"].tolist() == pytest.approx([1e5, 1.0])
    assert spans["last"].tolist() == pytest.approx([0.1, 0.5])


def test_level_norms_are_healthy():
    claim = judge_table({20: {0: LEVEL, 400: LEVEL}, 56: {0: LEVEL, 400: LEVEL}})
    assert claim.verdict is Verdict.REPRODUCED
    assert "factor 4, 95 % upper bound 4" in claim.decisive_line
    assert claim.evidence[0] == "20 layers: initialisation healthy (4), end healthy (4)"


@pytest.mark.parametrize(("norms", "word"), [(EXPLODING, "exploding"), (VANISHING, "vanishing")])
def test_one_time_point_at_one_depth_contradicts(norms, word):
    claim = judge_table({20: {0: LEVEL}, 56: {0: norms, 400: LEVEL}})
    assert claim.verdict is Verdict.CONTRADICTED
    assert claim.decisive_line.startswith("worst case, 56 layers, initialisation: factor 1e+0")
    assert f"initialisation {word}" in claim.evidence[1]


# The log10 spans of three seeds are log10(1.1) = 0.0414 apart, so the standard error of their mean
# is 0.0414 / sqrt(3) = 0.0239. A one-sided 95 % bound is 2.92 times as far away: a factor of 1.174.
@pytest.mark.parametrize(
    ("mean", "verdict"),
    [
        (100 / 1.18, Verdict.REPRODUCED),
        (100 / 1.17, Verdict.INCONCLUSIVE),  # the mean is below the limit, its bound is not
        (100 * 1.17, Verdict.INCONCLUSIVE),
        (100 * 1.18, Verdict.CONTRADICTED),
    ],
)
def test_bounds_decide_and_not_the_mean(mean, verdict):
    claim = judge_table({20: {0: [mean / 1.1, 1.0, 1.0, 1.0]}}, seeds=3, spread=1.1)
    assert claim.verdict is verdict
    side = "lower" if verdict is Verdict.CONTRADICTED else "upper"
    assert f"95 % {side} bound" in claim.decisive_line
    assert claim.decisive_line.endswith("(limit 100)")


def test_several_bounds_need_more_to_contradict():
    """One-sided p is 0.036: enough for one depth, but two depths need p < 0.025."""
    norms = [100 * 1.212 / 1.1, 1.0, 1.0, 1.0]  # 3.5 standard errors above
    assert judge_table({20: {0: norms}}, seeds=3, spread=1.1).verdict is Verdict.CONTRADICTED
    two = {20: {0: norms}, 56: {0: LEVEL}}
    assert judge_table(two, seeds=3, spread=1.1).verdict is Verdict.INCONCLUSIVE
    claim = judge_table({20: {0: EXPLODING}, 56: {0: LEVEL}}, seeds=3, spread=1.1)
    assert claim.verdict is Verdict.CONTRADICTED
    assert "95 % lower bound (Holm, 2 bounds) 9e+05" in claim.decisive_line


def test_seeds_that_disagree_are_inconclusive():
    claim = judge_table({20: {0: [60.0, 1.0, 1.0, 1.0]}}, spread=3.0)  # spans of 60 and 180
    assert claim.verdict is Verdict.INCONCLUSIVE


def test_one_seed_is_not_tested():
    claim = judge_table({20: {0: LEVEL}}, seeds=1)
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive_line == "plain networks of 20 layers have one seed; an interval needs two"


@pytest.mark.parametrize("norm", [0.0, float("nan")])
def test_norm_of_zero_or_nan_is_named(norm):
    claim = judge_table({20: {0: [norm, 1.0, 1.0]}, 56: {0: LEVEL}})
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "20 layers, initialisation: gradient zero or not finite in 2 runs" in claim.decisive_line
    assert "(not finite)" in claim.evidence[0]


def test_exploding_network_contradicts_despite_a_gap():
    claim = judge_table({20: {0: [0.0, 1.0, 1.0]}, 56: {0: EXPLODING}})
    assert claim.verdict is Verdict.CONTRADICTED


def test_time_point_of_a_single_run_has_no_bound():
    """Runs of a release without probes during training lack the early time points.

    The claim is about every time point, so one without a bound leaves it open.
    """
    table = gradient_flow_table({"plain": {20: {0: LEVEL, 40: EXPLODING, 400: LEVEL}}})
    table = table[(table["iteration"] != 40) | (table["seed"] == 0)]
    claim = judge_norms(
        measure_spans(table), table.drop_duplicates("run_id").assign(state="done"), "plain"
    )
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.decisive_line.endswith("; 20 layers, iteration 40: one run, no bound")


def test_unprobed_runs_are_named():
    table = gradient_flow_table({"plain": {20: {0: LEVEL}}}, seeds=3)
    runs = table.drop_duplicates("run_id").assign(state=["done", "done", "diverged"])
    claim = judge_norms(measure_spans(table[table["seed"] < 2]), runs, "plain")
    assert claim.notes == ["1 of 3 runs lack this probe: plain-d20-s2 (diverged)"]


def test_table_has_geometric_means():
    table = summarise(
        measure_spans(gradient_flow_table({"plain": {20: {0: [1.0, 1.0]}}}, spread=4.0))
    )
    assert table.loc[0, "first_gmean"] == pytest.approx(2)
    assert table.loc[0, "runs"] == 2


@pytest.mark.parametrize("norm", [0.0, math.nan])
def test_unknown_norm_has_no_mean(norm):
    table = summarise(measure_spans(gradient_flow_table({"plain": {20: {0: [norm, 1.0, 1.0]}}})))
    assert math.isnan(table.loc[0, "first_gmean"])
    assert table.loc[0, "last_gmean"] == pytest.approx(1)


def test_figure_draws_geometric_means_of_both_families(build_frame):
    norms = {20: {0: LEVEL, 400: LEVEL}, 56: {0: EXPLODING, 400: LEVEL}}
    table = gradient_flow_table(
        {"plain": norms, "residual": {20: {0: LEVEL, 400: LEVEL}}}, spread=4.0
    )
    frame = build_frame({"plain": {20: [1.0, 2.0], 56: [50.0, 60.0]}, "residual": {20: [1.0, 2.0]}})
    frame.probes["gradient_flow"] = table
    explanation = build(frame, 2.0)
    assert [claim.name for claim in explanation.claims] == [
        "healthy gradients, residual",
        "healthy gradients, plain",
    ]
    style.apply()
    table["weight_gradient"] *= 3
    drawn = {
        name: fig.axes[0].lines[0].get_ydata()
        for name, (fig, _) in build(frame, 2.0).figures.items()
    }
    assert np.allclose(drawn["gradient-flow"], [2.0, *LEVEL[1:]])
    assert np.allclose(drawn["gradient-flow-weights"], 3 * np.array(LEVEL[:-1]))
    fig = figure.plot(table, "input_gradient", "norm of dE/dx")
    assert len(fig.axes) == 4
    lines = [line.get_ydata() for line in fig.axes[0].lines]
    assert np.allclose(lines[0], [2.0, *LEVEL[1:]])  # seeds 1 and 4 at the first block: 2
    assert np.allclose(lines[1], [2e5, *EXPLODING[1:]])
    assert len({ax.get_ylim() for ax in fig.axes}) == 1


def test_single_run_is_drawn():
    style.apply()
    table = gradient_flow_table({"residual": {20: {0: LEVEL}}}, seeds=1)
    for column in ("input_gradient", "weight_gradient"):
        figure.plot(table, column, "norm")


def test_without_probe_there_is_no_explanation(build_frame):
    assert build(build_frame({"plain": {20: [1.0]}}), 2.0) is None
