"""The title of a figure that says what the figure shows, made from the verdicts of the claims.

A title is true for every outcome: what is not decided is not mentioned, and a figure about which
nothing is decided has no such title.
"""

from collections.abc import Mapping, Sequence

from analysis.claim import Claim, Verdict
from analysis.claim_names import (
    DEGRADATION,
    EXPONENTIAL_SLOWING,
    NO_DEGRADATION,
    REMOVING_A_BLOCK,
    SHATTERED_GRADIENTS,
    SHORT_PATHS,
    WEAKER_RESPONSES,
    Topic,
    name_healthy_gradients,
)
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import Wording
from analysis.plain_text import capitalise_first

DECIDED = (Verdict.REPRODUCED, Verdict.CONTRADICTED)
# What networks do, or do not do, with depth: by the stem of the figure.
DEGRADING = {
    "error-against-depth": "get worse with depth",
    "error-against-iteration": "train worse when deeper",
}
HEALTHY = "have healthy gradients throughout"
# The claim that a figure shows, and the title for each verdict on it. One depth can contradict, so
# that a title must not say the opposite of all depths.
SENTENCES = {
    "convergence": (
        EXPONENTIAL_SLOWING,
        Wording(
            "{plain} networks need exponentially more iterations the deeper they are",
            "the iterations that {plain} networks need do not grow exponentially with depth",
            inconclusive="",
        ),
    ),
    "shattering": (
        SHATTERED_GRADIENTS,
        Wording(
            "before training, gradients shatter in deep {plain} networks, less so in {residual}"
            " ones",
            contradicted="",  # either part of the claim may be wrong
            inconclusive="",
        ),
    ),
    "responses": (
        WEAKER_RESPONSES,
        Wording(
            "the layers of {residual} networks respond more weakly than those of {plain} networks",
            "not at every depth do the layers of {residual} networks respond more weakly",
            inconclusive="",
        ),
    ),
    "paths": (
        SHORT_PATHS,
        Wording(
            "the gradient flows along short paths",
            "not at every depth does the gradient flow along short paths",
            inconclusive="",
        ),
    ),
    "lesions": (
        REMOVING_A_BLOCK,
        Wording(
            "deleting one block costs a {residual} network less than a {plain} one",
            contradicted="",  # it may cost less at every depth, but by less than the margin at one
            inconclusive="",
        ),
    ),
}


def state_takeaway(stem: str, claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return a figure's takeaway, or empty text if nothing is decided about it.

    `stem`: that of the figure, without the end that names a condition. `claims`: those of its
    section.
    """
    by_name = {claim.name: claim for claim in claims}
    if stem in DEGRADING:
        return _compare_families(
            DEGRADING[stem],
            {
                pair.plain: _decide(by_name.get(DEGRADATION), Verdict.REPRODUCED),
                pair.residual: _decide(by_name.get(NO_DEGRADATION), Verdict.CONTRADICTED),
            },
        )
    if stem == "gradient-flow":
        families = (pair.plain, pair.residual)
        healthy = {
            family: _decide(by_name.get(name_healthy_gradients(family)), Verdict.REPRODUCED)
            for family in families
        }
        return _compare_families(HEALTHY, healthy)
    if stem == "published":
        return _count_published(claims)
    if stem not in SENTENCES:
        return ""
    name, wording = SENTENCES[stem]
    claim = by_name.get(name)
    if claim is None or claim.is_negligible:
        return ""
    return capitalise_first(wording.select(claim, pair))


def state_comparison(stem: str, claims: Sequence[Claim]) -> str:
    """Return the takeaway of a figure that compares the values of a key; it may be empty.

    `claims`: those of the comparison. If they are about several strata, nothing is said of all.
    """
    is_by_depth = stem.endswith("-against-depth")
    topic = Topic.DEGRADATION_BY_VALUE if is_by_depth else Topic.SIZE_BY_VALUE
    findings = [claim for claim in claims if claim.topic is topic]
    if len(findings) != 1 or findings[0].verdict not in DECIDED:
        return ""
    return findings[0].plain_words.removesuffix(".")


def _decide(claim: Claim | None, verdict: Verdict) -> bool | None:
    """Return whether a claim has this verdict, or None if it is not decided or negligible."""
    if claim is None or claim.is_negligible or claim.verdict not in DECIDED:
        return None
    return claim.verdict is verdict


def _compare_families(phrase: str, outcomes: Mapping[str, bool | None]) -> str:
    """Return which of two families do what the phrase says. `outcomes`: None where undecided."""
    do = [family for family, outcome in outcomes.items() if outcome is True]
    do_not = [family for family, outcome in outcomes.items() if outcome is False]
    if len(do) == 2:
        text = f"both {do[0]} and {do[1]} networks {phrase}"
    elif len(do_not) == 2:
        text = f"neither {do_not[0]} nor {do_not[1]} networks {phrase}"
    elif do and do_not:
        text = f"{do[0]} networks {phrase}; {do_not[0]} networks do not"
    elif do:
        text = f"{do[0]} networks {phrase}"
    else:
        text = f"{do_not[0]} networks do not {phrase}" if do_not else ""
    return capitalise_first(text)


def _count_published(claims: Sequence[Claim]) -> str:
    """Return how many networks are shown to have the paper's test error, within the margin."""
    verdicts = [
        claim.verdict
        for claim in claims
        if claim.topic is Topic.PUBLISHED_ERROR and claim.verdict is not Verdict.NOT_TESTED
    ]
    if not any(verdict in DECIDED for verdict in verdicts):
        return ""
    equal = verdicts.count(Verdict.REPRODUCED)
    predicate = "are shown to agree" if Verdict.INCONCLUSIVE in verdicts else "agree"
    return f"{equal} of {len(verdicts)} networks {predicate} with the published test error"
