"""Intervals and tests on a handful of seeded runs. Errors are in percent, differences in points.

Welch's bounds and the free permutation take runs as independent. Runs of one seed share the order of the data, the
augmentation and the initialisation across families, so their errors, if they are related, rise and fall together. A
difference then varies less than Welch's error says, and both are conservative: they err to the side of no verdict.

`resolution` is the step in which the values move: an error over N images moves in steps of 100 / N. Values that are
equal on that scale are not known better than to it, so each group's variance is at least that of a uniform rounding
error, resolution^2 / 12. It is 0 where the step is not known, which bounds nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import stats

LEVEL = 0.95
PERMUTATIONS = 9999
CELLS_AT_ONCE = 200_000  # of the tables that permutations are counted in: a few megabytes


@dataclass(frozen=True)
class Interval:
    """Student's t interval of a mean over n runs; low and high are NaN for one run."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Bounds(ABC):
    """A difference that is known by bounds at any level.

    Each of `lower` and `upper` alone has 95 %; `low` to `high` has 95 %.
    """

    method: ClassVar[str]  # whose bounds they are

    mean: float

    @abstractmethod
    def lower_at(self, level: float) -> float:
        """The one-sided lower bound of this confidence level."""

    @abstractmethod
    def upper_at(self, level: float) -> float:
        """The one-sided upper bound of this confidence level."""

    @abstractmethod
    def p_above(self, margin: float) -> float:
        """One-sided p of "at most the margin": small where the difference is clearly above it."""

    @abstractmethod
    def p_below(self, margin: float) -> float:
        """One-sided p of "at least the margin": small where the difference is clearly below it."""

    @abstractmethod
    def mirrored(self) -> "Bounds":
        """The same difference, taken the other way round."""

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


@dataclass(frozen=True)
class Difference(Bounds):
    """A difference of means with its standard error and Student's degrees of freedom; every bound follows from these.

    Where the error is 0 all bounds are the mean.
    """

    method = "Welch"

    error: float
    freedom: float

    def lower_at(self, level: float) -> float:
        return self.mean - self._half_width(level)

    def upper_at(self, level: float) -> float:
        return self.mean + self._half_width(level)

    def p_above(self, margin: float) -> float:
        distance = self.mean - margin
        if self.error == 0:
            return float(distance <= 0)
        return float(stats.t.sf(distance / self.error, self.freedom))

    def p_below(self, margin: float) -> float:
        return self.mirrored().p_above(-margin)

    def mirrored(self) -> "Difference":
        return Difference(-self.mean, self.error, self.freedom)

    def _half_width(self, level: float) -> float:
        return float(stats.t.ppf(level, self.freedom)) * self.error if self.error else 0.0


@dataclass(frozen=True)
class DifferenceOfLeast(Bounds):
    """The least of k means minus the least of m others, where the same values also say which one is the least.

    The bounds pay for that choice. "The least of a is below the least of b by the margin" holds if some mean of a is so
    far below every mean of b. One a out of k is chosen, which Bonferroni's k pays for; that it holds for every b is
    asked of each at the whole level (intersection-union). The other side is the mirror image.
    """

    method = "Welch, with the choice of the best paid for"

    pairs: tuple[tuple[Difference, ...], ...]  # k rows of m: each mean of a minus each of b

    def lower_at(self, level: float) -> float:
        return -self.mirrored().upper_at(level)

    def upper_at(self, level: float) -> float:
        each = 1 - (1 - level) / len(self.pairs)
        return float(np.min([np.max([pair.upper_at(each) for pair in row]) for row in self.pairs]))

    def p_above(self, margin: float) -> float:
        return self.mirrored().p_below(-margin)

    def p_below(self, margin: float) -> float:
        p = np.min([np.max([pair.p_below(margin) for pair in row]) for row in self.pairs])
        return min(1.0, len(self.pairs) * float(p))

    def mirrored(self) -> "DifferenceOfLeast":
        pairs = tuple(
            tuple(pair.mirrored() for pair in column) for column in zip(*self.pairs, strict=True)
        )
        return DifferenceOfLeast(-self.mean, pairs)


