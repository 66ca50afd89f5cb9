"""Confidence intervals and corrected p-values for a handful of seeded runs.

The functions know nothing about networks: they take the values of independent runs and return
intervals, differences with bounds, and p-values. The docstrings speak of errors in percent and
differences in points, which is what the claims pass.

Assumptions:
    Runs are independent and roughly normal. Runs of one seed share the order of the data, the
    augmentation and the initialisation across families. If their errors are related at all, they
    rise and fall together; a difference then varies less than Welch's standard error says, and
    Welch's bounds are conservative: they err towards no verdict.

Resolution:
    `resolution` is the smallest amount by which a value can change, such as 100 / N for an error
    over N images. A value is known no more exactly than that, so the variance of each group is at
    least that of a uniform rounding error, resolution^2 / 12. If the resolution is unknown, it is 0
    and has no effect.

References:
    Student 1908, The probable error of a mean. Welch 1947, The generalization of Student's problem
    when several different population variances are involved (with the degrees of freedom of
    Satterthwaite 1946). Holm 1979, A simple sequentially rejective multiple test procedure. Berger
    1982, Multiparameter hypothesis testing and acceptance sampling (intersection-union tests).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = (
    0.95  # confidence level of every bound and interval, unless a caller requests another level
)


@dataclass(frozen=True)
class Interval:
    """Student's two-sided t interval of a mean over n runs.

    `low` and `high` are NaN if n is 1.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Estimate(ABC):
    """An estimated difference with confidence bounds at any level.

    `lower` and `upper` are one-sided 95 % bounds: each alone holds with 95 % confidence. `low` and
    `high` are the ends of the two-sided 95 % interval: both hold jointly with 95 % confidence.
    """

    method: ClassVar[str]  # names the bounds in a report

    mean: float

    @abstractmethod
    def lower_at(self, level: float) -> float:
        """Return the one-sided lower bound at this confidence level (0.5 to 1)."""

    @abstractmethod
    def upper_at(self, level: float) -> float:
        """Return the one-sided upper bound at this confidence level (0.5 to 1)."""

    @abstractmethod
    def p_above(self, margin: float) -> float:
        """Return the one-sided p-value of the hypothesis that the difference is at most `margin`.

        It is small if the difference is clearly above the margin.
        """

    @abstractmethod
    def p_below(self, margin: float) -> float:
        """Return the one-sided p-value of the hypothesis that the difference is at least `margin`.

        It is small if the difference is clearly below the margin.
        """

    @abstractmethod
    def __neg__(self) -> "Estimate":
        """Return the difference taken the other way round: b minus a instead of a minus b."""

    @property
    def lower(self) -> float:
        return self.lower_at(CONFIDENCE)

    @property
    def upper(self) -> float:
        return self.upper_at(CONFIDENCE)

    @property
    def low(self) -> float:
        return self.lower_at((1 + CONFIDENCE) / 2)

    @property
    def high(self) -> float:
        return self.upper_at((1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Difference(Estimate):
    """A difference of means whose error follows Student's t distribution.

    Attributes:
        mean: the difference of the means.
        standard_error: the standard error of that difference. If it is 0, every bound equals the
            mean.
        degrees_of_freedom: those of Student's t; need not be an integer.
    """

    method = "Welch"

    standard_error: float
    degrees_of_freedom: float

    def lower_at(self, level: float) -> float:
        return self.mean - self._half_width(level)

    def upper_at(self, level: float) -> float:
        return self.mean + self._half_width(level)

    def p_above(self, margin: float) -> float:
        distance = self.mean - margin
        if self.standard_error == 0:
            return float(distance <= 0)
        return float(stats.t.sf(distance / self.standard_error, self.degrees_of_freedom))

    def p_below(self, margin: float) -> float:
        return (-self).p_above(-margin)

    def __neg__(self) -> "Difference":
        return Difference(-self.mean, self.standard_error, self.degrees_of_freedom)

    def _half_width(self, level: float) -> float:
        if self.standard_error == 0:
            return 0.0
        return float(stats.t.ppf(level, self.degrees_of_freedom)) * self.standard_error


@dataclass(frozen=True)
class DifferenceOfMinima(Estimate):
    """The smallest of k means minus the smallest of m others.

    The same values also show which mean is the smallest, so the bounds must allow for that choice;
    the difference of the two smallest sample means alone would be biased.

    Upper bound: "the minimum of a is below the minimum of b by the margin" holds if some mean of a
    is that far below every mean of b. One of k means is chosen, so each gets the level of
    Bonferroni's correction for k. The statement about every mean of b needs no correction, since
    all of its parts must hold (intersection-union test). The lower bound is the mirror image, with
    a correction for m.

    Attributes:
        pairs: k rows of m differences: each mean of a minus each mean of b.
    """

    method = "Welch, corrected for the choice of the best"

    pairs: tuple[tuple[Difference, ...], ...]

    def lower_at(self, level: float) -> float:
        return -(-self).upper_at(level)

    def upper_at(self, level: float) -> float:
        corrected = 1 - (1 - level) / len(self.pairs)
        largest = [np.max([pair.upper_at(corrected) for pair in row]) for row in self.pairs]
        return float(np.min(largest))

    def p_above(self, margin: float) -> float:
        return (-self).p_below(-margin)

    def p_below(self, margin: float) -> float:
        largest = [np.max([pair.p_below(margin) for pair in row]) for row in self.pairs]
        return min(1.0, len(self.pairs) * float(np.min(largest)))

    def __neg__(self) -> "DifferenceOfMinima":
        columns = zip(*self.pairs, strict=True)
        pairs = tuple(tuple(-pair for pair in column) for column in columns)
        return DifferenceOfMinima(-self.mean, pairs)


def student_interval(
    values: Sequence[float], level: float = CONFIDENCE, resolution: float = 0.0
) -> Interval:
    """Return the mean of n runs with Student's two-sided t interval.

    Args:
        values: one value per run, shape (n,), n >= 1.
        level: confidence level of the interval.
        resolution: smallest amount by which a value can change.
    """
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(np.mean(array))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    quantile = stats.t.ppf((1 + level) / 2, n - 1)
    half_width = float(quantile * np.sqrt(_variance(array, resolution) / n))
    return Interval(mean, mean - half_width, mean + half_width, n)


def welch_difference(a: Sequence[float], b: Sequence[float], resolution: float = 0.0) -> Difference:
    """Return mean(a) - mean(b) by Welch's method: the variances of a and b may differ.

    The degrees of freedom are those of Welch and Satterthwaite. If neither group varies and the
    resolution is 0, the standard error is 0.

    Args:
        a: one value per run, two or more runs.
        b: the same, of the other group; the groups may differ in size.
        resolution: smallest amount by which a value can change.

    Raises:
        ValueError: a group has fewer than two runs.
    """
    return contrast_of_means([a, b], [1, -1], resolution)


def contrast_of_means(
    groups: Sequence[Sequence[float]], coefficients: Sequence[float], resolution: float = 0.0
) -> Difference:
    """Return the sum of coefficient times group mean; the groups' variances may differ.

    With the coefficients 1, -1, -1, 1 this is a difference of two differences. The degrees of
    freedom are those of Satterthwaite (1946), which are Welch's for two groups. Without any group
    the contrast is 0 and exact.

    Args:
        groups: one value per run, two or more runs in each group; runs of different groups are
            independent.
        coefficients: one per group.
        resolution: smallest amount by which a value can change.

    Raises:
        ValueError: a group has fewer than two runs.
    """
    arrays = [np.asarray(group, dtype=float) for group in groups]
    if min((len(array) for array in arrays), default=2) < 2:
        raise ValueError("Welch's bounds need two runs in each group")
    mean = 0.0
    squared_errors = []
    for array, coefficient in zip(arrays, coefficients, strict=True):
        mean += coefficient * float(array.mean())
        squared_errors.append(coefficient**2 * _variance(array, resolution) / len(array))
    return contrast_from_summaries(mean, squared_errors, [len(array) for array in arrays])


def contrast_from_summaries(
    mean: float, squared_errors: Sequence[float], counts: Sequence[int]
) -> Difference:
    """Return a contrast of means from summaries of its groups.

    Args:
        mean: the contrast of the groups' means, such as mean(a) - mean(b).
        squared_errors: for each group, its squared coefficient times its variance, over its number
            of runs.
        counts: the number of runs of each group, two or more.
    """
    squared_error = sum(squared_errors)
    freedoms = [count - 1 for count in counts]
    if squared_error == 0:
        return Difference(mean, 0.0, float(sum(freedoms)))
    # Satterthwaite
    terms = [part**2 / freedom for part, freedom in zip(squared_errors, freedoms, strict=True)]
    return Difference(mean, float(np.sqrt(squared_error)), squared_error**2 / sum(terms))


def difference_of_minima(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], resolution: float = 0.0
) -> DifferenceOfMinima:
    """Return the smallest group mean of a minus the smallest group mean of b.

    Args:
        a: k groups of runs, two or more runs in each.
        b: m groups of runs, two or more runs in each.
        resolution: smallest amount by which a value can change.

    Raises:
        ValueError: a group has fewer than two runs.
    """
    pairs = tuple(tuple(welch_difference(x, y, resolution) for y in b) for x in a)
    mean = np.min([np.mean(x) for x in a]) - np.min([np.mean(y) for y in b])
    return DifferenceOfMinima(float(mean), pairs)


def paired_difference(
    a: Sequence[float], b: Sequence[float], resolution: float = 0.0
) -> Difference:
    """Return mean(a - b) for two measurements of each run, with Student's bounds.

    Both measurements are rounded, so the variance of a - b is at least twice that of one
    rounding error.

    Args:
        a: one value per run, shape (n,), n >= 2.
        b: the other measurement of the same runs in the same order, shape (n,).
        resolution: smallest amount by which a measurement can change.

    Raises:
        ValueError: there are fewer than two runs.
    """
    differences = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    return mean_estimate(differences.tolist(), resolution * float(np.sqrt(2)))


def mean_estimate(values: Sequence[float], resolution: float = 0.0) -> Difference:
    """Return the mean of n >= 2 runs with Student's bounds, as a difference from 0.

    Raises:
        ValueError: there are fewer than two runs.
    """
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        raise ValueError("Student's bounds need two runs")
    standard_error = float(np.sqrt(_variance(array, resolution) / len(array)))
    return Difference(float(array.mean()), standard_error, float(len(array) - 1))


def _variance(values: NDArray[np.float64], resolution: float) -> float:
    """Return the sample variance, at least that of a uniform rounding error. NaN stays NaN."""
    return float(np.maximum(values.var(ddof=1), resolution**2 / 12))


def bonferroni_level(count: int) -> float:
    """Return the level at which `count` one-sided bounds hold jointly with 95 % confidence.

    This is Bonferroni's correction, and the first step of Holm's procedure.
    """
    return 1 - (1 - CONFIDENCE) / max(count, 1)


def holm_rejections(p_values: Sequence[float]) -> list[bool]:
    """Return which hypotheses Holm's step-down procedure rejects at a family-wise level of 5 %.

    No true hypothesis is rejected with a probability of 95 % or more, however the p-values depend
    on each other. A p-value that is NaN is never rejected.

    Args:
        p_values: one per hypothesis, in any order; the result has the same order.
    """
    array = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    rejected = [False] * len(array)
    for rank, index in enumerate(np.argsort(array, kind="stable")):
        if not array[index] < (1 - CONFIDENCE) / (len(array) - rank):
            break
        rejected[int(index)] = True
    return rejected
