"""Confidence intervals and differences of means for a handful of seeded runs.

The functions know nothing about networks: they take the values of independent runs and return
intervals and differences with bounds (`analysis.estimates`). The docstrings speak of errors in
percent and differences in points, which is what the claims pass.

Assumptions:
    Runs are independent and roughly normal. Runs of one seed share the order of the data and the
    augmentation across networks. If their errors rose and fell together, a difference would vary
    less than Welch's standard error says; in the published records they do not, on average.

Resolution:
    `resolution` is the smallest amount by which a value can change, such as 100 / N for an error
    over N images. A value is known no more exactly than that, so the variance of each group is at
    least that of a uniform rounding error, resolution^2 / 12. If the resolution is unknown, it is 0
    and has no effect.

References:
    Student 1908, The probable error of a mean. Welch 1947, The generalization of Student's problem
    when several different population variances are involved (with the degrees of freedom of
    Satterthwaite 1946). Berger 1982, Multiparameter hypothesis testing and acceptance sampling
    (intersection-union tests).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.estimates import CONFIDENCE, Difference, DifferenceOfMinima, Interval


def student_interval(values: Sequence[float], resolution: float = 0.0) -> Interval:
    """Return the mean of n runs with Student's two-sided 95 % t interval.

    Args:
        values: one value per run, shape (n,), n >= 1.
        resolution: smallest amount by which a value can change.
    """
    array = np.asarray(values, dtype=float)
    n, mean = len(array), float(np.mean(array))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    half_width = float(quantile * np.sqrt(sample_variance(array, resolution) / n))
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
        squared_errors.append(coefficient**2 * sample_variance(array, resolution) / len(array))
    return contrast_from_summaries(mean, squared_errors, [len(array) for array in arrays])


def contrast_from_summaries(
    mean: float, squared_errors: Sequence[float], counts: Sequence[int]
) -> Difference:
    """Return a contrast of means from summaries of its groups.

    With equal numbers of runs, the degrees of freedom are Satterthwaite's. With unequal numbers,
    they are those of the smallest group: Satterthwaite's bounds are too narrow if the small group
    has the larger share of the error, and no data can show that it has.

    Args:
        mean: the contrast of the groups' means, such as mean(a) - mean(b).
        squared_errors: for each group, its squared coefficient times its variance, over its number
            of runs.
        counts: the number of runs of each group, two or more.
    """
    squared_error = sum(squared_errors)
    freedoms = [count - 1 for count in counts]
    variances = tuple(part * count for part, count in zip(squared_errors, counts, strict=True))
    if squared_error == 0:
        return Difference(mean, 0.0, float(sum(freedoms)), variances)
    if len(set(counts)) == 1:
        terms = [part**2 / freedom for part, freedom in zip(squared_errors, freedoms, strict=True)]
        freedom = squared_error**2 / sum(terms)
    else:
        freedom = float(min(freedoms))
    return Difference(mean, float(np.sqrt(squared_error)), freedom, variances)


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
    variance = sample_variance(array, resolution)
    standard_error = float(np.sqrt(variance / len(array)))
    return Difference(float(array.mean()), standard_error, float(len(array) - 1), (variance,))


def sample_variance(values: Sequence[float] | NDArray[np.float64], resolution: float) -> float:
    """Return the sample variance, at least that of a uniform rounding error. NaN stays NaN."""
    variance = np.var(np.asarray(values, dtype=float), ddof=1)
    return float(np.maximum(variance, resolution**2 / 12))
