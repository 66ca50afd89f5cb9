"""Projections are not essential: shortcuts A, B and C differ little compared with the gap to plain.

He et al. (2015), section 3.3 and table 3.
"""

from itertools import combinations

import pandas as pd

from analysis.claim import (
    Claim,
    RunsByDepth,
    Verdict,
    is_no_better_than_chance,
    training_error_difference,
)
from analysis.comparisons.base import FactorSection
from analysis.estimates import Difference
from analysis.evidence import compare_groups, describe_caveats
from analysis.family_pairs import family_pair
from analysis.frame import group_by_depth
from analysis.gap import Reason
from analysis.multiple_testing import bonferroni_level
from analysis.plain_text import format_amount, format_change, join_words
from analysis.plain_words import add_doubt
from analysis.requirements import missing_requirements

KEY = "config.model.shortcut"
PAPER_SHORTCUTS = ("A", "B", "C")  # those of the paper


def judge_projections(runs: pd.DataFrame, margin: float) -> Claim:
    """Judge whether the shortcuts differ from each other by less than half of the gap to plain.

    Measured at the deepest plain network that is better than chance. The gap itself must exceed the
    margin: without a gap there is nothing to compare with. `_decide` says which bounds are
    compared.
    """
    name = "projections"
    statement = "A, B and C differ from each other by less than half of what A gains over plain"
    pair = family_pair(runs)
    plain = group_by_depth(runs, pair.plain)
    options = _group_by_option(runs, pair.residual)
    reasons = _list_missing_options(options)
    reasons += missing_requirements({pair.plain: plain, **options}, depths=1)
    if reasons:
        return Claim.not_tested(name, statement, reasons)
    notes = describe_caveats(runs, plain, *options.values())
    depth = _find_deepest_trained(plain, options)
    if depth is None:
        reason = "the families share no depth at which the plain network is better than chance"
        return Claim.not_tested(name, statement, [reason], notes)
    networks = {option: groups[depth] for option, groups in options.items()}
    first = min(networks)
    gap = training_error_difference(plain[depth], networks[first])
    label = f"{pair.plain} minus {first}, {depth} layers"
    evidence = [compare_groups(label, gap, plain[depth], networks[first])]
    differences = {}
    for a, b in combinations(sorted(networks), 2):
        difference = training_error_difference(networks[a], networks[b])
        differences[f"{a} minus {b}"] = difference
        label = f"{a} minus {b}, {depth} layers"
        evidence.append(compare_groups(label, difference, networks[a], networks[b]))
    verdict, line = _decide(differences, gap, margin)
    return Claim(
        name,
        statement,
        verdict,
        f"{depth} layers: {line}",
        evidence,
        notes,
        plain_words=_describe(differences, gap, depth, verdict),
        depths=(depth,),
    )


def _describe(
    differences: dict[str, Difference], gap: Difference, depth: int, verdict: Verdict
) -> str:
    """Compare the options' differences with what A gains, in a short sentence."""
    largest = max(abs(difference.mean) for difference in differences.values())
    return (
        f"At {depth} layers A, B and C differ by up to {format_amount(largest)} points; A gains"
        f" {format_change(gap.mean)} over plain{add_doubt(verdict)}."
    )


def _group_by_option(runs: pd.DataFrame, family: str) -> dict[str, RunsByDepth]:
    """Return the runs of a family by shortcut and depth."""
    by_shortcut = runs[runs["family"] == family].groupby(KEY)
    return {str(option): group_by_depth(group, family) for option, group in by_shortcut}


def _list_missing_options(options: dict[str, RunsByDepth]) -> list[Reason]:
    """Return a reason if the runs lack an option that the statement names, or an empty list."""
    if set(PAPER_SHORTCUTS) <= set(options):
        return []
    present = join_words(sorted(options)) or "none"
    return [f"needs shortcuts {join_words(PAPER_SHORTCUTS)}, has {present}"]


def _find_deepest_trained(plain: RunsByDepth, options: dict[str, RunsByDepth]) -> int | None:
    """Return the greatest depth of all options whose plain network is better than chance."""
    shared = set(plain).intersection(*options.values())
    trained = [depth for depth in shared if not is_no_better_than_chance(plain[depth])]
    return max(trained, default=None)


def _decide(
    differences: dict[str, Difference], gap: Difference, margin: float
) -> tuple[Verdict, str]:
    """Compare the differences between options with half of the gap to plain.

    Returns the verdict and the line that it rests on.

    Reproduced: every difference is smaller than half of the gap. This takes two bounds, one of the
    difference and one of the gap, each at the 97.5 % level, so both hold jointly with 95 %.
    Contradicted: some difference is larger. Here the bounds of every difference on either side and
    that of the gap hold jointly with 95 % (Bonferroni).
    """
    sizes = {
        name: max(abs(difference.low), abs(difference.high))
        for name, difference in differences.items()
    }
    largest = max(sizes, key=lambda name: sizes[name])
    at_most = (
        f"options differ by at most {sizes[largest]:.2f} points ({largest}); the gap to plain is"
        f" {gap.mean:+.2f} points, at least {gap.low:+.2f} (each bound at 97.5 %)"
    )
    if gap.lower > margin and all(size < gap.low / 2 for size in sizes.values()):
        return Verdict.REPRODUCED, at_most
    bounds = 2 * len(differences) + 1
    level = bonferroni_level(bounds)
    smallest_sizes = {}
    for name, difference in differences.items():
        smallest_sizes[name] = max(difference.lower_at(level), -difference.upper_at(level))
    largest = max(smallest_sizes, key=lambda name: smallest_sizes[name])
    greatest_gap = gap.upper_at(level)
    if any(size > max(greatest_gap, 0) / 2 for size in smallest_sizes.values()):
        at_least = (
            f"options differ by at least {smallest_sizes[largest]:.2f} points ({largest}); the gap"
            f" to plain is {gap.mean:+.2f} points, at most {greatest_gap:+.2f}"
            f" ({bounds} bounds, jointly 95 %)"
        )
        return Verdict.CONTRADICTED, at_least
    return Verdict.INCONCLUSIVE, at_most


def judge(runs: pd.DataFrame, margin: float) -> list[Claim]:
    return [judge_projections(runs, margin)]


SECTION = FactorSection(
    title="Shortcuts: none, A, B, C",
    name="shortcuts",
    axis="shortcut",
    caption="Training error of the last iteration by shortcut.",
    judge=judge,
)
