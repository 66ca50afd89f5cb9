"""Each claim of the paper as a predicate over the runs: a verdict with its evidence.

Absence is shown by a bound, never by a test that failed to reject. Every run counts, diverged ones at chance.
The quantity is the clean training error of the last iteration (He et al. 2015, sections 1 and 4.2).
"""

from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd

from analysis.frame import OVER, UNTRAINED_WITHIN, by_depth
from analysis.statistics import Difference, rising_trend, welch
from degradation.records.schema import CLEAN_ERROR

SIGNIFICANCE = 0.05
NAMED = 3  # runs that the evidence names before it counts the rest


class Verdict(StrEnum):
    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Claim:
    """`decisive` is what the verdict rests on, `evidence` all of it, `notes` what a reader must know besides."""

    name: str
    statement: str
    verdict: Verdict
    decisive: str
    evidence: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Groups = dict[int, pd.DataFrame]


def judge(runs: pd.DataFrame, margin: float) -> list[Claim]:
    """The claims about these runs, which differ in family, depth and seed only. `margin` is in points."""
    return [degradation(runs, margin), no_degradation(runs, margin), fix(runs, margin)]


def degradation(runs: pd.DataFrame, margin: float) -> Claim:
    """Deeper plain nets have a higher training error: a rising trend, and a bound on deepest minus shallowest."""
    name, statement = "degradation", f"plain nets: training error rises with depth, by more than {margin:g} points"
    groups = by_depth(runs, "plain")
    if reasons := _untestable({"plain": groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    trained = {depth: part for depth, part in groups.items() if not _untrained(part)}
    notes = _notes(runs, groups)
    if len(trained) < 2:
        return Claim(name, statement, Verdict.INCONCLUSIVE, "fewer than two depths trained at all", [], notes)
    shallowest, deepest = min(trained), max(trained)
    difference = _difference(trained[deepest], trained[shallowest])
    kept = pd.concat(trained.values())
    tau, p = rising_trend(kept["depth"].tolist(), kept[CLEAN_ERROR].tolist())
    evidence = [
        f"{deepest} minus {shallowest} layers: {_all_bounds(difference)}",
        f"trend over {len(trained)} depths, {len(kept)} runs: Kendall's tau {tau:.2f},"
        f" one-sided p = {p:.4f} by permutation",
    ]
    two_depths = len(trained) == 2  # the difference is the trend, and its bound the sharper test of the two
    rising = two_depths or p < SIGNIFICANCE
    if rising and difference.lower > margin:
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.CONTRADICTED if difference.upper < margin else Verdict.INCONCLUSIVE
    decisive = f"{deepest} minus {shallowest} layers: {_bound(difference, 'lower')}"
    decisive += "" if two_depths else f", trend p = {p:.4f}"
    return Claim(name, statement, verdict, decisive, evidence, notes)


def no_degradation(runs: pd.DataFrame, margin: float) -> Claim:
    """No deeper residual net is worse than the shallowest by the margin: an upper bound at every depth.

    All must hold, so no correction for their number is needed (intersection-union).
    """
    name = "no degradation"
    statement = f"residual nets: no depth has a training error {margin:g} points or more above the shallowest's"
    groups = by_depth(runs, "residual")
    if reasons := _untestable({"residual": groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    shallowest = min(groups)
    differences = {depth: _difference(part, groups[shallowest]) for depth, part in groups.items() if depth > shallowest}
    evidence = [f"{depth} minus {shallowest} layers: {_all_bounds(one)}" for depth, one in differences.items()]
    worst = max(differences, key=lambda depth: differences[depth].upper)
    decisive = f"at worst {worst} minus {shallowest} layers: {_bound(differences[worst], 'upper')}"
    if _untrained(groups[shallowest]):
        verdict = Verdict.INCONCLUSIVE  # nothing to compare with
    elif all(one.upper < margin for one in differences.values()):
        verdict = Verdict.REPRODUCED
    elif any(one.lower > margin for one in differences.values()):
        verdict = Verdict.CONTRADICTED
    else:
        verdict = Verdict.INCONCLUSIVE
    return Claim(name, statement, verdict, decisive, evidence, _notes(runs, groups))


def fix(runs: pd.DataFrame, margin: float) -> Claim:
    """A residual net trains better than the plain net of its depth: a bound at the deepest plain net that trained."""
    name = "the fix"
    statement = (
        f"at the deepest plain net that trains, shortcuts lower the training error by more than {margin:g} points"
    )
    plain, residual = by_depth(runs, "plain"), by_depth(runs, "residual")
    if reasons := _untestable({"plain": plain, "residual": residual}, depths=1):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    notes = _notes(runs, plain, residual)
    depths = sorted(plain.keys() & residual.keys())
    trained = [depth for depth in depths if not _untrained(plain[depth])]
    if not trained:
        return Claim(name, statement, Verdict.NOT_TESTED, "no depth in common at which a plain net trains", [], notes)
    differences = {depth: _difference(plain[depth], residual[depth]) for depth in depths}
    evidence = [
        f"plain minus residual, {depth} layers: {_all_bounds(one)}"
        + ("" if depth in trained else "; this plain net is untrained")
        for depth, one in differences.items()
    ]
    deepest = max(trained)
    decisive = differences[deepest]
    if decisive.lower > margin:
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.CONTRADICTED if decisive.upper < margin else Verdict.INCONCLUSIVE
    line = f"plain minus residual, {deepest} layers: {_bound(decisive, 'lower')}"
    return Claim(name, statement, verdict, line, evidence, notes)


def _untestable(families: dict[str, Groups], depths: int) -> list[str]:
    """Why the claim cannot be tested on these runs: depths, runs or seeds that it lacks. Empty where it can."""
    reasons = []
    for family, groups in families.items():
        if len(groups) < depths:
            reasons.append(f"needs {depths} depth{'s' if depths > 1 else ''} of {family} nets, has {len(groups)}")
        runs = pd.concat(groups.values()) if groups else pd.DataFrame({"state": []})
        for state, absent in runs[~runs["state"].isin([*OVER])].groupby("state"):
            named = absent["run_id"].tolist()
            more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
            verb = "is" if len(named) == 1 else "are"
            reasons.append(
                f"{len(named)} of {len(runs)} {family} runs {verb} {state}: {', '.join(named[:NAMED])}{more}"
            )
        few = [str(depth) for depth, part in groups.items() if len(part) < 2]
        if few:
            reasons.append(f"{family} nets of {', '.join(few)} layers have one seed; an interval needs two")
    return reasons


def _untrained(part: pd.DataFrame) -> bool:
    """Is the mean of a depth's runs within two points of chance? Told apart from degradation."""
    return bool(part[CLEAN_ERROR].mean() >= part["chance"].mean() - UNTRAINED_WITHIN)


def _difference(a: pd.DataFrame, b: pd.DataFrame) -> Difference:
    return welch(a[CLEAN_ERROR].tolist(), b[CLEAN_ERROR].tolist())


def _bound(difference: Difference, side: str) -> str:
    return f"{difference.mean:+.2f} points, 95 % {side} bound {getattr(difference, side):+.2f}"


def _all_bounds(difference: Difference) -> str:
    return (
        f"{difference.mean:+.2f} points (Welch: one-sided 95 % bounds {difference.lower:+.2f}, {difference.upper:+.2f};"
        f" two-sided 95 % interval {difference.low:+.2f} to {difference.high:+.2f})"
    )


def _notes(runs: pd.DataFrame, *families: Groups) -> list[str]:
    """What a reader must know beside the numbers."""
    notes = []
    for groups in families:
        for depth, part in groups.items():
            family = part["family"].iloc[0]
            if _untrained(part):
                error = part[CLEAN_ERROR].mean()
                notes.append(
                    f"{family}-{depth} is untrained: {error:.1f} %, within {UNTRAINED_WITHIN:g} points of chance"
                )
            if diverged := int((part["state"] == "diverged").sum()):
                notes.append(f"{diverged} of {len(part)} runs of {family}-{depth} diverged and count at chance")
    kinds = sorted(runs["device"].dropna().str.split(":").str[0].unique())
    if len(kinds) > 1:
        notes.append(f"the runs are from different classes of device: {', '.join(kinds)}")
    return notes
