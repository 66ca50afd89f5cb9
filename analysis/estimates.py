"""Estimated differences with confidence bounds at any level, and intervals of a mean.

These are what `analysis.statistics` computes from runs. A claim is decided by the bounds of an
`Estimate`, without knowing how they were computed.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy import stats

# confidence level of every bound and interval, unless a caller requests another level
CONFIDENCE = 0.95


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
        variances: for each group, its squared coefficient times its variance, or empty if they are
            unknown. With n runs in each group, the squared standard error is their sum over n.
    """

    method = "Welch"

    standard_error: float
    degrees_of_freedom: float
    variances: tuple[float, ...] = ()

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
        return replace(self, mean=-self.mean)

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
