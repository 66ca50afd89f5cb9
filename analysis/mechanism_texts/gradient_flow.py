"""Step 2: does the gradient vanish?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.claim import Claim, Verdict, find_claim
from analysis.claim_names import name_healthy_gradients
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import (
    LeadItem,
    Role,
    Wording,
    find_verdict,
    list_lead_items,
)
from analysis.plain_text import join_words

TITLE = "does the gradient vanish?"
EXPECTATION = (
    "Textbooks blame gradients that shrink (vanish) or grow (explode) on their way back from the "
    "loss `E` to a block's input `x`; He et al. 2015 hold that batch normalisation keeps them "
    "healthy: here, within a factor of 100 over all blocks."
)
PLAIN = Wording(
    reproduced="Those of {plain} networks are healthy throughout",
    contradicted="Those of {plain} networks ",
    inconclusive="Whether those of {plain} networks are healthy is not settled here",
    not_tested="These runs cannot test those of {plain} networks",
)
RESIDUAL = Wording(
    reproduced="; those of {residual} networks are healthy throughout",
    contradicted="; those of {residual} networks are not healthy throughout either",
    inconclusive="; for {residual} networks it is open",
)
# If those of the plain networks are healthy
RESIDUAL_ONLY_UNHEALTHY = "; those of {residual} networks are not healthy throughout"
# Where the mean says so but the bound does not.
SEEM = ' ("Seem": by the mean, not yet by a bound.)'
PLAIN_IN_LEAD = Wording(
    reproduced="gradients of {plain} networks stay within a factor of 100 between blocks",
    contradicted=(
        "gradients of {plain} networks vary more than a hundredfold at some depth and time point"
    ),
    inconclusive="whether gradients of {plain} networks stay within a factor of 100",
)
RESIDUAL_IN_LEAD = Wording(
    reproduced="gradients of {residual} networks stay within a factor of 100 between blocks",
    contradicted=(
        "gradients of {residual} networks vary more than a hundredfold at some depth and time point"
    ),
    inconclusive="whether gradients of {residual} networks stay within a factor of 100",
)
DETAILS = (
    "The loss `E` of a batch is propagated back through the whole network, and the Euclidean norm "
    "of `dE/dx` is measured at the input `x` of every block. If each block multiplies the "
    "gradient by a little less than one, it vanishes on its way to the first blocks; if by a "
    "little more, it explodes. Healthy means that the norms at all blocks are within a factor of "
    "100. This limit is a choice: it is wider than the factor between the stages of a shallow "
    "network, whose blocks differ in shape, and far below what a gradient that vanishes or "
    "explodes reaches in a deep one. The text says 'seem' where the mean over seeds lies on one "
    "side of the limit, but no 95 % confidence bound shows it; the evidence lists the mean "
    "factor of each depth and time point."
)


class Pattern(StrEnum):
    """How the norm of the gradient changes on its way back."""

    HEALTHY = "healthy"
    EXPLODING = "exploding"  # too large a span, and the norm grows towards the first block
    VANISHING = "vanishing"  # too large a span, and the norm shrinks
    UNKNOWN = "unknown"  # no bound decides, or the norm neither grows nor shrinks in all runs


@dataclass(frozen=True)
class MeasuredPattern:
    """The gradient of the plain networks of one depth at one time point of training.

    Attributes:
        depth: layers.
        iteration: 0 at initialisation.
        pattern: how its norm changes on its way back, as a confidence bound shows it.
        mean_pattern: the same by the mean over runs, without a bound.
        reaches_start: whether a bound shows that its norm at the first block is not smaller than
            after the last by the limit of a healthy span, so that it has not vanished.
    """

    depth: int
    iteration: int
    pattern: Pattern
    reaches_start: bool
    mean_pattern: Pattern = Pattern.UNKNOWN


def write_introduction(
    claims: Sequence[Claim],
    pair: FamilyPair,
    patterns: Sequence[MeasuredPattern],
    degraded_depth: int | None = None,
) -> str:
    """Return the sentences of this step.

    `patterns`: those of the plain networks. `degraded_depth`: see `list_lead`.
    """
    of_plain = name_healthy_gradients(pair.plain)
    of_residual = name_healthy_gradients(pair.residual)
    plain, residual = find_verdict(claims, of_plain), find_verdict(claims, of_residual)
    text = PLAIN.select(find_claim(claims, of_plain), pair)
    note = ""
    if plain is Verdict.CONTRADICTED:
        described = describe_patterns(patterns, degraded_depth)
        text += described.text
        if described.is_by_mean:
            note = SEEM
    if plain is Verdict.REPRODUCED and residual is Verdict.CONTRADICTED:
        text += RESIDUAL_ONLY_UNHEALTHY.format(residual=pair.residual)
    else:
        text += RESIDUAL.select(find_claim(claims, of_residual), pair)
    return f"{EXPECTATION} {text}.{note}"


def list_lead(
    claims: Sequence[Claim],
    pair: FamilyPair,
    patterns: Sequence[MeasuredPattern],
    degraded_depth: int | None,
) -> list[LeadItem]:
    """Return what this step adds to the lead.

    `degraded_depth`: the depth at which the degradation of the plain networks is shown, or None.
    The textbook's explanation is contradicted if the gradient has vanished there at no time point.
    """
    items = []
    if degraded_depth is not None and has_not_vanished(patterns, degraded_depth):
        clause = (
            f"at the time points probed, a vanishing gradient at {degraded_depth} layers, where"
            f" {pair.plain} networks degrade"
        )
        items.append(LeadItem(Verdict.CONTRADICTED, clause, Role.RULED_OUT))
    return [
        *items,
        *list_lead_items(claims, name_healthy_gradients(pair.plain), PLAIN_IN_LEAD, pair),
        *list_lead_items(claims, name_healthy_gradients(pair.residual), RESIDUAL_IN_LEAD, pair),
    ]


def has_not_vanished(patterns: Iterable[MeasuredPattern], depth: int) -> bool:
    """Return whether bounds show at each time point that the gradient has not vanished."""
    at_depth = [measured.reaches_start for measured in patterns if measured.depth == depth]
    return bool(at_depth) and all(at_depth)


@dataclass(frozen=True)
class Described:
    """What the gradient does, in words.

    Attributes:
        text: the words.
        is_by_mean: whether a part of them follows from a mean over seeds only, not from a bound.
    """

    text: str
    is_by_mean: bool


def describe_patterns(
    patterns: Sequence[MeasuredPattern], degraded_depth: int | None = None
) -> Described:
    """Return what the gradient of each depth does at initialisation, and then in training.

    The depth at which degradation is shown comes first, then the deepest. Depths at which the
    gradient does the same are named together.
    """
    by_depth: dict[int, list[MeasuredPattern]] = {}
    for measured in patterns:
        by_depth.setdefault(measured.depth, []).append(measured)
    order = sorted(by_depth, key=lambda depth: (depth != degraded_depth, -depth))
    depths_of: dict[tuple[str, str], list[int]] = {}
    is_by_mean = False
    for depth in order:
        start = _describe([measured for measured in by_depth[depth] if not measured.iteration])
        later = _describe([measured for measured in by_depth[depth] if measured.iteration])
        depths_of.setdefault((start.text, later.text), []).append(depth)
        is_by_mean = is_by_mean or start.is_by_mean or later.is_by_mean
    texts: list[str] = []
    for (at_start, in_training), depths in depths_of.items():
        layers = " layers" if not texts else ""
        named_depths = join_words([str(depth) for depth in depths])
        texts.append(f"{_join_stages(at_start, in_training)} ({named_depths}{layers})")
    return Described("; ".join(texts) or "are not healthy throughout", is_by_mean)


def _join_stages(start: str, later: str) -> str:
    """Return `first explode, then are healthy`; empty text stands for no time point."""
    if start == later:
        return f"{start} throughout"
    if not later:
        return f"{start} at initialisation"
    return f"first {start}, then {later}" if start else f"{later} in training"


def _describe(patterns: Sequence[MeasuredPattern]) -> Described:
    """Return what the gradient does over some time points: `explode`, `seem healthy`.

    It is healthy only if it is so at each of them. The text is empty for no time point.
    """
    if not patterns:
        return Described("", is_by_mean=False)
    shown = {measured.pattern for measured in patterns}
    likely = shown | {measured.mean_pattern for measured in patterns}
    for pattern, verb in ((Pattern.EXPLODING, "explode"), (Pattern.VANISHING, "vanish")):
        if pattern in shown:
            return Described(verb, is_by_mean=False)
        if pattern in likely:
            return Described(f"seem to {verb}", is_by_mean=True)
    if shown == {Pattern.HEALTHY}:
        return Described("are healthy", is_by_mean=False)
    if {measured.mean_pattern for measured in patterns} == {Pattern.HEALTHY}:
        return Described("seem healthy", is_by_mean=True)
    return Described("are undecided", is_by_mean=False)
