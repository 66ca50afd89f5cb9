"""BN and ReLU before each convolution, or after it (He et al. 2016)."""

import pandas as pd

from analysis.claim import Claim, Verdict, decide, training_error_difference
from analysis.comparisons.base import BARS, Comparison, build_table
from analysis.evidence import caveats, format_bound, format_comparison
from analysis.figures import error_vs_factor
from analysis.frame import Frame, group_by_depth
from analysis.requirements import missing_requirements

ORDER = "config.model.order"


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if keys != [ORDER]:
        return None
    runs = frame.runs
    claims = [_no_worse(runs, "preactivation", "residual", margin)]
    caption = (
        f"Training error by the order of convolution, BN and ReLU: post (2015), pre (2016). {BARS}"
    )
    figures = {"order": (error_vs_factor.plot(frame, ORDER, "order", connected=False), caption)}
    return Comparison("order", "Pre-activation", claims, build_table(runs, ORDER), figures)


def _no_worse(runs: pd.DataFrame, one: str, other: str, margin: float) -> Claim:
    """At every depth the training error of `one` is less than a margin above that of `other` (`decide`)."""
    statement = f"{one} nets: at no depth a training error {margin:g} points or more above the {other} net's"
    first, second = group_by_depth(runs, one), group_by_depth(runs, other)
    if reasons := missing_requirements({one: first, other: second}, depths=1):
        return Claim(one, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    differences = {
        depth: training_error_difference(first[depth], second[depth])
        for depth in sorted(first.keys() & second.keys())
    }
    if not differences:
        return Claim(one, statement, Verdict.NOT_TESTED, "no depth in common", [])
    evidence = [
        f"{one} minus {other}, {depth} layers: {format_comparison(difference, first[depth], second[depth])}"
        for depth, difference in differences.items()
    ]
    decision = decide(differences, "below", margin)
    line = format_bound(differences[decision.worst], decision.side, decision.simultaneous)
    decisive = f"at worst {decision.worst} layers, {one} minus {other}: {line}"
    return Claim(one, statement, decision.verdict, decisive, evidence, caveats(runs, first, second))
