"""The paper's main claims: degradation, no degradation with shortcuts, and the fix.

Each claim is a function from runs to a `Claim`; CLAIMS lists them in the order of the report. The
quantity is the training error of the last iteration: the clean one, unless the report selects
another (He et al. 2015, sections 1 and 4.2). To add a claim, write a function with the signature of
the others and add it to CLAIMS.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from analysis.claim import (
    LEARNING_DEPTHS,
    MORE_DEPTHS,
    SHARED_DEPTHS,
    Claim,
    Compare,
    Verdict,
    count_seeds_if_open,
    decide,
    is_no_better_than_chance,
    training_error_difference,
)
from analysis.claim_names import DEGRADATION, FIX, NO_DEGRADATION
from analysis.difference_line import DifferenceLine
from analysis.error_increase import measure_increase, select_better_than_chance
from analysis.evidence import compare_groups, describe_caveats, format_bound
from analysis.family_pairs import FamilyPair, family_pair
from analysis.frame import group_by_depth
from analysis.plain_text import write_reason
from analysis.plain_words import (
    NO_TREND,
    describe_absence,
    describe_gain,
    describe_rise,
    find_bound,
)
from analysis.requirements import missing_requirements


def judge_degradation(
    runs: pd.DataFrame,
    margin: float,
    compare: Compare = training_error_difference,
) -> Claim:
    """Judge whether the training error of plain networks increases with depth.

    Arguments: those of `judge`, as of every claim.

    Reproduced if the error has an increasing trend over depth (tested with three or more depths)
    and the lower bound of deepest minus shallowest is above the margin. Networks
    that are no better than chance do not count as degraded.
    """
    pair = family_pair(runs)
    statement = (
        f"{pair.plain} networks: training error increases with depth, by more than {margin:g} "
        "points"
    )
    groups = group_by_depth(runs, pair.plain)
    if reasons := missing_requirements({pair.plain: groups}, depths=2):
        return Claim.not_tested(DEGRADATION, statement, reasons)
    notes = describe_caveats(pd.concat(groups.values()), groups)
    increase = measure_increase(groups, compare)
    if increase is None:
        return _too_few_learning_depths(statement, notes, pair.plain)

    differences = {increase.comparison: increase.difference}
    decision = decide(differences, "above", margin)
    bound = format_bound(increase.difference, decision.side)
    decisive_line = f"{increase.comparison}: {bound}{increase.format_trend()}"
    verdict = decision.verdict
    plain_words = describe_rise(
        verdict,
        f"{pair.plain} networks",
        *increase.depths,
        increase.difference.mean,
        margin,
        find_bound(increase.difference, decision),
    )
    remedy = ""
    if verdict is Verdict.REPRODUCED and not increase.has_trend():
        verdict = Verdict.INCONCLUSIVE
        plain_words = f"{plain_words.removesuffix('.')}{NO_TREND}."
        remedy = MORE_DEPTHS
    return Claim(
        DEGRADATION,
        statement,
        verdict,
        decisive_line,
        increase.evidence,
        notes,
        plain_words=plain_words,
        depths=increase.depths,
        deciding_label=increase.comparison,
        bound_count=decision.bound_count,
        remedy=remedy,
        seeds_needed=count_seeds_if_open(decision, differences, "above", margin),
    )


def _too_few_learning_depths(statement: str, notes: list[str], family: str) -> Claim:
    """Return the claim about degradation if fewer than two depths are better than chance."""
    return Claim(
        DEGRADATION,
        statement,
        Verdict.INCONCLUSIVE,
        "fewer than two depths are better than chance",
        [],
        notes,
        plain_words=write_reason(
            f"fewer than two depths of {family} networks are better than chance"
        ),
        remedy=LEARNING_DEPTHS,
    )


def judge_no_degradation(
    runs: pd.DataFrame,
    margin: float,
    compare: Compare = training_error_difference,
) -> Claim:
    """Judge whether no deeper residual network is worse than the shallowest one by the margin.

    Reproduced if the upper bound is below the margin at every depth. Contradicted if any depth is
    worse, with Holm's correction for the number of depths (`decide`). Inconclusive if the
    shallowest network is untrained: there is nothing to compare with.
    """
    pair = family_pair(runs)
    statement = (
        f"{pair.residual} networks: at no depth is the training error {margin:g} points or"
        " more above that of the shallowest network"
    )
    groups = group_by_depth(runs, pair.residual)
    if reasons := missing_requirements({pair.residual: groups}, depths=2):
        return Claim.not_tested(NO_DEGRADATION, statement, reasons)

    shallowest = min(groups)
    deeper = sorted(groups.keys() - {shallowest})
    differences = {depth: compare(groups[depth], groups[shallowest]) for depth in deeper}
    lines = {
        depth: compare_groups(
            f"{depth} minus {shallowest} layers",
            differences[depth],
            groups[depth],
            groups[shallowest],
        )
        for depth in deeper
    }
    evidence = [*lines.values()]

    decision = decide(differences, "below", margin)
    worst = differences[decision.worst]
    notes = describe_caveats(pd.concat(groups.values()), groups)
    depths = (shallowest, decision.worst)
    if is_no_better_than_chance(groups[shallowest]):
        return _nothing_to_compare_with(statement, evidence, notes, depths, pair)
    bound = format_bound(worst, decision.side, decision.bound_count)
    label = lines[decision.worst].label
    return Claim(
        NO_DEGRADATION,
        statement,
        decision.verdict,
        f"worst case, {label}: {bound}",
        evidence,
        notes,
        plain_words=describe_absence(
            decision.verdict,
            f"{pair.residual} networks",
            *depths,
            worst.mean,
            margin,
            find_bound(worst, decision),
        ),
        depths=depths,
        deciding_label=label,
        bound_count=decision.bound_count,
        seeds_needed=count_seeds_if_open(decision, differences, "below", margin),
    )


def _nothing_to_compare_with(
    statement: str,
    evidence: Sequence[DifferenceLine],
    notes: list[str],
    depths: tuple[int, int],
    pair: FamilyPair,
) -> Claim:
    """Return the claim that is inconclusive because the shallowest network, `depths[0]`, failed."""
    reason = f"{pair.residual} networks of {depths[0]} layers are no better than chance"
    return Claim(
        NO_DEGRADATION,
        statement,
        Verdict.INCONCLUSIVE,
        reason,
        evidence,
        notes,
        plain_words=write_reason(f"{reason}, so there is nothing to compare with"),
        depths=depths,
        remedy=LEARNING_DEPTHS,
    )


def judge_fix(
    runs: pd.DataFrame,
    margin: float,
    compare: Compare = training_error_difference,
) -> Claim:
    """Judge whether a residual network has a lower training error than the plain one of its depth.

    Reproduced if the lower bound of plain minus residual is above the margin at the deepest plain
    network that is better than chance and has a residual network of its depth.
    """
    pair = family_pair(runs)
    statement = (
        "at the deepest plain network that is better than chance, shortcuts lower the training"
        f" error by more than {margin:g} points"
    )
    plain, residual = group_by_depth(runs, pair.plain), group_by_depth(runs, pair.residual)
    if reasons := missing_requirements({pair.plain: plain, pair.residual: residual}, depths=1):
        return Claim.not_tested(FIX, statement, reasons)
    notes = describe_caveats(runs, plain, residual)
    depths = sorted(plain.keys() & residual.keys())
    trained = select_better_than_chance(plain).keys() & residual.keys()
    if not trained:
        line = "the families share no depth at which the plain network is better than chance"
        if not depths:
            line = "the families share no depth"
        claim = Claim.not_tested(FIX, statement, [line], notes)
        return replace(claim, remedy=LEARNING_DEPTHS if depths else SHARED_DEPTHS)

    comparison = f"{pair.plain} minus {pair.residual}"
    differences = {}
    lines = {}
    for depth in depths:
        differences[depth] = compare(plain[depth], residual[depth])
        lines[depth] = compare_groups(
            f"{comparison}, {depth} layers",
            differences[depth],
            plain[depth],
            residual[depth],
            note="" if depth in trained else "this plain network is no better than chance",
        )

    deepest = max(trained)
    notes += _describe_unmatched(max(select_better_than_chance(plain)), deepest, pair)
    decided = {deepest: differences[deepest]}
    decision = decide(decided, "above", margin)
    bound = format_bound(differences[deepest], decision.side)
    label = lines[deepest].label
    return Claim(
        FIX,
        statement,
        decision.verdict,
        f"{label}: {bound}",
        [*lines.values()],
        notes,
        plain_words=describe_gain(
            decision.verdict,
            deepest,
            differences[deepest].mean,
            margin,
            find_bound(differences[deepest], decision),
        ),
        depths=(deepest,),
        deciding_label=label,
        bound_count=decision.bound_count,
        seeds_needed=count_seeds_if_open(decision, decided, "above", margin),
    )


def _describe_unmatched(trained: int, judged: int, pair: FamilyPair) -> list[str]:
    """Return a note if the fix is judged at a depth below that of the deepest trained network."""
    if trained <= judged:
        return []
    return [
        f"there is no {pair.residual} network of {trained} layers, the deepest at which the"
        f" {pair.plain} network is better than chance: the claim is judged at {judged}"
    ]


Judge = Callable[[pd.DataFrame, float, Compare], Claim]
CLAIMS: tuple[Judge, ...] = (judge_degradation, judge_no_degradation, judge_fix)


def judge(
    runs: pd.DataFrame, margin: float, compare: Compare = training_error_difference
) -> list[Claim]:
    """Return every claim about the runs of one condition, in the order of the report.

    Args:
        runs: rows of the frame that differ in family, depth and seed only.
        margin: the difference in points that counts.
        compare: measures the difference of training errors between two groups of runs.
    """
    return [judge_claim(runs, margin, compare) for judge_claim in CLAIMS]
