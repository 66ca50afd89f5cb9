"""How sure an outcome is, in a line for a reader who knows no statistics."""

from collections.abc import Sequence

from analysis.claim import Check, Claim, Finding, Verdict

TEXTS = {
    Verdict.REPRODUCED: "With 95 % confidence, from {seeds}.",
    Verdict.CONTRADICTED: "Contradicted with 95 % confidence, from {seeds}.",
    Verdict.INCONCLUSIVE: "Not settled; {seeds} leave both answers open.",
    Verdict.NOT_TESTED: "Not known; these runs cannot test it.",
}
SETTLED_BY = "Not settled by {seeds}; about {count:,} per network probably would settle it."
NOT_SETTLED_BY = "Not settled by {seeds}; the difference is too close to the margin for any number."
MORE_SEEDS = "more seeds"
NEGLIGIBLE = "Too small to matter, with 95 % confidence, from {seeds}."
# Of the headline of a comparison: its questions, about all values together, may be open although
# the headline says what is sure of single values.
STATED = "What is stated above holds with 95 % confidence; sizes are means over seeds."
ANSWERED = "With 95 % confidence, from {seeds}."


def describe_certainty(claim: Claim, seeds: str) -> str:
    """Return how sure the outcome of a claim is; empty text for a check, which needs no seeds.

    Args:
        claim: the claim.
        seeds: how many its networks have, such as `3 seeds`.
    """
    if isinstance(claim, Check):
        return ""
    if claim.remedy:
        return f"Not settled; it needs {claim.remedy}."
    text = TEXTS[claim.verdict]
    if claim.seeds_needed is not None:
        count = claim.seeds_needed.count
        return (SETTLED_BY if count else NOT_SETTLED_BY).format(seeds=seeds, count=count)
    if claim.verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
        if claim.is_negligible:
            text = NEGLIGIBLE
        elif isinstance(claim, Finding):
            text = ANSWERED
    return text.format(seeds=seeds)


def describe_remedy(claim: Claim) -> str:
    """Return what may settle a claim that is open, or empty text.

    Why a claim is not tested says what it lacks, so it gets no other words.
    """
    is_open = claim.outcome == Verdict.INCONCLUSIVE and not isinstance(claim, Check)
    if claim.remedy or not is_open:
        return claim.remedy
    return claim.seeds_needed.describe() if claim.seeds_needed else MORE_SEEDS


def join_certainties(certainties: Sequence[str]) -> str:
    """Return one line for several claims that are equally sure; otherwise empty text."""
    if len(certainties) < 2 or len(set(certainties)) > 1 or not certainties[0]:
        return ""
    return f"Each verdict below: {certainties[0][0].lower()}{certainties[0][1:]}"
