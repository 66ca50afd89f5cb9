"""The trend test against enumeration, its definition and simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.trend import fewer_permutations, increasing_trend
from tests.support.correlated_runs import draw_correlated


def test_trend_p_matches_enumeration():
    depths, values = [20, 20, 32, 32, 44], [1.0, 2.0, 1.5, 3.0, 2.5]
    x = np.array(depths)

    def concordance(y):
        return sum(
            np.sign(x[j] - x[i]) * np.sign(y[j] - y[i]) for i in range(5) for j in range(i + 1, 5)
        )

    orders = [concordance(order) for order in itertools.permutations(values)]
    exact = np.mean([order >= concordance(values) for order in orders])
    tau, p = increasing_trend(depths, values)
    assert p == pytest.approx(exact, abs=0.015)
    assert tau == pytest.approx(stats.kendalltau(depths, values).statistic)


def test_trend_p_is_deterministic_and_one_sided():
    depths = [d for d in (20, 32, 44, 56) for _ in range(3)]
    rising = increasing_trend(depths, range(12))
    assert rising == increasing_trend(depths, range(12))
    assert rising[1] < 0.001
    assert increasing_trend(depths, range(12, 0, -1))[1] > 0.99


@pytest.mark.parametrize("seed", range(6))
def test_trend_counts_pairs_with_ties(seed):
    """The p-value is that of the definition, a sum over all pairs of runs."""
    data = np.random.default_rng(seed)
    x, y = data.integers(1, 5, 14) * 12, data.integers(0, 8, 14) / 2
    pairs = list(itertools.combinations(range(14), 2))
    generator = np.random.default_rng(0)

    def concordance(order):
        return sum(np.sign(x[j] - x[i]) * np.sign(y[order[j]] - y[order[i]]) for i, j in pairs)

    at_least_observed = sum(
        concordance(generator.permutation(14)) >= concordance(range(14)) for _ in range(300)
    )
    with fewer_permutations(300):
        assert increasing_trend(x, y)[1] == (1 + at_least_observed) / 301


@pytest.mark.slow
def test_trend_is_conservative_if_seeds_correlate():
    generator = np.random.default_rng(0)
    depths = np.repeat([20, 32, 44, 56], 3)
    with fewer_permutations(199):
        p = [
            increasing_trend(depths, np.concatenate(draw_correlated(generator, 0.8, groups=4)))[1]
            for _ in range(300)
        ]
    assert np.mean(np.array(p) <= 0.05) < 0.03
