"""The difference between our mean error and a published one, and the verdict on it."""

from collections.abc import Sequence

import numpy as np

from analysis.claim import Verdict
from analysis.estimates import Interval
from analysis.published_values import PublishedValue
from analysis.seeds_needed import SeedsNeeded, count_seeds_within
from analysis.statistics import contrast_from_summaries, sample_variance, student_interval


def difference_from_published(
    values: Sequence[float], paper: PublishedValue, resolution: float = 0.0
) -> Interval:
    """Return our mean minus the published value, in points, with a 95 % confidence interval.

    The interval is two-sided. It is Welch's if the published mean has a standard deviation over
    runs; else it is Student's, and the published value counts as exact. If a range was published,
    the mean and both ends of the interval are signed distances to it, 0 inside. The ends are NaN
    for one run. `resolution`: the smallest amount by which our error can change, in points.
    """
    ours = student_interval(values, resolution=resolution)
    if paper.value is None:
        return Interval(
            _distance_to_range(ours.mean, paper),
            _distance_to_range(ours.low, paper),
            _distance_to_range(ours.high, paper),
            ours.n,
        )
    mean = ours.mean - paper.value
    if paper.sd is None or paper.runs is None or ours.n < 2:
        return Interval(mean, ours.low - paper.value, ours.high - paper.value, ours.n)
    squared_error = sample_variance(values, resolution) / ours.n
    papers_squared_error = paper.sd**2 / paper.runs
    squared_errors = [squared_error, papers_squared_error]
    welch = contrast_from_summaries(mean, squared_errors, [ours.n, paper.runs])
    return Interval(mean, welch.low, welch.high, ours.n)


def _distance_to_range(value: float, paper: PublishedValue) -> float:
    low = -np.inf if paper.low is None else paper.low
    high = np.inf if paper.high is None else paper.high
    return value - float(np.clip(value, low, high))


def equivalence_verdict(difference: Interval, margin: float) -> Verdict:
    """Return whether a difference is shown to be within the margin on both sides.

    Reproduced: the whole interval is within the margin, so equivalence rests on two bounds of
    97.5 % each. Contradicted: the whole interval is outside, on one side. Otherwise inconclusive.
    """
    if -margin <= difference.low and difference.high <= margin:
        return Verdict.REPRODUCED
    if difference.low > margin or difference.high < -margin:
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def count_seeds_to_published(
    values: Sequence[float], paper: PublishedValue, margin: float, resolution: float = 0.0
) -> SeedsNeeded | None:
    """Return how many seeds of ours would settle whether our mean equals a published value.

    Returns None if it is settled, or if the published mean has a standard deviation, which further
    runs of ours cannot narrow.
    """
    difference = difference_from_published(values, paper, resolution)
    verdict = equivalence_verdict(difference, margin)
    if verdict is not Verdict.INCONCLUSIVE or paper.sd is not None:
        return None
    low, high = (paper.low, paper.high) if paper.value is None else (paper.value, paper.value)
    lowest = -np.inf if low is None else low - margin
    highest = np.inf if high is None else high + margin
    return count_seeds_within(
        float(np.mean(values)), sample_variance(values, resolution), lowest, highest
    )
