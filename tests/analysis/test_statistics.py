"""Intervals and tests against scipy, tables and enumeration."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis import statistics
from analysis.statistics import Difference, holm, rising_trend, simultaneous, student, welch

A, B = [52.0, 47.5, 56.5], [1.6, 1.3, 2.1, 1.9]


def test_students_interval_is_the_textbooks():
    interval = student([1.0, 2.0, 3.0])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t(0.975, 2 degrees of freedom)
    assert math.isnan(student([1.0]).low)


def test_welchs_bounds_are_scipys():
    difference = welch(A, B)
    two = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    lower = stats.ttest_ind(A, B, equal_var=False, alternative="greater").confidence_interval(0.95).low
    upper = stats.ttest_ind(A, B, equal_var=False, alternative="less").confidence_interval(0.95).high
    assert (difference.low, difference.high) == pytest.approx((two.low, two.high))
    assert (difference.lower, difference.upper) == pytest.approx((lower, upper))
    assert difference.mean == pytest.approx(np.mean(A) - np.mean(B))


def test_runs_that_do_not_vary_have_an_exact_difference():
    assert welch([0.0, 0.0], [0.5, 0.5]).upper == -0.5


def test_p_values_are_scipys_at_a_margin():
    difference = welch(A, B)
    shifted = np.array(A) - 3.5
    above = stats.ttest_ind(shifted, B, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(shifted, B, equal_var=False, alternative="less").pvalue
    assert (difference.p_above(3.5), difference.p_below(3.5)) == pytest.approx((above, below))


def test_a_bound_at_the_margin_has_p_of_5_percent():
    difference = welch(A, B)
    assert difference.p_above(difference.lower) == pytest.approx(0.05)
    assert difference.p_below(difference.upper) == pytest.approx(0.05)


def test_without_spread_p_is_0_or_1():
    exact = Difference(0.5, 0.0, 4.0)
    assert (exact.p_above(0.4), exact.p_above(0.5), exact.p_below(0.5), exact.p_below(0.6)) == (0, 1, 1, 0)


def test_holm_steps_down_from_the_smallest_p():
    assert holm([0.012, 0.04, 0.02, 0.3]) == [True, False, False, False]  # 0.05/4, then 0.02 > 0.05/3
    assert holm([0.012, 0.04, 0.016, 0.02]) == [True, True, True, True]  # 0.05/4, /3, /2, /1
    assert holm([0.0125]) == [True]
    assert holm([0.013, 0.9, 0.9, 0.9]) == [False] * 4
    assert holm([math.nan, 0.02]) == [False, True]
    assert holm([]) == []


def test_simultaneous_bounds_are_bonferronis():
    assert simultaneous(1) == 0.95
    assert simultaneous(4) == pytest.approx(0.9875)
    one = welch(A, B)
    assert one.p_above(one.lower_at(simultaneous(4))) == pytest.approx(0.0125)


def test_one_run_has_no_bounds():
    with pytest.raises(ValueError, match="two runs"):
        welch([1.0], B)


def test_the_lower_bound_covers_as_it_says():
    """Simulated: a one-sided 95 % bound lies above the truth in about 5 % of the cases."""
    generator = np.random.default_rng(0)
    above = sum(welch(generator.normal(2, 1, 3), generator.normal(0, 0.3, 3)).lower > 2 for _ in range(4000))
    assert 0.03 < above / 4000 < 0.07


def test_the_trend_tests_p_is_that_of_enumeration():
    depths, values = [20, 20, 32, 32, 44], [1.0, 2.0, 1.5, 3.0, 2.5]
    x = np.array(depths)

    def concordance(y):
        return sum(np.sign(x[j] - x[i]) * np.sign(y[j] - y[i]) for i in range(5) for j in range(i + 1, 5))

    orders = [concordance(order) for order in itertools.permutations(values)]
    exact = np.mean([order >= concordance(values) for order in orders])
    tau, p = rising_trend(depths, values)
    assert p == pytest.approx(exact, abs=0.015)
    assert tau == pytest.approx(stats.kendalltau(depths, values).statistic)


def test_the_trend_is_the_same_in_every_call_and_one_sided():
    depths = [d for d in (20, 32, 44, 56) for _ in range(3)]
    rising = rising_trend(depths, range(12))
    assert rising == rising_trend(depths, range(12))
    assert rising[1] < 0.001
    assert rising_trend(depths, range(12, 0, -1))[1] > 0.99


@pytest.mark.parametrize("seed", range(6))
def test_the_trend_counts_every_pair_once_whatever_is_tied(monkeypatch, seed):
    """Beside the definition, a sum over all pairs, under the same permutations."""
    monkeypatch.setattr(statistics, "PERMUTATIONS", 300)
    data = np.random.default_rng(seed)
    x, y = data.integers(1, 5, 14) * 12, data.integers(0, 8, 14) / 2
    pairs = list(itertools.combinations(range(14), 2))
    generator = np.random.default_rng(0)

    def concordance(order):
        return sum(np.sign(x[j] - x[i]) * np.sign(y[order[j]] - y[order[i]]) for i, j in pairs)

    as_high = sum(concordance(generator.permutation(14)) >= concordance(range(14)) for _ in range(300))
    assert rising_trend(x, y)[1] == (1 + as_high) / 301
