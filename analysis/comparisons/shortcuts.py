"""Projections are not essential: A, B and C differ little beside the gap to plain (He et al. 2015, 3.3, table 3)."""

import pandas as pd

from analysis.claim import Claim, Verdict, is_untrained, training_error_difference
from analysis.claims import family_pair
from analysis.comparisons.base import BARS, Comparison, build_table
from analysis.evidence import caveats, format_comparison
from analysis.figures import error_vs_factor
from analysis.frame import Frame, group_by_depth
from analysis.requirements import missing_requirements
from analysis.statistics import Difference, bonferroni_level

SHORTCUT = "config.model.shortcut"


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if keys != [SHORTCUT]:
        return None
    runs = frame.runs
    claim = projections(runs, margin)
    caption = f"Training error of the last iteration by shortcut. {BARS}"
    figures = {
        "shortcuts": (error_vs_factor.plot(frame, SHORTCUT, "shortcut", connected=False), caption)
    }
    return Comparison(
        "shortcuts", "Shortcuts: none, A, B, C", [claim], build_table(runs, SHORTCUT), figures
    )


def projections(runs: pd.DataFrame, margin: float) -> Claim:
    """At the deepest plain net that trains: is each difference between options below half of the gap to plain?

    The gap itself must be above the margin: where there is none, nothing is to be compared. Which bounds are set
    against each other: `_verdict`.
    """
    name = "projections"
    statement = (
        "A, B and C differ from each other by less than half of what shortcuts gain over plain"
    )
    pair = family_pair(runs)
    plain = group_by_depth(runs, pair.plain)
    options = {
        str(value): part for value, part in runs[runs["family"] == pair.residual].groupby(SHORTCUT)
    }
    groups = {option: group_by_depth(part, pair.residual) for option, part in options.items()}
    if reasons := missing_requirements({pair.plain: plain, **groups}, depths=1):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    notes = caveats(runs, plain, *groups.values())
    shared = set(plain).intersection(*groups.values())
    trained = [depth for depth in shared if not is_untrained(plain[depth])]
    if not trained:
        return Claim(
            name,
            statement,
            Verdict.NOT_TESTED,
            "no depth in common at which a plain net trains",
            [],
            notes,
        )
    depth = max(trained)
    first = min(groups)
    gap = training_error_difference(plain[depth], groups[first][depth])
    evidence = [
        f"{pair.plain} minus {first}, {depth} layers: {format_comparison(gap, plain[depth], groups[first][depth])}"
    ]
    between = {}
    named = sorted(groups)
    for index, one in enumerate(named):
        for other in named[index + 1 :]:
            difference = training_error_difference(groups[one][depth], groups[other][depth])
            line = format_comparison(difference, groups[one][depth], groups[other][depth])
            evidence.append(f"{one} minus {other}, {depth} layers: {line}")
            between[f"{one} minus {other}"] = difference
    verdict, line = _verdict(between, gap, margin)
    return Claim(name, statement, verdict, f"{depth} layers: {line}", evidence, notes)


def _verdict(between: dict[str, Difference], gap: Difference, margin: float) -> tuple[Verdict, str]:
    """The differences between options against half of the gap to plain: the verdict, and the line that it rests on.

    Reproduced: each difference is so small. Two bounds are needed for it, one of the difference and one of the gap, so
    each has 97.5 % and both have 95 %. Contradicted: any difference is so large, and all bounds hold together with 95 %
    (Bonferroni): those of each difference on either side, and that of the gap.
    """
    most = {name: max(abs(each.low), abs(each.high)) for name, each in between.items()}
    worst = max(most, key=lambda name: most[name])
    small = f"at most {most[worst]:.2f} points between options ({worst}), gap to plain {gap.mean:+.2f} points"
    small += f", at least {gap.low:+.2f} (bounds of 97.5 % each)"
    if gap.lower > margin and all(size < gap.low / 2 for size in most.values()):
        return Verdict.REPRODUCED, small
    together = 2 * len(between) + 1
    level = bonferroni_level(together)
    least = {
        name: max(each.lower_at(level), -each.upper_at(level)) for name, each in between.items()
    }
    worst = max(least, key=lambda name: least[name])
    at_most = gap.upper_at(level)
    if any(size > max(at_most, 0) / 2 for size in least.values()):
        line = f"at least {least[worst]:.2f} points between options ({worst}), gap to plain {gap.mean:+.2f} points"
        return (
            Verdict.CONTRADICTED,
            f"{line}, at most {at_most:+.2f} ({together} bounds, together 95 %)",
        )
    return Verdict.INCONCLUSIVE, small
