"""The mean curve of several runs, with the 95 % confidence interval at each iteration."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.estimates import CONFIDENCE
from degradation.metrics import ITERATION

# Mean, low and high at each iteration, shape (iterations,) each; NaN where unknown.
MeanCurve = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def average_curves(
    rows: pd.DataFrame,
    metrics: Sequence[str],
    iterations: NDArray[np.int_],
    resolutions: Mapping[str, float],
) -> dict[str, MeanCurve]:
    """Return the mean curve of each metric, with Student's two-sided t interval.

    It is `analysis.statistics.student_interval` at every iteration, for all of them at once.

    Args:
        rows: the evaluations of the runs of one network, with the columns `metrics`.
        metrics: the metrics to average.
        iterations: where the curves are wanted.
        resolutions: the smallest amount by which a metric can change, where it is known.
    """
    by_iteration = rows.groupby(ITERATION)[list(metrics)]
    means = by_iteration.mean().reindex(iterations)
    variances = by_iteration.var(ddof=1).reindex(iterations)
    counts = by_iteration.count().reindex(iterations, fill_value=0)
    curves = {}
    for name in metrics:
        mean, count = means[name].to_numpy(), counts[name].to_numpy()
        variance = np.maximum(variances[name].to_numpy(), resolutions.get(name, 0.0) ** 2 / 12)
        half_width = _find_quantiles(count) * np.sqrt(variance / np.maximum(count, 1))
        curves[name] = (mean, mean - half_width, mean + half_width)
    return curves


def _find_quantiles(counts: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return Student's quantile for each number of runs; NaN for fewer than two runs."""
    quantiles = np.full(len(counts), np.nan)
    for count in np.unique(counts[counts > 1]):
        quantiles[counts == count] = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    return quantiles
