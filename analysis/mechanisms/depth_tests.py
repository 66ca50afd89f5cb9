"""Test a per-run value: does it differ between families, and does it decrease with depth?

Several mechanisms measure one value per run, such as a mean over layers. This module computes the
differences and the trend that the verdicts rest on, and turns them into lines of evidence.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.claim import MORE_DEPTHS, Decision, Side, Verdict, count_seeds_if_open, decide
from analysis.difference_line import DifferenceLine
from analysis.error_increase import SIGNIFICANCE
from analysis.estimates import Difference
from analysis.evidence import format_bound
from analysis.family_pairs import FamilyPair
from analysis.frame import Frame
from analysis.mechanisms.base import KNOWN_VALUES, find_unprobed
from analysis.seeds_needed import SeedsNeeded
from analysis.statistics import welch_difference
from analysis.trend import increasing_trend
from degradation.counting import format_count

# Depth: one value per run, or NaN if it is unknown (`group_values`). A bound that depends on NaN is
# NaN as well and supports no verdict.
Groups = dict[int, list[float]]


def compute_differences(groups: Groups, baselines: Groups) -> dict[int, Difference]:
    """Return groups minus baselines, by Welch's method, at each depth that both have."""
    shared_depths = sorted(groups.keys() & baselines.keys())
    return {depth: welch_difference(groups[depth], baselines[depth]) for depth in shared_depths}


def describe_depths(
    plain: Groups,
    residual: Groups,
    differences: Mapping[int, Difference],
    pair: FamilyPair,
    comparison: str,
    decimals: int,
) -> dict[int, DifferenceLine]:
    """Return a line for each depth: the means of both families, and their difference.

    `comparison`: what is subtracted from what, such as `plain minus residual`. `decimals`: those of
    the means.
    """
    lines = {}
    for depth, difference in differences.items():
        plain_mean = format_mean(plain[depth], decimals)
        residual_mean = format_mean(residual[depth], decimals)
        means = f"{plain_mean} {pair.plain}, {residual_mean} {pair.residual}"
        lines[depth] = DifferenceLine(
            f"{depth} layers: {means}; {comparison}",
            difference,
            show=format_value,
            unit="",
            separator=" ",
        )
    return lines


def format_value(value: float) -> str:
    """Return a signed number with four decimals, or `unknown` if it is NaN."""
    return "unknown" if math.isnan(value) else f"{value:+.4f}"


def format_mean(values: list[float], decimals: int) -> str:
    """Return the mean of a group of runs."""
    return f"{sum(values) / len(values):.{decimals}f}"


def format_worst(differences: dict[int, Difference], decision: Decision[int]) -> str:
    """Return the depth that a verdict rests on, with its difference and bound."""
    worst = differences[decision.worst]
    line = format_bound(worst, decision.side, decision.bound_count, format_value, unit="")
    return f"{decision.worst} layers: {line}"


@dataclass(frozen=True)
class DecreasingTrend:
    """Evidence on whether a value decreases with depth by more than a margin.

    It rests on a bound on the deepest minus the shallowest networks and, with three or more depths,
    on a trend test over all depths.

    Attributes:
        difference: deepest minus shallowest, by Welch's method.
        p: one-sided permutation p-value for a decrease, or NaN if any run's value is unknown.
        tau: Kendall's tau-b between value and depth; negative for a decrease.
        shallowest: depth of the shallowest networks.
        deepest: depth of the deepest networks.
        depths: number of depths.
        margin: the minimum decrease, in the unit of the value.
    """

    difference: Difference
    p: float
    tau: float
    shallowest: int
    deepest: int
    depths: int
    margin: float = 0.0

    @property
    def has_trend(self) -> bool:
        """Whether the trend test shows a decrease; with two depths, the difference decides."""
        return self.depths == 2 or self.p < SIGNIFICANCE

    @property
    def verdict(self) -> Verdict:
        """Reproduced if both the bound and the trend show the decrease."""
        verdict = self._decide().verdict
        if verdict is Verdict.REPRODUCED and not self.has_trend:
            return Verdict.INCONCLUSIVE
        return verdict

    @property
    def seeds_needed(self) -> SeedsNeeded | None:
        """How many seeds would settle an inconclusive bound, or None if the bound is clear."""
        return count_seeds_if_open(
            self._decide(), {self.deepest: self.difference}, "below", -self.margin
        )

    @property
    def remedy(self) -> str:
        """What may settle an inconclusive decrease, if that is not more seeds; or empty text."""
        if self.verdict is not Verdict.INCONCLUSIVE:
            return ""
        if math.isnan(self.difference.mean):
            return KNOWN_VALUES
        return MORE_DEPTHS if self._decide().verdict is Verdict.REPRODUCED else ""

    def _decide(self) -> Decision[int]:
        return decide({self.deepest: self.difference}, "below", -self.margin)

    @property
    def decisive_line(self) -> str:
        """The line that the verdict rests on."""
        return self.format_line("lower" if self.verdict is Verdict.CONTRADICTED else "upper")

    def format_line(self, side: Side, bound_count: int = 1) -> str:
        """Return the difference with one bound, and the trend.

        `bound_count`: the number of bounds that hold jointly with 95 % confidence (`Decision`).
        """
        line = format_bound(self.difference, side, bound_count, format_value, unit="")
        trend = "" if self.depths == 2 else f", decreasing trend p = {self.p:.4f}"
        return f"{self.line.label}: {line}{trend}"

    @property
    def line(self) -> DifferenceLine:
        """The difference with all its bounds."""
        label = f"{self.deepest} minus {self.shallowest} layers"
        return DifferenceLine(label, self.difference, show=format_value, unit="")

    @property
    def trend_lines(self) -> list[str]:
        """The line of evidence about the trend test; none with two depths, which need no trend."""
        if self.depths == 2:
            return []
        return [
            f"trend over {self.depths} depths: Kendall's tau {self.tau:.2f},"
            f" one-sided permutation p-value for a decrease {self.p:.4f}"
        ]


def measure_trend(groups: Groups, margin: float = 0.0) -> DecreasingTrend:
    """Measure the decrease with depth. `groups`: two depths or more, two runs or more at each."""
    shallowest, deepest = min(groups), max(groups)
    depths: list[float] = []
    negated_values: list[float] = []  # a decrease is an increase of the negated values
    for depth, values in groups.items():
        depths += [depth] * len(values)
        negated_values += [-value for value in values]
    tau, p = math.nan, math.nan
    if all(math.isfinite(value) for value in negated_values):
        negated_tau, p = increasing_trend(depths, negated_values)
        tau = -negated_tau
    difference = welch_difference(groups[deepest], groups[shallowest])
    return DecreasingTrend(difference, p, tau, shallowest, deepest, len(groups), margin)


def describe_unusable_runs(frame: Frame, values: pd.DataFrame, column: str) -> list[str]:
    """Return notes on the runs that were not probed, and on values that are not finite.

    `values`: one row per run, with the value in `column`.
    """
    families = set(values["family"])
    notes = find_unprobed(frame.runs[frame.runs["family"].isin(families)], values)
    unknown_runs = values.loc[values[column].isna(), "run_id"].tolist()
    if unknown_runs:
        notes.append(
            f"not finite in {format_count(len(unknown_runs), 'run')}, so the bounds that depend on"
            f" it are unknown: {abbreviate(unknown_runs)}"
        )
    return notes
