"""The number of seeds that a claim needs: by simulation, by hand, and where there is none."""

import math

import numpy as np
import pytest

from analysis.claim import Verdict, count_seeds_if_open, decide
from analysis.claims import judge
from analysis.estimates import Difference, DifferenceOfMinima
from analysis.seed_plan import plan_seeds
from analysis.seeds_needed import SeedsNeeded, count_seeds, count_seeds_within
from analysis.statistics import (
    contrast_from_summaries,
    contrast_of_means,
    mean_estimate,
    welch_difference,
)
from tests.support.claims import judge_by_name

DRAWS = 180  # at a true share of 80 %, the simulated one has a standard error of 3 %
# Each case: mean and standard deviation of the first group, of the others; relation and margin.
CASES = {
    "one bound, other variances": ([(0, 1), (5, 3)], "above", 2),
    "one bound, contradicted": ([(0, 2), (0.5, 2)], "above", 2),
    "all of three bounds": ([(0, 1), (0, 1), (0, 1), (0.5, 1)], "below", 2),
    "one of three bounds, by Holm": ([(0, 2), (0, 2), (3, 2), (4, 2)], "below", 2),
}


def differ(groups):
    """Return each group minus the first, as the claims compare depths."""
    return {index: welch_difference(group, groups[0]) for index, group in enumerate(groups[1:])}


def draw_share(truth, relation, margin, seeds):
    """Return the share of draws in which the claims' own rule decides."""
    rng = np.random.default_rng(seeds)
    draws = [rng.normal(mean, sd, (DRAWS, seeds)) for mean, sd in truth]
    decided = 0
    for number in range(DRAWS):
        verdict = decide(differ([group[number] for group in draws]), relation, margin).verdict
        decided += verdict is not Verdict.INCONCLUSIVE
    return decided / DRAWS


