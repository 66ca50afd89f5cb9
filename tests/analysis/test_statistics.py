"""Intervals and tests against scipy, printed tables and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.estimates import Difference
from analysis.statistics import (
    contrast_of_means,
    difference_of_minima,
    mean_estimate,
    paired_difference,
    student_interval,
    welch_difference,
)
from tests.support.correlated_runs import draw_correlated

RESOLUTION = 1 / 15  # points: the resolution of an error over 1,500 images
ROUNDING = RESOLUTION / math.sqrt(12)  # the standard deviation of a uniform rounding error
A, B = [52.0, 47.5, 56.5, 50.0], [1.6, 1.3, 2.1, 1.9]


def test_student_interval_matches_the_table():
    interval = student_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(
        4.302653 / math.sqrt(3), rel=1e-6
    )  # t(0.975, 2 degrees of freedom)
    assert math.isnan(student_interval([1.0]).low)


def test_welch_bounds_match_scipy():
    difference = welch_difference(A, B)
    two = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    lower = (
        stats.ttest_ind(A, B, equal_var=False, alternative="greater").confidence_interval(0.95).low
    )
    upper = (
        stats.ttest_ind(A, B, equal_var=False, alternative="less").confidence_interval(0.95).high
    )
    assert (difference.low, difference.high) == pytest.approx((two.low, two.high))
    assert (difference.lower, difference.upper) == pytest.approx((lower, upper))
    assert difference.mean == pytest.approx(np.mean(A) - np.mean(B))


# Four groups of three runs with variances 1, 4, 9 and 0.25.
FOUR_GROUPS = [[4.0, 5.0, 6.0], [1.0, 3.0, 5.0], [0.0, 3.0, 6.0], [0.5, 1.0, 1.5]]


def test_contrast_of_four_means_matches_the_formula():
    contrast = contrast_of_means(FOUR_GROUPS, [1, -1, -2, 1])
    parts = [1 / 3, 4 / 3, 4 * 9 / 3, 0.25 / 3]
    freedom = sum(parts) ** 2 / sum(part**2 / 2 for part in parts)
    assert contrast.mean == pytest.approx(5 - 3 - 2 * 3 + 1)
    assert contrast.standard_error == pytest.approx(math.sqrt(sum(parts)))
    assert contrast.degrees_of_freedom == pytest.approx(freedom)


def test_contrast_is_as_wide_as_documented():
    """docs/verdicts.md: four groups of three runs with a standard deviation of 1."""
    contrast = contrast_of_means([[-1.0, 0.0, 1.0]] * 4, [1, -1, -1, 1])
    assert contrast.upper == pytest.approx(2.147, abs=1e-3)


def test_contrast_of_two_means_matches_scipy():
    contrast = contrast_of_means([A, B], [1, -1])
    expected = stats.ttest_ind(A, B, equal_var=False)
    assert contrast.degrees_of_freedom == pytest.approx(expected.df)
    assert contrast.mean / contrast.standard_error == pytest.approx(expected.statistic)


def test_unequal_numbers_of_runs_have_the_freedom_of_the_smallest():
    difference = welch_difference([1.0, 2.0], [3.0, 3.1, 2.9, 3.2, 2.8])
    assert difference.degrees_of_freedom == 1


@pytest.mark.parametrize(("few", "many"), [(2, 12), (3, 12), (2, 5)])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_bounds_of_unequal_numbers_of_runs_hold(few, many, ratio):
    """In 2,000 trials; Satterthwaite's degrees of freedom miss in up to 8 % of them."""
    generator = np.random.default_rng(0)
    trials = 2000
    misses = 0
    for _ in range(trials):
        few_runs = generator.normal(0.0, ratio, few)
        many_runs = generator.normal(0.0, 1.0, many)
        misses += welch_difference(few_runs.tolist(), many_runs.tolist()).lower > 0
    assert misses / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_contrast_honours_the_resolution():
    contrast = contrast_of_means([[2.0, 2.0]] * 4, [1, -1, -1, 1], RESOLUTION)
    assert contrast.standard_error == pytest.approx(math.sqrt(4 * ROUNDING**2 / 2))
    assert contrast.degrees_of_freedom == pytest.approx(4)
    assert contrast_of_means([[2.0, 2.0]] * 4, [1, -1, -1, 1]).standard_error == 0


def test_contrast_of_no_groups_is_exactly_zero():
    contrast = contrast_of_means([], [])
    assert (contrast.mean, contrast.lower, contrast.upper) == (0, 0, 0)


def test_contrast_needs_two_runs_in_each_group():
    with pytest.raises(ValueError, match="two runs in each group"):
        contrast_of_means([A, B, [1.0]], [1, -1, 1])


