"""Claims about one number a run: is it larger in one family than in the other, does it fall over depth?"""

import math
from dataclasses import dataclass

import pandas as pd

from analysis.claims import SIGNIFICANCE
from analysis.evidence import NAMED, Verdict
from analysis.frame import Frame, by_depth
from analysis.statistics import Difference, rising_trend, welch
from analysis.why.base import few_seeds, unprobed

Groups = dict[int, list[float]]  # depth: a number a run; NaN where it is not known


def groups_of(values: pd.DataFrame, family: str, column: str) -> Groups:
    """`values`: a row a run. NaN stays: a bound that needs it is not known, and holds for nothing."""
    return {depth: part[column].astype(float).tolist() for depth, part in by_depth(values, family).items()}


def lacking(values: pd.DataFrame, families: tuple[str, ...], depths: int) -> list[str]:
    """Why a claim over these families cannot be tested: families, depths in common or seeds that are missing."""
    reasons = [f"no {family} net has been probed" for family in families if family not in set(values["family"])]
    if reasons:
        return reasons
    common = set.intersection(*(set(by_depth(values, family)) for family in families))
    if len(common) < depths:
        plural = "s" if depths > 1 else ""
        return [f"needs {depths} depth{plural} of {' and '.join(families)} nets, has {len(common)}"]
    return few_seeds(values[values["family"].isin(families)])


def told(one: Difference) -> str:
    return f"{one.mean:+.4f} (Welch: one-sided 95 % bounds {one.lower:+.4f}, {one.upper:+.4f})"


def bounded(one: Difference, side: str) -> str:
    return f"{one.mean:+.4f}, 95 % {side} bound {getattr(one, side):+.4f}"


def gaps(larger: Groups, smaller: Groups) -> dict[int, Difference]:
    """The first family minus the other, at each depth that both have."""
    return {depth: welch(larger[depth], smaller[depth]) for depth in sorted(larger.keys() & smaller.keys())}


def above_everywhere(differences: dict[int, Difference]) -> Verdict:
    """All must hold, so no correction for their number is needed (intersection-union)."""
    if all(one.lower > 0 for one in differences.values()):
        return Verdict.REPRODUCED
    return Verdict.CONTRADICTED if any(one.upper < 0 for one in differences.values()) else Verdict.INCONCLUSIVE


def weakest(differences: dict[int, Difference], verdict: Verdict) -> str:
    """The depth on which the verdict of `above_everywhere` rests, with its bound."""
    side, unknown = ("upper", math.inf) if verdict is Verdict.CONTRADICTED else ("lower", -math.inf)

    def value(depth: int) -> float:
        found = float(getattr(differences[depth], side))
        return unknown if math.isnan(found) else found

    depth = min(differences, key=value)
    return f"{depth} layers: {bounded(differences[depth], side)}"


@dataclass(frozen=True)
class Fall:
    """Does a number fall over depth: a trend (asked from three depths on) and a bound on deepest minus shallowest."""

    difference: Difference
    p: float  # one-sided, by permutation; NaN where a run's number is not known
    tau: float
    shallowest: int
    deepest: int
    depths: int

    @property
    def verdict(self) -> Verdict:
        trend = self.depths == 2 or self.p < SIGNIFICANCE
        if trend and self.difference.upper < 0:
            return Verdict.REPRODUCED
        return Verdict.CONTRADICTED if self.difference.lower > 0 else Verdict.INCONCLUSIVE

    @property
    def decisive(self) -> str:
        side = "lower" if self.verdict is Verdict.CONTRADICTED else "upper"
        trend = "" if self.depths == 2 else f", falling trend p = {self.p:.4f}"
        return f"{self.deepest} minus {self.shallowest} layers: {bounded(self.difference, side)}{trend}"

    @property
    def evidence(self) -> list[str]:
        return [
            f"{self.deepest} minus {self.shallowest} layers: {told(self.difference)}",
            f"trend over {self.depths} depths: Kendall's tau {self.tau:.2f}, one-sided p of a fall = {self.p:.4f}"
            " by permutation",
        ]


def fall(groups: Groups) -> Fall:
    shallowest, deepest = min(groups), max(groups)
    pairs = [(depth, value) for depth, values in groups.items() for value in values]
    tau, p = math.nan, math.nan
    if all(math.isfinite(value) for _, value in pairs):
        rise, p = rising_trend([depth for depth, _ in pairs], [-value for _, value in pairs])
        tau = -rise
    return Fall(welch(groups[deepest], groups[shallowest]), p, tau, shallowest, deepest, len(groups))


def notes_on(frame: Frame, values: pd.DataFrame, column: str) -> list[str]:
    """Runs that the claims are not about, and runs whose number is not finite."""
    notes = unprobed(frame.runs[frame.runs["family"].isin(set(values["family"]))], values)
    unknown = values.loc[values[column].isna(), "run_id"].tolist()
    if unknown:
        named = ", ".join(unknown[:NAMED]) + (f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else "")
        notes.append(f"not a finite number in {len(unknown)} runs, so what needs them is not shown: {named}")
    return notes