@pytest.mark.parametrize("case", CASES)
def test_number_decides_in_the_stated_share_of_draws(case):
    truth, relation, margin = CASES[case]
    # two runs, whose mean and standard deviation are exactly the true ones
    groups = [[mean - sd / math.sqrt(2), mean + sd / math.sqrt(2)] for mean, sd in truth]
    count = count_seeds(differ(groups), relation, margin).count
    assert 0.74 <= draw_share(truth, relation, margin, count) <= 0.93
    assert draw_share(truth, relation, margin, count // 2) < 0.6


def test_number_of_one_bound_by_hand():
    """With many seeds t is normal: n = 2 (1.645 + 0.842)^2 / (distance / sd)^2."""
    difference = contrast_from_summaries(0.2, [0.5, 0.5], [2, 2])  # standard deviation 1
    assert count_seeds({56: difference}, "above", 0.0).count == pytest.approx(309, abs=2)


def test_number_follows_the_floor_of_the_variance():
    """Errors known to 3 points only: equal errors do not mean that two seeds suffice."""
    difference = welch_difference([1.0, 1.0], [0.5, 0.5], resolution=3.0)
    assert difference.variances == (0.75, 0.75)
    assert count_seeds({56: difference}, "above", 0.0).count == 38
    exact = welch_difference([1.0, 1.0], [0.5, 0.5])
    assert count_seeds({56: exact}, "above", 0.0).count == 2


def test_one_bound_needs_as_many_seeds_as_its_mirror_image():
    difference = welch_difference([1.0, 4.0, 3.0], [0.5, 2.5, 1.0])
    above = count_seeds({56: difference}, "above", 1.0)
    assert above == count_seeds({56: -difference}, "below", -1.0)


def test_claim_that_needs_more_bounds_needs_more_seeds():
    one = {32: welch_difference([1.0, 3.0], [0.5, 2.5])}
    three = one | {44: one[32], 56: one[32]}
    assert count_seeds(three, "below", 2.0).count > count_seeds(one, "below", 2.0).count


def test_contrasts_and_paired_differences_count_too():
    """A contrast of four groups has twice the variance of a difference, and more freedom."""
    groups = [[0.0, 2.0, 1.0]] * 4
    four = contrast_of_means(groups, [1, -1, -1, 1])
    two = welch_difference(groups[0], groups[1])
    numbers = [count_seeds({"": item}, "below", 1.0).count for item in (two, four)]
    assert numbers[1] == pytest.approx(2 * numbers[0], abs=2)
    assert count_seeds({"": mean_estimate([0.0, 2.0, 1.0])}, "below", 2.0).count == 8


def test_choice_of_the_best_needs_more_seeds():
    """Bounds that allow for the choice among two rates are wider."""
    difference = welch_difference([1.0, 3.0], [0.5, 2.5])
    chosen = DifferenceOfMinima(0.5, ((difference, difference),) * 2)
    one, best = (count_seeds({"": item}, "below", 2.0).count for item in (difference, chosen))
    assert best > one


@pytest.mark.parametrize(
    "difference",
    [
        Difference(1.0, 0.5, 4.0),  # the variances of the groups are unknown
        Difference(math.nan, math.nan, math.nan, (math.nan, math.nan)),
    ],
)
def test_unknown_spread_gives_no_number(difference):
    known = welch_difference([1.0, 3.0], [0.5, 2.5])
    assert count_seeds({32: known, 56: difference}, "below", 2.0) is None


@pytest.mark.parametrize("margin", [0.5, 0.501])
def test_difference_at_the_margin_needs_too_many(margin):
    difference = welch_difference([1.0, 3.0], [0.5, 2.5])
    seeds = count_seeds({56: difference}, "above", margin)
    assert seeds.count is None
    assert (
        "more than 1,000 seeds per network, because the difference is so close" in seeds.describe()
    )
    assert (
        "more than 1,000 seeds per network, because the difference is so close"
        in seeds.write_sentence()
    )


def test_settled_decision_needs_no_number():
    clear = {56: welch_difference([50.0, 51.0, 52.0], [1.0, 2.0, 1.5])}
    decision = decide(clear, "above", 2.0)
    assert count_seeds_if_open(decision, clear, "above", 2.0) is None


def test_text_names_probability_and_assumption():
    seeds = SeedsNeeded(12)
    assert seeds.describe() == (
        "about 12 seeds per network (80 % probability, if means and spread over seeds are as"
        " measured)"
    )
    assert seeds.write_sentence() == (
        "About 12 seeds per network would settle it with 80 % probability, if means and spread"
        " over seeds are as measured."
    )


@pytest.mark.parametrize(
    ("mean", "low", "high"), [(7.0, 6.5, 7.5), (7.0, -math.inf, 7.5), (7.0, 7.5, math.inf)]
)
def test_number_for_an_interval_decides_in_simulation(mean, low, high):
    count = count_seeds_within(mean, 0.64, low, high).count
    draws = np.random.default_rng(0).normal(mean, 0.8, (DRAWS, count))
    decided = 0
    for values in draws:
        estimate = mean_estimate(values.tolist())
        within = low <= estimate.low and estimate.high <= high
        decided += within or estimate.low > high or estimate.high < low
    assert 0.74 <= decided / DRAWS <= 0.93


NOISY = {20: [1.0, 6.0, 3.0], 56: [3.0, 12.0, 9.0]}
CALM = {20: [1.0, 1.2, 1.1], 56: [1.0, 1.1, 1.2]}


def test_open_claims_have_a_number_and_settled_ones_none(build_frame):
    claims = judge_by_name(build_frame({"plain": NOISY, "residual": CALM}))
    numbers = {
        name: claim.seeds_needed and claim.seeds_needed.count for name, claim in claims.items()
    }
    assert claims["degradation"].verdict is Verdict.INCONCLUSIVE
    assert numbers["degradation"] == 25
    assert numbers["no degradation"] is None
    assert numbers["the fix"] == 7


def test_untrained_and_missing_networks_have_no_number(build_frame):
    """More seeds would not settle these claims."""
    frame = build_frame(
        {"plain": {20: [1.0], 56: [5.0]}, "residual": {20: [89.0, 89.9], 56: [80.0, 60.0]}}
    )
    assert [claim.seeds_needed for claim in judge(frame.runs, 2.0)] == [None] * 3


def test_trend_that_leaves_a_claim_open_has_no_number(build_frame):
    frame = build_frame(
        {"plain": {20: [1.0, 1.1], 32: [60.0, 61.0], 44: [0.5, 0.6], 56: [5.0, 5.1]}}
    )
    claim = judge_by_name(frame)["degradation"]
    assert (claim.verdict, claim.seeds_needed) == (Verdict.INCONCLUSIVE, None)


def test_plan_has_a_line_for_each_testable_claim():
    depths = {"plain": {20, 56}, "residual": {20, 32, 56}}
    header, degradation, no_degradation, fix = plan_seeds(depths, 2.0, spread=3.0, effect=5.0)
    assert "standard deviation of 3 points (margin: 2 points)" in header
    assert degradation == "  degradation: 14, if plain-56 minus plain-20 is 5 points"
    assert no_degradation.endswith("if all 3 depths have the same error in residual networks")
    assert fix == "  the fix: 14, if plain-56 minus residual-56 is 5 points"
    assert "more than 1,000" in plan_seeds(depths, 2.0, spread=3.0, effect=2.01)[1]
    assert plan_seeds({"plain": {20}}, 2.0, 3.0, 5.0) == [
        "seeds: none of the three main claims can be tested with these networks"
    ]