@pytest.mark.parametrize("spreads", [(1, 1, 1, 1), (0.1, 3, 0.1, 0.1), (0.2, 2, 0.2, 4)])
def test_bound_of_a_contrast_covers_in_95_percent(spreads):
    """The contrast is 0; its lower bound is above 0 in at most 5 % of trials, but for noise."""
    generator = np.random.default_rng(17)
    trials = 2000
    misses = 0
    for _ in range(trials):
        groups = [generator.normal(0, spread, 3).tolist() for spread in spreads]
        misses += contrast_of_means(groups, [1, -1, -1, 1]).lower > 0
    assert misses / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_bounds_without_variance_are_exact():
    assert welch_difference([0.0, 0.0], [0.5, 0.5]).upper == -0.5


def test_p_values_at_a_margin_match_scipy():
    difference = welch_difference(A, B)
    shifted = np.array(A) - 3.5
    above = stats.ttest_ind(shifted, B, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(shifted, B, equal_var=False, alternative="less").pvalue
    assert (difference.p_above(3.5), difference.p_below(3.5)) == pytest.approx((above, below))


def test_p_is_5_percent_if_the_bound_is_the_margin():
    difference = welch_difference(A, B)
    assert difference.p_above(difference.lower) == pytest.approx(0.05)
    assert difference.p_below(difference.upper) == pytest.approx(0.05)


def test_p_without_variance_is_0_or_1():
    exact = Difference(0.5, 0.0, 4.0)
    assert (exact.p_above(0.4), exact.p_above(0.5), exact.p_below(0.5), exact.p_below(0.6)) == (
        0,
        1,
        1,
        0,
    )


def test_one_run_has_no_welch_bounds():
    with pytest.raises(ValueError, match="two runs"):
        welch_difference([1.0], B)


def test_lower_bound_has_nominal_coverage():
    """A one-sided 95 % bound lies above the truth in about 5 % of the simulated samples."""
    generator = np.random.default_rng(0)
    above = sum(
        welch_difference(generator.normal(2, 1, 3), generator.normal(0, 0.3, 3)).lower > 2
        for _ in range(4000)
    )
    assert 0.03 < above / 4000 < 0.07


def test_equal_values_keep_rounding_variance():
    """With three runs on each side, t(0.95, 4 degrees of freedom) = 2.131847."""
    difference = welch_difference([0.2] * 3, [0.0] * 3, RESOLUTION)
    assert difference.upper - 0.2 == pytest.approx(2.131847 * ROUNDING * math.sqrt(2 / 3), rel=1e-6)
    assert difference.lower == pytest.approx(0.4 - difference.upper)
    assert welch_difference([0.25] * 3, [0.0] * 3).upper == 0.25


def test_each_group_has_its_own_minimum_variance():
    spread = welch_difference(A, [1.0] * 4, RESOLUTION)
    assert spread.standard_error == pytest.approx(
        math.sqrt(np.var(A, ddof=1) / 4 + ROUNDING**2 / 4)
    )


def test_resolution_below_the_spread_has_no_effect():
    assert welch_difference(A, B, RESOLUTION) == welch_difference(A, B)
    assert student_interval(A, resolution=RESOLUTION) == student_interval(A)
    assert paired_difference(A, B, RESOLUTION) == paired_difference(A, B)


def test_student_interval_includes_rounding_error():
    interval = student_interval([0.0, 0.0, 0.0], resolution=RESOLUTION)
    assert (interval.low, interval.high) == pytest.approx(
        (-4.302653 * ROUNDING / 3**0.5, 4.302653 * ROUNDING / 3**0.5)
    )
    estimate = mean_estimate([0.0, 0.0, 0.0], RESOLUTION)
    assert estimate.standard_error == pytest.approx(ROUNDING / 3**0.5)


def test_paired_difference_has_two_rounding_errors():
    assert paired_difference([1.0, 2.0], [0.0, 1.0], RESOLUTION).standard_error == pytest.approx(
        RESOLUTION / math.sqrt(6) / math.sqrt(2)
    )
    assert paired_difference([1.0, 2.0], [0.0, 1.0]).standard_error == 0


@pytest.mark.parametrize("correlation", [0.5, pytest.param(0.9, marks=pytest.mark.slow)])
def test_welch_is_conservative_if_seeds_correlate(correlation):
    generator = np.random.default_rng(0)
    welch_errors, paired_errors = [], []
    for _ in range(3000):
        a, b = draw_correlated(generator, correlation)
        welch, by_seed = welch_difference(a, b), paired_difference(a, b)
        welch_errors.append((welch.lower > 0, welch.upper < 0))
        paired_errors.append((by_seed.lower > 0, by_seed.upper < 0))
    assert np.mean(welch_errors, axis=0).max() < {0.5: 0.025, 0.9: 0.005}[correlation]
    paired_rates = np.mean(paired_errors, axis=0)  # nominal, whatever the correlation
    assert 0.04 < paired_rates.min() <= paired_rates.max() < 0.06


def exact(mean):
    """Return two values without variance."""
    return [mean, mean]


def test_minima_without_variance_have_exact_bounds():
    difference = difference_of_minima(
        [exact(5.0), exact(3.0)], [exact(2.5), exact(1.0), exact(4.0)]
    )
    assert (difference.mean, difference.lower, difference.upper) == (2.0, 2.0, 2.0)
    assert ((-difference).lower, (-difference).mean) == (-2.0, -2.0)


def test_bounds_of_minima_correct_for_the_choice():
    """The level of a bound depends on the number of groups.

    Bounds are taken at 97.5 % for each of the two groups of a, and at 98.33 % for each of the three
    groups of b.
    """
    far, others = [x + 60 for x in A], [[x + 90 for x in B]] * 2
    difference = difference_of_minima([A, far], [B, *others])
    assert difference.upper == pytest.approx(welch_difference(A, B).upper_at(0.975))
    assert difference.lower == pytest.approx(welch_difference(A, B).lower_at(1 - 0.05 / 3))
    assert difference.mean == pytest.approx(np.mean(A) - np.mean(B))


def test_bounds_of_single_groups_are_welch_bounds():
    minima, welch = difference_of_minima([A], [B]), welch_difference(A, B)
    assert (minima.mean, minima.lower, minima.upper, minima.low, minima.high) == pytest.approx(
        (welch.mean, welch.lower, welch.upper, welch.low, welch.high)
    )


def test_p_of_minima_is_5_percent_at_their_bound():
    groups = [A, [50.0, 49.0, 55.0]], [B, [1.9, 1.2, 1.4], [3.0, 1.0, 2.0]]
    difference = difference_of_minima(*groups)
    assert difference.p_above(difference.lower) == pytest.approx(0.05)
    assert difference.p_below(difference.upper) == pytest.approx(0.05)
    assert difference.p_below(-1000) == 1.0


@pytest.mark.parametrize(
    ("deep", "deep_spread", "shallow", "shallow_spread"),
    [
        ([2, 2, 2, 2], 3.0, [0, 0, 0, 0], 0.2),
        pytest.param([2, 2, 2, 2], 0.2, [0, 0, 0, 0], 3.0, marks=pytest.mark.slow),
        pytest.param([2, 5, 5, 5], 3.0, [0, 0, 0, 0], 0.2, marks=pytest.mark.slow),
        ([2, 20, 40, 60], 3.0, [0, 10, 20, 40], 0.2),
        pytest.param([2, 2, 2, 2], 0.2, [0, 3, 3, 3], 3.0, marks=pytest.mark.slow),
    ],
)
def test_bounds_of_minima_have_nominal_coverage(deep, deep_spread, shallow, shallow_spread):
    """The true difference of the minima is 2, with three runs in each of four groups.

    Bounds that ignore the choice would be wrong in 14 % of the trials of the first case.
    """
    generator = np.random.default_rng(0)
    trials, below, above = 250, 0, 0
    for _ in range(trials):
        a = generator.normal(np.array(deep)[:, None], deep_spread, (4, 3))
        b = generator.normal(np.array(shallow)[:, None], shallow_spread, (4, 3))
        difference = difference_of_minima(a.tolist(), b.tolist())
        below += difference.p_below(2.0) < 0.05
        above += difference.p_above(2.0) < 0.05
    assert max(below, above) / trials < 0.075


def test_bounds_of_minima_keep_their_power():
    """Equal minima, a spread of 0.3 points, a margin of 2 points.

    The upper bound is below the margin in 98 % of samples with three runs, in 10 % with two.
    """
    generator = np.random.default_rng(0)
    shares = {}
    for runs in (2, 3):
        samples = [generator.normal(0, 0.3, (2, 4, runs)).tolist() for _ in range(200)]
        shares[runs] = np.mean([difference_of_minima(a, b).upper < 2.0 for a, b in samples])
    assert shares[3] > 0.9
    assert shares[2] < 0.25


def test_nan_makes_bounds_of_minima_nan():
    difference = difference_of_minima([exact(5.0), [math.nan, 3.0]], [exact(1.0)])
    assert math.isnan(difference.upper)
    assert not difference.p_below(100.0) < 0.05
    assert math.isnan(difference.lower)


def test_paired_difference_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3); t(0.95, 2) = 2.920."""
    difference = paired_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert difference.mean == 2.0
    assert difference.upper == pytest.approx(2 + 2.920 / 3**0.5, abs=1e-3)
    assert difference.lower == pytest.approx(2 - 2.920 / 3**0.5, abs=1e-3)