def student(values: Sequence[float], level: float = LEVEL, resolution: float = 0.0) -> Interval:
    """Mean and two-sided t interval over runs, as wide as the values' resolution asks for."""
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(np.mean(array))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * np.sqrt(_variance(array, resolution) / n))
    return Interval(mean, mean - half, mean + half, n)


def welch(a: Sequence[float], b: Sequence[float], resolution: float = 0.0) -> Difference:
    """mean(a) - mean(b), unequal variances, two or more runs each.

    Where neither varies and no resolution is known, the bounds are the difference itself.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if min(len(x), len(y)) < 2:
        raise ValueError("Welch's bounds need two runs on each side")
    mean = float(x.mean() - y.mean())
    share_x, share_y = _variance(x, resolution) / len(x), _variance(y, resolution) / len(y)
    error = float(np.sqrt(share_x + share_y))
    if error == 0:
        return Difference(mean, 0.0, float(len(x) + len(y) - 2))
    freedom = (share_x + share_y) ** 2 / (share_x**2 / (len(x) - 1) + share_y**2 / (len(y) - 1))
    return Difference(mean, error, freedom)


def least_of(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], resolution: float = 0.0
) -> DifferenceOfLeast:
    """The least mean of the groups of a minus the least of those of b; two or more values in each group."""
    pairs = tuple(tuple(welch(x, y, resolution) for y in b) for x in a)
    mean = np.min([np.mean(x) for x in a]) - np.min([np.mean(y) for y in b])
    return DifferenceOfLeast(float(mean), pairs)


def paired(a: Sequence[float], b: Sequence[float], resolution: float = 0.0) -> Difference:
    """mean(a - b) with Student's bounds, for two measurements of each run, two or more runs.

    Both measurements have the resolution, so the variance of a - b is at least twice that of one rounding error.
    """
    differences = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    return one_mean(differences.tolist(), resolution * float(np.sqrt(2)))


def one_mean(values: Sequence[float], resolution: float = 0.0) -> Difference:
    """The mean of two or more runs with Student's bounds: its difference from 0."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        raise ValueError("Student's bounds need two runs")
    error = float(np.sqrt(_variance(array, resolution) / len(array)))
    return Difference(float(array.mean()), error, float(len(array) - 1))


def _variance(values: np.ndarray, resolution: float) -> float:
    """The sample variance, at least that of a uniform rounding error; NaN where a value is."""
    return float(np.maximum(values.var(ddof=1), resolution**2 / 12))


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

    Runs are exchanged freely, as if a seed were no block across depths; where runs of one seed rise and fall together,
    the p is too large rather than too small. The generator is seeded.
    """
    x, y = np.asarray(depths, dtype=float), np.asarray(values, dtype=float)
    groups, group = np.unique(x, return_inverse=True)
    ranks, rank = np.unique(y, return_inverse=True)

    cells = len(groups) * len(ranks)

    def concordances(orders: np.ndarray) -> np.ndarray:
        """Pairs that rise with depth minus pairs that fall, for each order of the values.

        int (orders, runs) -> int (orders,). From a table of counts for each order, since the pairs are too many.
        """
        table = np.arange(len(orders))[:, None] * cells
        places = (table + group * len(ranks) + rank[orders]).ravel()
        counts = np.bincount(places, minlength=len(orders) * cells).reshape(
            -1, len(groups), len(ranks)
        )
        shallower = counts.cumsum(axis=1) - counts
        up_to = shallower.cumsum(axis=2)
        lower, higher = up_to - shallower, up_to[:, :, -1:] - up_to
        return np.asarray((counts * (lower - higher)).sum(axis=(1, 2)))

    generator = np.random.default_rng(0)
    observed = concordances(np.arange(len(x))[None])[0]
    at_once = max(1, CELLS_AT_ONCE // cells)
    as_high = 0
    for start in range(0, PERMUTATIONS, at_once):
        count = min(at_once, PERMUTATIONS - start)
        orders = np.stack([generator.permutation(len(x)) for _ in range(count)])
        as_high += int((concordances(orders) >= observed).sum())
    return float(stats.kendalltau(x, y).statistic), (1 + as_high) / (1 + PERMUTATIONS)
