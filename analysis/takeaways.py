"""The title of a figure that says what the figure shows, made from the verdicts of the claims.

A title is true for every outcome: what is not decided is not mentioned, and a figure about which
nothing is decided has no such title.
"""

from collections.abc import Mapping, Sequence

from analysis.claim import Claim, Verdict
from analysis.claims import FamilyPair

DECIDED = (Verdict.REPRODUCED, Verdict.CONTRADICTED)
# What networks do, or do not do, with depth: by the stem of the figure.
DEGRADING = {
    "error-against-depth": "get worse with depth",
    "error-against-iteration": "end with a higher training error if they are deeper",
}
# The claim that a figure of a mechanism or a comparison shows, by the beginnings of its name.
CLAIM_NAMES = {
    "convergence": "exponentially slow",
    "gradient-flow": "healthy norms",
    "shattering": "shattered gradients",
    "responses": "weaker responses",
    "paths": "short paths",
    "lesions": "lesions",
}
PUBLISHED, PUBLISHED_NOTHING = "published ", "published numbers"


def state_takeaway(stem: str, claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return a figure's takeaway, or empty text if nothing is decided about it.

    `stem`: that of the figure, without the number of a condition. `claims`: those of its section.
    """
    if stem in DEGRADING:
        return _state_degradation(DEGRADING[stem], claims, pair)
    if stem == "published":
        return _count_published(claims)
    name = CLAIM_NAMES.get(stem)
    claim = next((c for c in claims if name is not None and c.name.startswith(name)), None)
    if claim is None or claim.verdict not in DECIDED:
        return ""
    return claim.plain_words.removesuffix(".")


def _state_degradation(phrase: str, claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return which of the two families do what the phrase says."""
    verdicts = {claim.name: claim.verdict for claim in claims}
    degrades = {
        pair.plain: _read(verdicts, "degradation", Verdict.REPRODUCED),
        pair.residual: _read(verdicts, "no degradation", Verdict.CONTRADICTED),
    }
    worse = [family for family, degraded in degrades.items() if degraded is True]
    not_worse = [family for family, degraded in degrades.items() if degraded is False]
    if len(worse) == 2:
        return _capitalise(f"both {worse[0]} and {worse[1]} networks {phrase}")
    if len(not_worse) == 2:
        return _capitalise(f"neither {not_worse[0]} nor {not_worse[1]} networks {phrase}")
    if worse and not_worse:
        return _capitalise(f"{worse[0]} networks {phrase}; {not_worse[0]} networks do not")
    if worse:
        return _capitalise(f"{worse[0]} networks {phrase}")
    return _capitalise(f"{not_worse[0]} networks do not {phrase}") if not_worse else ""


def _read(verdicts: Mapping[str, Verdict], name: str, when_worse: Verdict) -> bool | None:
    """Return whether a claim says that the networks get worse, or None if it is not decided."""
    verdict = verdicts.get(name)
    return verdict is when_worse if verdict in DECIDED else None


def _count_published(claims: Sequence[Claim]) -> str:
    """Return how many networks are shown to have the test error that the paper reports."""
    compared = [
        claim
        for claim in claims
        if claim.name.startswith(PUBLISHED)
        and claim.name != PUBLISHED_NOTHING
        and not claim.name.endswith(", training")
        and claim.verdict in DECIDED
    ]
    if not compared:
        return ""
    equal = sum(claim.verdict is Verdict.REPRODUCED for claim in compared)
    return f"{equal} of {len(compared)} networks have the published test error"


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
