"""Step 2: does the gradient vanish?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis.claim import Claim, Verdict
from analysis.claims import FamilyPair
from analysis.plain_text import join_words
from analysis.story.wording import (
    Takeaway,
    Wording,
    find_verdict,
    list_takeaways,
)

TITLE = "does the gradient vanish?"
EXPECTATION = (
    "Textbooks blame gradients that vanish on their way back; He et al. 2015 hold that batch "
    "normalisation keeps them healthy."
)
PLAIN = Wording(
    reproduced=(
        "Here those of {plain} networks are healthy throughout: of similar size at all blocks"
    ),
    contradicted="Here those of {plain} networks ",
    inconclusive=(
        "Whether those of {plain} networks are healthy, of similar size at all blocks, is not"
        " settled here"
    ),
    not_tested="These runs cannot test those of {plain} networks",
)
RESIDUAL = Wording(
    reproduced="; those of {residual} networks are healthy throughout",
    contradicted="; those of {residual} networks are not healthy throughout either",
    inconclusive="; for {residual} networks it is open",
)
# If those of the plain networks are healthy
RESIDUAL_ONLY_UNHEALTHY = "; those of {residual} networks are not healthy throughout"
CONSEQUENCE = "Yet a gradient of healthy size can point in a useless direction."
PLAIN_IN_LEAD = Wording(
    reproduced="{plain} networks have healthy gradients",
    contradicted="gradients of {plain} networks are not healthy throughout",
    inconclusive="whether {plain} networks have healthy gradients",
)
RESIDUAL_IN_LEAD = Wording(
    reproduced="{residual} networks have healthy gradients",
    contradicted="gradients of {residual} networks are not healthy throughout",
    inconclusive="whether {residual} networks have healthy gradients",
)
DETAILS = (
    "The loss `E` of a batch is propagated back through the whole network, and the Euclidean norm "
    "of `dE/dx` is measured at the input `x` of every block. If each block multiplies the "
    "gradient by a little less than one, it vanishes on its way to the first blocks; if by a "
    "little more, it explodes. Healthy means that the norms at all blocks are within a factor of "
    "100. The text calls a depth healthy, exploding or vanishing only where a 95 % confidence "
    "bound shows it; the evidence lists the mean factor of each depth and time point."
)


class Pattern(StrEnum):
    """How the norm of the gradient changes on its way back, shown by a confidence bound."""

    HEALTHY = "healthy"
    EXPLODING = "exploding"  # too large a span, and the norm grows towards the first block
    VANISHING = "vanishing"  # too large a span, and the norm shrinks
    UNKNOWN = "unknown"  # no bound decides


@dataclass(frozen=True)
class MeasuredPattern:
    """The gradient of the plain networks of one depth at one time point of training.

    Attributes:
        depth: layers.
        iteration: 0 at initialisation.
        pattern: how its norm changes on its way back.
        reaches_start: whether a bound shows that its norm at the first block is not smaller than
            after the last by the limit of a healthy span, so that it has not vanished.
    """

    depth: int
    iteration: int
    pattern: Pattern
    reaches_start: bool


def tell(claims: Sequence[Claim], pair: FamilyPair, patterns: Sequence[MeasuredPattern]) -> str:
    """Return the three sentences of this step. `patterns`: those of the plain networks."""
    plain, residual = _find_verdicts(claims, pair)
    text = PLAIN.select(plain, pair)
    if plain is Verdict.CONTRADICTED:
        text += describe_patterns(patterns)
    if plain is Verdict.REPRODUCED and residual is Verdict.CONTRADICTED:
        text += RESIDUAL_ONLY_UNHEALTHY.format(residual=pair.residual)
    else:
        text += RESIDUAL.select(residual, pair)
    return f"{EXPECTATION} {text}. {CONSEQUENCE}"


def list_lead(
    claims: Sequence[Claim],
    pair: FamilyPair,
    patterns: Sequence[MeasuredPattern],
    degraded_depth: int | None,
) -> list[Takeaway]:
    """Return what this step adds to the lead.

    `degraded_depth`: the depth at which the degradation of the plain networks is shown, or None.
    The textbook's explanation is contradicted if the gradient has vanished there at no time point.
    """
    takeaways = []
    if degraded_depth is not None and has_not_vanished(patterns, degraded_depth):
        clause = (
            f"at {degraded_depth} layers, where {pair.plain} networks degrade, their gradient does "
            "not vanish"
        )
        takeaways.append(Takeaway(Verdict.CONTRADICTED, clause))
    plain, residual = _find_verdicts(claims, pair)
    return [
        *takeaways,
        *list_takeaways(plain, PLAIN_IN_LEAD, pair),
        *list_takeaways(residual, RESIDUAL_IN_LEAD, pair),
    ]


def _find_verdicts(claims: Sequence[Claim], pair: FamilyPair) -> tuple[Verdict, Verdict]:
    plain = find_verdict(claims, f"healthy norms, {pair.plain}")
    residual = find_verdict(claims, f"healthy norms, {pair.residual}")
    return plain, residual


def has_not_vanished(patterns: Iterable[MeasuredPattern], depth: int) -> bool:
    """Return whether bounds show at each time point that the gradient has not vanished."""
    at_depth = [measured.reaches_start for measured in patterns if measured.depth == depth]
    return bool(at_depth) and all(at_depth)


def describe_patterns(patterns: Sequence[MeasuredPattern]) -> str:
    """Return the depths at which the gradient explodes or vanishes, at the start and in training.

    A depth is called healthy in training only if it is so at each later time point.
    """
    start: dict[int, set[Pattern]] = {}
    later: dict[int, set[Pattern]] = {}
    for measured in patterns:
        stage = later if measured.iteration else start
        stage.setdefault(measured.depth, set()).add(measured.pattern)
    texts = [
        _name_depths("explode at initialisation", _with(start, Pattern.EXPLODING)),
        _name_depths("vanish at initialisation", _with(start, Pattern.VANISHING)),
        _name_depths("explode in training", _with(later, Pattern.EXPLODING)),
        _name_depths("vanish in training", _with(later, Pattern.VANISHING)),
        _name_depths("are healthy in training", _only(later, Pattern.HEALTHY)),
    ]
    return join_words([text for text in texts if text]) or "are not healthy throughout"


def _with(patterns: dict[int, set[Pattern]], pattern: Pattern) -> list[int]:
    return sorted(depth for depth, at_depth in patterns.items() if pattern in at_depth)


def _only(patterns: dict[int, set[Pattern]], pattern: Pattern) -> list[int]:
    return sorted(depth for depth, at_depth in patterns.items() if at_depth == {pattern})


def _name_depths(text: str, depths: Sequence[int]) -> str:
    """Return `explode (44 and 56 layers)`, or empty text without depths."""
    return f"{text} ({join_words([str(depth) for depth in depths])} layers)" if depths else ""
