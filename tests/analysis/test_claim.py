"""The decision from differences and a margin, and the differences between groups of runs."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.claim import (
    Claim,
    Verdict,
    coarsest_resolution,
    decide,
    difference_by_seed,
    is_no_better_than_chance,
    training_error_difference,
)
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.estimates import Difference
from analysis.frame import group_by_depth
from analysis.gap import Gap
from analysis.statistics import difference_of_minima, paired_difference, welch_difference

EXACT = {20: Difference(0.1, 0.0, 4.0), 56: Difference(0.4, 0.0, 4.0)}
UNKNOWN = Difference(math.nan, math.nan, math.nan)


@pytest.fixture
def residual_runs(build_frame):
    """Return a function from {depth: training errors} to the runs of each depth."""

    def build(errors, **columns):
        return group_by_depth(build_frame({"residual": errors}, **columns).runs, "residual")

    return build


def difference_with(side: str, bound: float, bound_count: int = 1) -> Difference:
    """Return a difference with this bound, if this many bounds hold jointly with 95 %."""
    zero = Difference(0.0, 1.0, 4.0)
    level = 1 - 0.05 / bound_count
    shift = zero.lower_at(level) if side == "lower" else zero.upper_at(level)
    return Difference(bound - shift, 1.0, 4.0)


@pytest.mark.parametrize(
    ("beyond", "verdict"), [(-1e-6, Verdict.REPRODUCED), (1e-6, Verdict.INCONCLUSIVE)]
)
def test_below_is_reproduced_up_to_the_margin(beyond, verdict):
    differences = {32: Difference(-9.0, 1.0, 4.0), 56: difference_with("upper", 2.0 + beyond)}
    decision = decide(differences, "below", 2.0)
    assert decision.verdict is verdict
    assert (decision.worst, decision.side, decision.bound_count) == (56, "upper", 1)


@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize(("beyond", "contradicted"), [(-1e-6, False), (1e-6, True)])
def test_contradiction_corrects_for_the_number_of_bounds(others, beyond, contradicted):
    differences = {depth: Difference(0.0, 1.0, 4.0) for depth in range(others)}
    differences[56] = difference_with("lower", 2.0 + beyond, bound_count=others + 1)
    decision = decide(differences, "below", 2.0)
    assert (decision.verdict is Verdict.CONTRADICTED) == contradicted
    if contradicted:
        assert (decision.worst, decision.side, decision.bound_count) == (56, "lower", others + 1)


def test_above_mirrors_below():
    assert decide(EXACT, "above", 0.05).verdict is Verdict.REPRODUCED
    assert decide(EXACT, "above", 0.2).verdict is Verdict.CONTRADICTED
    noisy = {56: Difference(0.4, 1.0, 4.0)}
    assert decide(noisy, "above", 0.2).verdict is Verdict.INCONCLUSIVE
    assert decide(EXACT, "above", 0.05).worst == 20
    assert decide(EXACT, "above", 0.05).side == "lower"
    assert decide(EXACT, "above", 0.2).side == "upper"


def test_nan_supports_neither_verdict():
    differences = {20: EXACT[20], 56: UNKNOWN}
    assert decide(differences, "below", 2.0).verdict is Verdict.INCONCLUSIVE
    assert decide(differences, "below", 2.0).worst == 56
    assert decide(differences, "above", -2.0).verdict is Verdict.INCONCLUSIVE


def test_nan_does_not_hide_a_contradiction():
    differences = {20: Difference(9.0, 0.0, 4.0), 56: UNKNOWN}
    assert decide(differences, "below", 2.0).verdict is Verdict.CONTRADICTED


@pytest.mark.parametrize(
    ("depths", "trials"), [(4, 1000), pytest.param(25, 400, marks=pytest.mark.slow)]
)
def test_chance_contradicts_at_most_5_percent(depths, trials):
    """Every true difference is the margin. Uncorrected bounds would contradict in 11 and 71 %."""
    generator = np.random.default_rng(0)
    contradicted = 0
    for _ in range(trials):
        differences = {
            depth: welch_difference(
                generator.normal(2, 1, 3).tolist(), generator.normal(0, 1, 3).tolist()
            )
            for depth in range(depths)
        }
        contradicted += decide(differences, "below", 2.0).verdict is Verdict.CONTRADICTED
    assert contradicted / trials < 0.07


@pytest.mark.parametrize(
    ("beyond", "beyond_bound", "short_of_bound"),
    [
        (-1e-6, Verdict.REPRODUCED, Verdict.CONTRADICTED),
        (1e-6, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_difference_of_minima_is_decided_like_others(beyond, beyond_bound, short_of_bound):
    difference = difference_of_minima(
        [[5.0, 5.2, 5.1], [6.0, 6.3, 6.1]], [[1.0, 1.3, 1.1], [0.9, 1.2, 1.3]]
    )
    lower, upper = difference.lower + beyond, difference.upper - beyond
    assert decide({56: difference}, "above", lower).verdict is beyond_bound
    assert decide({56: difference}, "below", lower).verdict is short_of_bound
    assert decide({56: difference}, "below", upper).verdict is beyond_bound
    assert decide({56: difference}, "above", upper).verdict is short_of_bound


def test_claim_that_is_not_tested_leads_with_a_reason():
    claim = Claim.not_tested("name", "statement", ["first", "second"], ["note"])
    assert claim.verdict is Verdict.NOT_TESTED
    assert (claim.decisive_line, claim.evidence) == ("first", ["first", "second"])
    assert claim.notes == ["note"]


def test_reason_in_plain_words_names_no_runs():
    gap = Gap("2 of 9 plain runs are missing", "plain-d20-s0-12345678, plain-d20-s1-12345678")
    claim = Claim.not_tested("name", "", [gap])
    assert claim.plain_words == "2 of 9 plain runs are missing."
    assert claim.reason == "2 of 9 plain runs are missing"
    assert claim.decisive_line == str(gap)
    assert claim.decisive_line.endswith("missing: plain-d20-s0-12345678, plain-d20-s1-12345678")


@pytest.mark.parametrize("verdict", [Verdict.REPRODUCED, Verdict.CONTRADICTED])
def test_negligible_effect_has_its_own_outcome(verdict):
    claim = Claim("name", "statement", verdict, "line")
    assert claim.outcome == str(verdict)
    assert replace(claim, is_negligible=True).outcome == "negligible"
    assert replace(claim, is_negligible=True).verdict is verdict


def test_equal_seeds_are_paired_in_any_order(residual_runs):
    groups = residual_runs({20: [1.0, 2.0, 4.0], 56: [7.0, 5.5, 9.0]})
    shuffled = groups[56].iloc[[2, 0, 1]]
    expected = paired_difference([7.0, 5.5, 9.0], [1.0, 2.0, 4.0])
    assert difference_by_seed(shuffled, groups[20]) == expected


def test_different_seeds_are_not_paired(residual_runs):
    groups = residual_runs({20: [1.0, 2.0, 4.0], 56: [7.0, 5.5, 9.0]})
    groups[20]["seed"] = [0, 1, 3]
    assert difference_by_seed(groups[56], groups[20]) is None


def test_single_or_repeated_seeds_are_not_paired(residual_runs):
    runs = residual_runs({20: [1.0, 2.0, 4.0]})[20]
    assert difference_by_seed(runs, runs) is not None
    assert difference_by_seed(runs.iloc[:1], runs.iloc[:1]) is None
    repeated = runs.assign(seed=[0, 1, 1])
    assert difference_by_seed(repeated, repeated) is None


def test_differences_use_the_step_of_the_errors(residual_runs):
    groups = residual_runs({20: [1.0] * 3, 56: [1.2] * 3}, error_step=0.0667)
    welch = welch_difference([1.2] * 3, [1.0] * 3, 0.0667)
    assert training_error_difference(groups[56], groups[20]) == welch
    by_seed = paired_difference([1.2] * 3, [1.0] * 3, 0.0667)
    assert difference_by_seed(groups[56], groups[20]) == by_seed


def test_resolution_is_the_largest_known_step(residual_runs):
    groups = residual_runs({20: [1.0] * 3, 56: [1.2] * 3}, error_step=0.0667)
    groups[20]["error_step"] = [0.1, math.nan, math.nan]
    assert coarsest_resolution(groups[56], groups[20]) == 0.1
    unknown = residual_runs({20: [1.0] * 3})[20]
    assert coarsest_resolution(unknown, unknown) == 0.0


@pytest.mark.parametrize("known", ["first", "second"])
def test_step_of_either_group_counts(build_frame, known):
    """Equal errors leave no spread; they are known to the larger step of the two groups."""
    frame = build_frame({"plain": {20: [1.0, 1.0], 56: [3.0, 3.0]}})
    deep, shallow = (frame.runs[frame.runs["depth"] == depth] for depth in (56, 20))
    steps = {"first": (0.5, float("nan")), "second": (float("nan"), 0.5)}[known]
    difference = training_error_difference(
        deep.assign(error_step=steps[0]), shallow.assign(error_step=steps[1])
    )
    assert difference.standard_error == pytest.approx(math.sqrt(2 * 0.5**2 / 12 / 2))


@pytest.mark.parametrize(("beyond", "expected"), [(0.0, True), (-0.01, False)])
def test_depth_is_untrained_by_its_mean(residual_runs, beyond, expected):
    """The frame's column `untrained` is about single runs, which may be on the other side."""
    limit = 90.0 - UNTRAINED_WITHIN_POINTS + beyond
    assert (
        is_no_better_than_chance(residual_runs({20: [limit - 8, limit + 1, limit + 7]})[20])
        is expected
    )
    assert is_no_better_than_chance(residual_runs({20: [limit]})[20]) is expected
