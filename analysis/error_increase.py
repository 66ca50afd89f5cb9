"""The increase of the training error with depth, over the depths that are better than chance."""

import math
from dataclasses import dataclass

import pandas as pd

from analysis.claim import Compare, RunsByDepth, is_no_better_than_chance, training_error_difference
from analysis.columns import TRAINING_ERROR
from analysis.difference_line import DifferenceLine, EvidenceLine
from analysis.estimates import Estimate
from analysis.evidence import compare_groups
from analysis.trend import increasing_trend

SIGNIFICANCE = 0.05  # significance level of the p-value of a trend
MIN_TREND_DEPTHS = 3  # with two depths, the bound on their difference is the more powerful test


@dataclass(frozen=True)
class Increase:
    """How the training error of one family changes over the depths that are better than chance.

    Attributes:
        depths: the depths that are compared, shallowest first.
        trend_p: the p-value for an increasing trend, or None with fewer than three depths.
        line: the training error of the deepest minus that of the shallowest, in points.
        trend_line: the line of evidence about the trend, or None with fewer than three depths.
    """

    depths: tuple[int, int]
    trend_p: float | None
    line: DifferenceLine
    trend_line: str | None

    @property
    def comparison(self) -> str:
        """Which depths are compared, such as `56 minus 20 layers`."""
        return self.line.label

    @property
    def difference(self) -> Estimate:
        """The training error of the deepest minus that of the shallowest, in points."""
        return self.line.estimate

    @property
    def evidence(self) -> list[EvidenceLine]:
        """The difference with all its bounds and the trend, one line each."""
        return [self.line] if self.trend_line is None else [self.line, self.trend_line]

    def has_trend(self) -> bool:
        """Return whether the trend is significant; with two depths no trend is required."""
        return self.trend_p is None or self.trend_p < SIGNIFICANCE

    def format_trend(self) -> str:
        """Return `, trend p = 0.0010`, or empty text with two depths."""
        return "" if self.trend_p is None else f", trend p = {self.trend_p:.4f}"


def measure_increase(
    groups: RunsByDepth, compare: Compare = training_error_difference
) -> Increase | None:
    """Measure the increase of the training error over the depths that are better than chance.

    Returns None if there are fewer than two such depths.
    """
    learning = select_better_than_chance(groups)
    if len(learning) < 2:
        return None
    shallowest, deepest = min(learning), max(learning)
    comparison = f"{deepest} minus {shallowest} layers"
    difference = compare(learning[deepest], learning[shallowest])
    line = compare_groups(comparison, difference, learning[deepest], learning[shallowest])
    p, trend = None, None
    if len(learning) >= MIN_TREND_DEPTHS:
        p, trend = _test_trend(learning)
    return Increase((shallowest, deepest), p, line, trend)


def _test_trend(groups: RunsByDepth) -> tuple[float, str]:
    """Return the p-value for an increase of the error over depth, and its line of evidence."""
    runs = pd.concat(groups.values())
    tau, p = increasing_trend(runs["depth"].tolist(), runs[TRAINING_ERROR].tolist())
    over = f"trend over {len(groups)} depths, {len(runs)} runs"
    if math.isnan(tau):
        return p, f"{over}: all errors are equal"
    return p, f"{over}: Kendall's tau {tau:.2f}, one-sided p = {p:.4f} by permutation"


def select_better_than_chance(groups: RunsByDepth) -> RunsByDepth:
    """Return the depths at which the network is better than chance."""
    return {depth: group for depth, group in groups.items() if not is_no_better_than_chance(group)}
