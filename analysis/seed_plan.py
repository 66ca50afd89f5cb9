"""How many seeds the three main claims need, before anything is trained, from assumed numbers."""

from collections.abc import Mapping, Set
from typing import Literal

from analysis.claim_names import DEGRADATION, FIX, NO_DEGRADATION
from analysis.estimates import Difference
from analysis.family_pairs import FAMILY_PAIRS, FamilyPair
from analysis.seeds_needed import MAX_SEEDS, PROBABILITY_TEXT, count_seeds
from analysis.statistics import contrast_from_summaries


def plan_seeds(
    depths: Mapping[str, Set[int]], margin: float, spread: float, effect: float
) -> list[str]:
    """Return a line for each main claim that these networks can test, below a line of assumptions.

    Claims of a difference are planned for a true difference of `effect`. *No degradation* is
    planned for a true difference of 0, and needs a bound for each deeper network.

    Args:
        depths: depths by family.
        margin: the difference in points that counts.
        spread: assumed standard deviation of the training error between seeds, in points, the same
            in every network.
        effect: assumed difference in points; not the margin, at which no number of seeds decides.
    """
    lines = [
        line for pair in FAMILY_PAIRS for line in _plan_pair(pair, depths, spread, effect, margin)
    ]
    if not lines:
        return ["seeds: none of the three main claims can be tested with these networks"]
    header = (
        f"seeds per network for a verdict with {PROBABILITY_TEXT}, if training errors of different"
        f" seeds have a standard deviation of {spread:g} points (margin: {margin:g} points):"
    )
    return [header, *(f"  {line}" for line in lines)]


def _plan_pair(
    pair: FamilyPair, depths: Mapping[str, Set[int]], spread: float, effect: float, margin: float
) -> list[str]:
    """Return the lines of the claims about one pair of families. Arguments: see `plan_seeds`."""
    plain, residual = depths.get(pair.plain, set()), depths.get(pair.residual, set())
    difference = {0: _assume_difference(effect, spread)}
    lines = []
    if len(plain) > 1:
        number = _format_count(difference, "above", margin)
        compared = f"{pair.plain}-{max(plain)} minus {pair.plain}-{min(plain)} is {effect:g} points"
        lines.append(f"{DEGRADATION}: {number}, if {compared}")
    if len(residual) > 1:
        deeper = len(residual) - 1
        none = {depth: _assume_difference(0.0, spread) for depth in range(deeper)}
        number = _format_count(none, "below", margin)
        which = "both depths have" if deeper == 1 else f"all {deeper + 1} depths have"
        lines.append(
            f"{NO_DEGRADATION}: {number}, if {which} the same error in {pair.residual} networks"
        )
    shared = plain & residual
    if shared:
        number = _format_count(difference, "above", margin)
        compared = (
            f"{pair.plain}-{max(shared)} minus {pair.residual}-{max(shared)} is {effect:g} points"
        )
        lines.append(f"{FIX}: {number}, if {compared}")
    return lines


def _assume_difference(mean: float, spread: float) -> Difference:
    """Return the difference of two groups; their number of runs does not matter."""
    runs = 2
    return contrast_from_summaries(mean, [spread**2 / runs] * 2, [runs] * 2)


def _format_count(
    differences: Mapping[int, Difference], relation: Literal["below", "above"], margin: float
) -> str:
    """Return the number of seeds that decide, or that it is too large."""
    seeds = count_seeds(differences, relation, margin)
    if seeds is None or seeds.count is None:
        return f"more than {MAX_SEEDS:,}"
    return f"{seeds.count:,}"
