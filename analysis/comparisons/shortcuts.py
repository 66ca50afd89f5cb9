"""Projections are not essential: A, B and C differ little beside the gap to plain (He et al. 2015, 3.3, table 3)."""

import pandas as pd

from analysis.claims import pair_of
from analysis.comparisons.base import BARS, Comparison, table_of
from analysis.evidence import Claim, Verdict, all_bounds, bound, difference_of, notes_on, untestable, untrained
from analysis.figures import against
from analysis.frame import Frame, by_depth

SHORTCUT = "config.model.shortcut"


def make(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if keys != [SHORTCUT]:
        return None
    runs = frame.runs
    claim = projections(runs, margin)
    caption = f"Training error of the last iteration by shortcut. {BARS}"
    figures = {"shortcuts": (against.figure(frame, SHORTCUT, "shortcut", connected=False), caption)}
    return Comparison("shortcuts", "Shortcuts: none, A, B, C", [claim], table_of(runs, SHORTCUT), figures)


def projections(runs: pd.DataFrame, margin: float) -> Claim:
    """At the deepest plain net that trains: is each difference between options below half of the gap to plain?

    The gap itself must be above the margin: where there is none, nothing is to be compared.
    """
    name = "projections"
    statement = "A, B and C differ from each other by less than half of what shortcuts gain over plain"
    pair = pair_of(runs)
    plain = by_depth(runs, pair.plain)
    options = {str(value): part for value, part in runs[runs["family"] == pair.residual].groupby(SHORTCUT)}
    groups = {option: by_depth(part, pair.residual) for option, part in options.items()}
    if reasons := untestable({pair.plain: plain, **groups}, depths=1):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    notes = notes_on(runs, plain, *groups.values())
    shared = set(plain).intersection(*groups.values())
    trained = [depth for depth in shared if not untrained(plain[depth])]
    if not trained:
        return Claim(name, statement, Verdict.NOT_TESTED, "no depth in common at which a plain net trains", [], notes)
    depth = max(trained)
    first = min(groups)
    gap = difference_of(plain[depth], groups[first][depth])
    evidence = [f"{pair.plain} minus {first}, {depth} layers: {all_bounds(gap)}"]
    spans = []
    named = sorted(groups)
    for index, one in enumerate(named):
        for other in named[index + 1 :]:
            difference = difference_of(groups[one][depth], groups[other][depth])
            evidence.append(f"{one} minus {other}, {depth} layers: {all_bounds(difference)}")
            low, high = difference.low, difference.high
            least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
            spans.append((max(abs(low), abs(high)), least, f"{one} minus {other}"))
    most, _, worst = max(spans)
    if gap.lower > margin and most < gap.lower / 2:
        verdict = Verdict.REPRODUCED
    else:
        least = max(one[1] for one in spans)
        verdict = Verdict.CONTRADICTED if least > max(gap.upper, 0) / 2 else Verdict.INCONCLUSIVE
    decisive = (
        f"{depth} layers: at most {most:.2f} points between options ({worst}, 95 % interval), gap to plain"
        f" {bound(gap, 'lower')}"
    )
    return Claim(name, statement, verdict, decisive, evidence, notes)
