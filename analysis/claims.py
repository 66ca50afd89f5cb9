"""Each claim of the paper as a predicate over the runs: a verdict with its evidence.

Absence is shown by a bound, never by a test that failed to reject. Every run counts, diverged ones at chance.
The quantity is the training error of the last iteration, clean unless asked otherwise (He et al. 2015, 1 and 4.2).
"""

from dataclasses import dataclass

import pandas as pd

from analysis.claim import Claim, Compare, Verdict, decide, is_untrained, training_error_difference
from analysis.columns import TRAINING_ERROR
from analysis.evidence import caveats, format_bound, format_comparison
from analysis.frame import group_by_depth
from analysis.requirements import missing_requirements
from analysis.statistics import increasing_trend

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class FamilyPair:
    """A family without shortcuts and the one with them, alike in all else."""

    plain: str
    residual: str


FAMILY_PAIRS = (FamilyPair("plain", "residual"), FamilyPair("plain-preactivation", "preactivation"))


def family_pair(runs: pd.DataFrame) -> FamilyPair:
    """The pair that runs of one condition are of: their order of BN, ReLU and convolution is the same."""
    present = set(runs["family"])
    return next(
        (pair for pair in FAMILY_PAIRS if {pair.plain, pair.residual} & present), FAMILY_PAIRS[0]
    )


def judge(
    runs: pd.DataFrame, margin: float, compare: Compare = training_error_difference
) -> list[Claim]:
    """The claims about these runs, which differ in family, depth and seed only. `margin` is in points.

    `compare` measures the difference of the training errors of two groups of them.
    """
    pair = family_pair(runs)
    return [
        judge_degradation(runs, margin, pair, compare),
        judge_no_degradation(runs, margin, pair, compare),
        judge_fix(runs, margin, pair, compare),
    ]


def judge_degradation(
    runs: pd.DataFrame,
    margin: float,
    pair: FamilyPair = FAMILY_PAIRS[0],
    compare: Compare = training_error_difference,
) -> Claim:
    """Deeper plain nets have a higher training error: a rising trend, and a bound on deepest minus shallowest."""
    name = "degradation"
    statement = (
        f"{pair.plain} nets: training error rises with depth, by more than {margin:g} points"
    )
    groups = group_by_depth(runs, pair.plain)
    if reasons := missing_requirements({pair.plain: groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    trained = {depth: part for depth, part in groups.items() if not is_untrained(part)}
    notes = caveats(runs, groups)
    if len(trained) < 2:
        return Claim(
            name, statement, Verdict.INCONCLUSIVE, "fewer than two depths trained at all", [], notes
        )
    shallowest, deepest = min(trained), max(trained)
    difference = compare(trained[deepest], trained[shallowest])
    kept = pd.concat(trained.values())
    tau, p = increasing_trend(kept["depth"].tolist(), kept[TRAINING_ERROR].tolist())
    evidence = [
        f"{deepest} minus {shallowest} layers: {format_comparison(difference, trained[deepest], trained[shallowest])}",
        f"trend over {len(trained)} depths, {len(kept)} runs: Kendall's tau {tau:.2f},"
        f" one-sided p = {p:.4f} by permutation",
    ]
    two_depths = (
        len(trained) == 2
    )  # the difference is the trend, and its bound the sharper test of the two
    rising = two_depths or p < SIGNIFICANCE
    decision = decide({deepest: difference}, "above", margin)
    lacks_trend = decision.verdict is Verdict.REPRODUCED and not rising
    verdict = Verdict.INCONCLUSIVE if lacks_trend else decision.verdict
    line = f"{deepest} minus {shallowest} layers: {format_bound(difference, decision.side)}"
    line += "" if two_depths else f", trend p = {p:.4f}"
    return Claim(name, statement, verdict, line, evidence, notes)


def judge_no_degradation(
    runs: pd.DataFrame,
    margin: float,
    pair: FamilyPair = FAMILY_PAIRS[0],
    compare: Compare = training_error_difference,
) -> Claim:
    """No deeper residual net is worse than the shallowest by the margin: an upper bound at every depth.

    Contradicted where any is worse, with Holm's correction for their number (`decide`).
    """
    name = "no degradation"
    statement = f"{pair.residual} nets: no depth has a training error {margin:g} points or more above the shallowest's"
    groups = group_by_depth(runs, pair.residual)
    if reasons := missing_requirements({pair.residual: groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    shallowest = min(groups)
    differences = {
        depth: compare(part, groups[shallowest])
        for depth, part in groups.items()
        if depth > shallowest
    }
    evidence = [
        f"{depth} minus {shallowest} layers: {format_comparison(difference, groups[depth], groups[shallowest])}"
        for depth, difference in differences.items()
    ]
    decision = decide(differences, "below", margin)
    verdict = (
        Verdict.INCONCLUSIVE if is_untrained(groups[shallowest]) else decision.verdict
    )  # nothing to compare with
    line = format_bound(differences[decision.worst], decision.side, decision.simultaneous)
    decisive = f"at worst {decision.worst} minus {shallowest} layers: {line}"
    return Claim(name, statement, verdict, decisive, evidence, caveats(runs, groups))


def judge_fix(
    runs: pd.DataFrame,
    margin: float,
    pair: FamilyPair = FAMILY_PAIRS[0],
    compare: Compare = training_error_difference,
) -> Claim:
    """A residual net trains better than the plain net of its depth: a bound at the deepest plain net that trained."""
    name = "the fix"
    statement = f"at the deepest plain net that trains, shortcuts lower the training error by more than {margin:g} points"
    plain, residual = group_by_depth(runs, pair.plain), group_by_depth(runs, pair.residual)
    if reasons := missing_requirements({pair.plain: plain, pair.residual: residual}, depths=1):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    notes = caveats(runs, plain, residual)
    depths = sorted(plain.keys() & residual.keys())
    trained = [depth for depth in depths if not is_untrained(plain[depth])]
    if not trained:
        return Claim(
            name,
            statement,
            Verdict.NOT_TESTED,
            "no depth in common at which a plain net trains",
            [],
            notes,
        )
    differences = {depth: compare(plain[depth], residual[depth]) for depth in depths}
    evidence = [
        f"{pair.plain} minus {pair.residual}, {depth} layers: {format_comparison(difference, plain[depth], residual[depth])}"
        + ("" if depth in trained else "; this plain net is untrained")
        for depth, difference in differences.items()
    ]
    deepest = max(trained)
    decision = decide({deepest: differences[deepest]}, "above", margin)
    line = f"{pair.plain} minus {pair.residual}, {deepest} layers: {format_bound(differences[deepest], decision.side)}"
    return Claim(name, statement, decision.verdict, line, evidence, notes)
