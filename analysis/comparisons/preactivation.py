"""Batch normalisation and ReLU before each convolution or after it (He et al. 2016)."""

import pandas as pd

from analysis.claim import (
    Claim,
    count_seeds_if_open,
    decide,
    training_error_difference,
)
from analysis.comparisons.base import FactorSection
from analysis.evidence import compare_groups, describe_caveats, format_bound
from analysis.frame import group_by_depth
from analysis.plain_text import format_change
from analysis.plain_words import add_doubt
from analysis.requirements import missing_requirements

KEY = "config.model.order"


def judge_no_worse(runs: pd.DataFrame, family: str, baseline: str, margin: float) -> Claim:
    """Judge whether a family's training error is less than a margin above the baseline's.

    The difference must be below the margin at every depth that both have (`decide`).
    """
    statement = (
        f"{family} networks: at no depth is the training error {margin:g} points or more above the"
        f" {baseline} network's"
    )
    groups, baselines = group_by_depth(runs, family), group_by_depth(runs, baseline)
    reasons = missing_requirements({family: groups, baseline: baselines}, depths=1)
    if reasons:
        return Claim.not_tested(family, statement, reasons)
    differences = {}
    lines = {}
    for depth in sorted(groups.keys() & baselines.keys()):
        differences[depth] = training_error_difference(groups[depth], baselines[depth])
        label = f"{family} minus {baseline}, {depth} layers"
        lines[depth] = compare_groups(label, differences[depth], groups[depth], baselines[depth])
    if not differences:
        return Claim.not_tested(family, statement, ["the families have no depth in common"])
    decision = decide(differences, "below", margin)
    line = format_bound(differences[decision.worst], decision.side, decision.bound_count)
    decisive_line = f"worst case, {decision.worst} layers, {family} minus {baseline}: {line}"
    notes = describe_caveats(runs, groups, baselines)
    change = format_change(differences[decision.worst].mean)
    return Claim(
        family,
        statement,
        decision.verdict,
        decisive_line,
        [*lines.values()],
        notes,
        plain_words=(
            f"At {decision.worst} layers {family} instead of {baseline} blocks change the training"
            f" error by {change} points{add_doubt(decision.verdict)}."
        ),
        depths=(decision.worst,),
        deciding_label=lines[decision.worst].label,
        bound_count=decision.bound_count,
        seeds_needed=count_seeds_if_open(decision, differences, "below", margin),
    )


def judge(runs: pd.DataFrame, margin: float) -> list[Claim]:
    return [judge_no_worse(runs, "preactivation", "residual", margin)]


SECTION = FactorSection(
    title="Pre-activation",
    name="order",
    axis="order",
    caption=(
        "Training error by the order of convolution, batch normalisation and ReLU: post (He et al."
        " 2015) and pre (He et al. 2016)."
    ),
    judge=judge,
)
