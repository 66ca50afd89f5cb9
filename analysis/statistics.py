"""Intervals and tests on a handful of seeded runs. Errors are in percent, differences in points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
PERMUTATIONS = 9999


@dataclass(frozen=True)
class Interval:
    """Student's t interval of a mean over n runs; low and high are NaN for one run."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Difference:
    """A difference of means with its bounds: each of `lower` and `upper` alone has 95 %; `low` to `high` has 95 %."""

    mean: float
    lower: float
    upper: float
    low: float
    high: float


def student(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean and two-sided t interval over runs."""
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(np.mean(array))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * np.std(array, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def welch(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> Difference:
    """mean(a) - mean(b), unequal variances, two or more runs each.

    Where neither varies at all (both at zero error, say) the bounds are the difference itself.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(len(x), len(y)) < 2:
        raise ValueError("Welch's bounds need two runs on each side")
    mean = float(x.mean() - y.mean())
    share_x, share_y = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    error = float(np.sqrt(share_x + share_y))
    if error == 0:
        return Difference(mean, mean, mean, mean, mean)
    freedom = (share_x + share_y) ** 2 / (share_x**2 / (len(x) - 1) + share_y**2 / (len(y) - 1))
    return _difference(mean, error, float(freedom), level)


def paired(a: Sequence[float], b: Sequence[float], level: float = LEVEL) -> Difference:
    """mean(a - b) with Student's bounds, for two measurements of each run, two or more runs."""
    return one_mean((np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).tolist(), level)


def one_mean(values: Sequence[float], level: float = LEVEL) -> Difference:
    """The mean of two or more runs with Student's bounds: its difference from 0."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        raise ValueError("Student's bounds need two runs")
    error = float(array.std(ddof=1) / np.sqrt(len(array)))
    return _difference(float(array.mean()), error, len(array) - 1, level)


def _difference(mean: float, error: float, freedom: float, level: float) -> Difference:
    one_sided = float(stats.t.ppf(level, freedom)) * error
    two_sided = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return Difference(mean, mean - one_sided, mean + one_sided, mean - two_sided, mean + two_sided)


def rising_trend(depths: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Jonckheere-Terpstra: does the error rise with depth? Returns Kendall's tau-b and the one-sided p by permutation.

    Runs are exchanged freely, since a seed is not a block across depths. The generator is seeded.
    """
    x, y = np.asarray(depths, dtype=float), np.asarray(values, dtype=float)
    groups, group = np.unique(x, return_inverse=True)
    ranks, rank = np.unique(y, return_inverse=True)

    def concordance(order: np.ndarray) -> int:
        """Pairs that rise with depth minus pairs that fall: from a table of counts, since the pairs are too many."""
        cells = group * len(ranks) + rank[order]
        counts = np.bincount(cells, minlength=len(groups) * len(ranks)).reshape(len(groups), len(ranks))
        shallower = counts.cumsum(axis=0) - counts
        up_to = shallower.cumsum(axis=1)
        lower, higher = up_to - shallower, up_to[:, -1:] - up_to
        return int((counts * (lower - higher)).sum())

    generator = np.random.default_rng(0)
    observed = concordance(np.arange(len(x)))
    as_high = sum(concordance(generator.permutation(len(x))) >= observed for _ in range(PERMUTATIONS))
    return float(stats.kendalltau(x, y).statistic), (1 + as_high) / (1 + PERMUTATIONS)
