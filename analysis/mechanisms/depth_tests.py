"""Claims about one number a run: is it larger in one family than in the other, does it fall over depth?"""

import math
from dataclasses import dataclass

import pandas as pd

from analysis.claim import NAMED, Decision, Verdict, decide_below
from analysis.claims import SIGNIFICANCE
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms.base import bounded, few_seeds, unprobed
from analysis.statistics import Difference, rising_trend, welch

Groups = dict[int, list[float]]  # depth: a number a run; NaN where it is not known


def groups_of(values: pd.DataFrame, family: str, column: str) -> Groups:
    """`values`: a row a run. NaN stays: a bound that needs it is not known, and holds for nothing."""
    return {
        depth: part[column].astype(float).tolist()
        for depth, part in group_by_depth(values, family).items()
    }


def missing_requirements(values: pd.DataFrame, families: tuple[str, ...], depths: int) -> list[str]:
    """Why a claim over these families cannot be tested: families, depths in common or seeds that are missing."""
    reasons = [
        f"no {family} net has been probed"
        for family in families
        if family not in set(values["family"])
    ]
    if reasons:
        return reasons
    common = set.intersection(*(set(group_by_depth(values, family)) for family in families))
    if len(common) < depths:
        plural = "s" if depths > 1 else ""
        return [f"needs {depths} depth{plural} of {' and '.join(families)} nets, has {len(common)}"]
    return few_seeds(values[values["family"].isin(families)])


def told(one: Difference) -> str:
    return f"{one.mean:+.4f} (Welch: one-sided 95 % bounds {one.lower:+.4f}, {one.upper:+.4f})"


def shown(value: float) -> str:
    return f"{value:+.4f}"


def gaps(larger: Groups, smaller: Groups) -> dict[int, Difference]:
    """The first family minus the other, at each depth that both have."""
    return {
        depth: welch(larger[depth], smaller[depth])
        for depth in sorted(larger.keys() & smaller.keys())
    }


def at_worst(differences: dict[int, Difference], decision: Decision[int]) -> str:
    """The depth on which the verdict rests, with its bound."""
    line = bounded(differences[decision.worst], decision.side, decision.together, shown)
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
        decision = decide_below({self.deepest: self.difference}, -self.margin)
        if decision.verdict is Verdict.REPRODUCED and not self.has_trend:
            return Verdict.INCONCLUSIVE
        return decision.verdict

    @property
    def decisive(self) -> str:
        return self.line("lower" if self.verdict is Verdict.CONTRADICTED else "upper")

    def line(self, side: str, together: int = 1) -> str:
        trend = "" if self.depths == 2 else f", falling trend p = {self.p:.4f}"
        line = bounded(self.difference, side, together, shown)
        return f"{self.deepest} minus {self.shallowest} layers: {line}{trend}"

    @property
    def evidence(self) -> list[str]:
        return [
            f"{self.deepest} minus {self.shallowest} layers: {told(self.difference)}",
            f"trend over {self.depths} depths: Kendall's tau {self.tau:.2f}, one-sided p of a fall = {self.p:.4f}"
            " by permutation",
        ]


def decreasing_trend(groups: Groups, margin: float = 0.0) -> DecreasingTrend:
    shallowest, deepest = min(groups), max(groups)
    pairs = [(depth, value) for depth, values in groups.items() for value in values]
    tau, p = math.nan, math.nan
    if all(math.isfinite(value) for _, value in pairs):
        rise, p = rising_trend([depth for depth, _ in pairs], [-value for _, value in pairs])
        tau = -rise
    return DecreasingTrend(
        welch(groups[deepest], groups[shallowest]), p, tau, shallowest, deepest, len(groups), margin
    )


def caveats(frame: Frame, values: pd.DataFrame, column: str) -> list[str]:
    """Runs that the claims are not about, and runs whose number is not finite."""
    notes = unprobed(frame.runs[frame.runs["family"].isin(set(values["family"]))], values)
    unknown = values.loc[values[column].isna(), "run_id"].tolist()
    if unknown:
        named = ", ".join(unknown[:NAMED]) + (
            f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        )
        notes.append(
            f"not a finite number in {len(unknown)} runs, so what needs them is not shown: {named}"
        )
    return notes
