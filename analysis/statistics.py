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
    """A difference of means with its standard error and Student's degrees of freedom; every bound follows from these.

    Each of `lower` and `upper` alone has 95 %; `low` to `high` has 95 %. Where the error is 0 all bounds are the mean.
    """

    mean: float
    error: float
    freedom: float

    def lower_at(self, level: float) -> float:
        """The one-sided lower bound of this confidence level."""
        return self.mean - self._half_width(level)

    def upper_at(self, level: float) -> float:
        """The one-sided upper bound of this confidence level."""
        return self.mean + self._half_width(level)

    @property
    def lower(self) -> float:
        return self.lower_at(LEVEL)

    @property
    def upper(self) -> float:
        return self.upper_at(LEVEL)

    @property
    def low(self) -> float:
        return self.lower_at((1 + LEVEL) / 2)

    @property
    def high(self) -> float:
        return self.upper_at((1 + LEVEL) / 2)

    def p_above(self, margin: float) -> float:
        """One-sided p of "at most the margin": small where the difference is clearly above it."""
        distance = self.mean - margin
        if self.error == 0:
            return float(distance <= 0)
        return float(stats.t.sf(distance / self.error, self.freedom))

    def p_below(self, margin: float) -> float:
        """One-sided p of "at least the margin": small where the difference is clearly below it."""
        return Difference(-self.mean, self.error, self.freedom).p_above(-margin)

    def _half_width(self, level: float) -> float:
        return float(stats.t.ppf(level, self.freedom)) * self.error if self.error else 0.0


def student(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean and two-sided t interval over runs."""
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(np.mean(array))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * np.std(array, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def welch(a: Sequence[float], b: Sequence[float]) -> Difference:
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
        return Difference(mean, 0.0, float(len(x) + len(y) - 2))
    freedom = (share_x + share_y) ** 2 / (share_x**2 / (len(x) - 1) + share_y**2 / (len(y) - 1))
    return Difference(mean, error, float(freedom))


def paired(a: Sequence[float], b: Sequence[float]) -> Difference:
    """mean(a - b) with Student's bounds, for two measurements of each run, two or more runs."""
    return one_mean((np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).tolist())


def one_mean(values: Sequence[float]) -> Difference:
    """The mean of two or more runs with Student's bounds: its difference from 0."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        raise ValueError("Student's bounds need two runs")
    error = float(array.std(ddof=1) / np.sqrt(len(array)))
    return Difference(float(array.mean()), error, float(len(array) - 1))


def simultaneous(count: int) -> float:
    """The level of each of `count` one-sided bounds that together hold with 95 % (Bonferroni; Holm's first step)."""
    return 1 - (1 - LEVEL) / max(count, 1)


def holm(p_values: Sequence[float]) -> list[bool]:
    """Which of these hypotheses Holm 1979 rejects: in 95 % of the cases none that is true. A p that is NaN never is."""
    known = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    rejected = [False] * len(known)
    for rank, index in enumerate(np.argsort(known, kind="stable")):
        if not known[index] < (1 - LEVEL) / (len(known) - rank):
            break
        rejected[int(index)] = True
    return rejected


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
