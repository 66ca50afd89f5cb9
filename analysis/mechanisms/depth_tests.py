"""Claims about one number a run: is it larger in one family than in the other, does it fall over depth?"""

import math
from dataclasses import dataclass

import pandas as pd

from analysis import evidence
from analysis.claim import Decision, Side, Verdict, decide
from analysis.claims import SIGNIFICANCE
from analysis.evidence import abbreviate, format_bound
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms.base import unprobed
from analysis.statistics import Difference, increasing_trend, welch_difference

Groups = dict[int, list[float]]  # depth: a number a run; NaN where it is not known


def groups_of(values: pd.DataFrame, family: str, column: str) -> Groups:
    """`values`: a row a run. NaN stays: a bound that needs it is not known, and holds for nothing."""
    return {
        depth: part[column].astype(float).tolist()
        for depth, part in group_by_depth(values, family).items()
    }


def format_interval(difference: Difference) -> str:
    """Format a difference with all its bounds, to four decimals."""
    return evidence.format_interval(difference, show=format_number, unit="")


def format_number(value: float) -> str:
    return f"{value:+.4f}"


def gaps(larger: Groups, smaller: Groups) -> dict[int, Difference]:
    """The first family minus the other, at each depth that both have."""
    return {
        depth: welch_difference(larger[depth], smaller[depth])
        for depth in sorted(larger.keys() & smaller.keys())
    }


def at_worst(differences: dict[int, Difference], decision: Decision[int]) -> str:
    """The depth on which the verdict rests, with its bound."""
    line = format_bound(
        differences[decision.worst], decision.side, decision.simultaneous, format_number, unit=""
    )
    return f"{decision.worst} layers: {line}"


@dataclass(frozen=True)
class DecreasingTrend:
    """Does a number fall over depth, by more than the margin?

    A trend (required from three depths on), and a bound on deepest minus shallowest.
    """

    difference: Difference
    p: float  # one-sided, by permutation; NaN where a run's number is not known
    tau: float
    shallowest: int
    deepest: int
    depths: int
    margin: float = 0.0

    @property
    def has_trend(self) -> bool:
        return self.depths == 2 or self.p < SIGNIFICANCE

    @property
    def verdict(self) -> Verdict:
        decision = decide({self.deepest: self.difference}, "below", -self.margin)
        if decision.verdict is Verdict.REPRODUCED and not self.has_trend:
            return Verdict.INCONCLUSIVE
        return decision.verdict

    @property
    def decisive(self) -> str:
        return self.line("lower" if self.verdict is Verdict.CONTRADICTED else "upper")

    def line(self, side: Side, together: int = 1) -> str:
        trend = "" if self.depths == 2 else f", falling trend p = {self.p:.4f}"
        line = format_bound(self.difference, side, together, format_number, unit="")
        return f"{self.deepest} minus {self.shallowest} layers: {line}{trend}"

    @property
    def evidence(self) -> list[str]:
        return [
            f"{self.deepest} minus {self.shallowest} layers: {format_interval(self.difference)}",
            f"trend over {self.depths} depths: Kendall's tau {self.tau:.2f}, one-sided p of a fall = {self.p:.4f}"
            " by permutation",
        ]


def decreasing_trend(groups: Groups, margin: float = 0.0) -> DecreasingTrend:
    shallowest, deepest = min(groups), max(groups)
    pairs = [(depth, value) for depth, values in groups.items() for value in values]
    tau, p = math.nan, math.nan
    if all(math.isfinite(value) for _, value in pairs):
        rise, p = increasing_trend([depth for depth, _ in pairs], [-value for _, value in pairs])
        tau = -rise
    return DecreasingTrend(
        welch_difference(groups[deepest], groups[shallowest]),
        p,
        tau,
        shallowest,
        deepest,
        len(groups),
        margin,
    )


def caveats(frame: Frame, values: pd.DataFrame, column: str) -> list[str]:
    """Runs that the claims are not about, and runs whose number is not finite."""
    notes = unprobed(frame.runs[frame.runs["family"].isin(set(values["family"]))], values)
    unknown = values.loc[values[column].isna(), "run_id"].tolist()
    if unknown:
        named = abbreviate(unknown)
        notes.append(
            f"not a finite number in {len(unknown)} runs, so what needs them is not shown: {named}"
        )
    return notes
