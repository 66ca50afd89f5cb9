"""Where the gradient of plain networks is healthy, explodes or vanishes, shown by bounds."""

import math
from typing import Any

import numpy as np
import pandas as pd

from analysis.mechanism_texts.gradient_flow import MeasuredPattern, Pattern
from analysis.multiple_testing import bonferroni_level
from analysis.statistics import mean_estimate
from degradation.metrics import ITERATION

MIN_RUNS = 2  # runs that a bound needs


def classify_gradients(spans: pd.DataFrame, max_span: float) -> list[MeasuredPattern]:
    """Classify the gradient of one family at each depth and time point.

    The pattern follows from the mean log10 of the span. Healthy: its one-sided 95 % upper bound is
    below the limit. Exploding or vanishing: its lower bound is above the limit, where the bounds of
    all depths and time points hold jointly with 95 % confidence, and the norm grows towards the
    first block in all runs or in none. These are the bounds on which the claim of healthy gradients
    rests.

    Args:
        spans: rows of `gradient_flow.measure_spans` of one family.
        max_span: the limit of the span, as a factor.
    """
    limit = math.log10(max_span)
    groups: list[Any] = list(spans.groupby(["depth", ITERATION]))
    level = bonferroni_level(sum(_has_bound(group) for _, group in groups))
    patterns = []
    for (depth, iteration), group in groups:
        pattern, reaches_start = Pattern.UNKNOWN, False
        if _has_bound(group):
            pattern = _classify(group, limit, level)
            reaches_start = _reaches_start(group, limit)
        mean_pattern = classify_mean(group, max_span)
        patterns.append(MeasuredPattern(depth, iteration, pattern, reaches_start, mean_pattern))
    return patterns


def _has_bound(group: pd.DataFrame) -> bool:
    return len(group) >= MIN_RUNS and bool(group["span"].notna().all())


def _classify(group: pd.DataFrame, limit: float, level: float) -> Pattern:
    estimate = mean_estimate(np.log10(group["span"]).tolist())
    if estimate.upper < limit:
        return Pattern.HEALTHY
    if estimate.lower_at(level) > limit:
        if group["grows_backwards"].all():
            return Pattern.EXPLODING
        if not group["grows_backwards"].any():
            return Pattern.VANISHING
    return Pattern.UNKNOWN


def classify_mean(group: pd.DataFrame, max_span: float) -> Pattern:
    """Return the pattern that the mean log10 of the span has, without a bound."""
    if not group["span"].notna().all():
        return Pattern.UNKNOWN
    if np.log10(group["span"]).mean() <= math.log10(max_span):
        return Pattern.HEALTHY
    return Pattern.EXPLODING if group["grows_backwards"].mean() >= 0.5 else Pattern.VANISHING


def _reaches_start(group: pd.DataFrame, limit: float) -> bool:
    """Return whether a bound shows that the first norm is not smaller than the last by the limit.

    It is the one-sided 95 % lower bound of the mean log10 of the first norm over the last.
    """
    ratios = np.log10(group["first"]) - np.log10(group["last"])
    return mean_estimate(ratios.tolist()).lower > -limit
