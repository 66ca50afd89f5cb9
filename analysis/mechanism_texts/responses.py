"""Step 6: are the residual functions small?"""

from collections.abc import Sequence

from analysis.claim import Claim, find_claim
from analysis.claim_names import WEAKER_RESPONSES, WEAKER_RESPONSES_WITH_DEPTH
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import (
    LeadItem,
    Wording,
    list_lead_items,
)

TITLE = "are the residual functions small?"
EXPECTATION = (
    "A residual function is what a block's layers add to its shortcut; a response is a layer's "
    "output, here its standard deviation. He et al. 2015 report weaker responses with shortcuts, "
    "and with depth."
)
BY_FAMILY = Wording(
    reproduced="Here {residual} networks respond more weakly than {plain} ones at every depth",
    contradicted=(
        "Here, {where}, {residual} networks respond at least about as strongly as {plain} ones"
    ),
    inconclusive=(
        "Whether {residual} networks respond more weakly than {plain} ones at every depth is "
        "not settled here"
    ),
    not_tested="These runs cannot compare the responses of {residual} and {plain} networks",
)
BY_DEPTH = Wording(
    reproduced="; responses of {residual} networks weaken with depth",
    contradicted="; responses of {residual} networks stay about level with depth, or grow",
    inconclusive="; whether responses of {residual} networks weaken with depth is open",
)
LIMIT_OF_NEGLIGIBLE = (
    " Differences below 5 % of the usual 1 are negligible, however clear on their own scale."
)
BY_FAMILY_IN_LEAD = Wording(
    reproduced="{residual} networks respond more weakly than {plain} ones",
    contradicted="{where} {residual} networks respond at least about as strongly as {plain} ones",
    inconclusive="whether {residual} networks respond more weakly than {plain} ones",
    negligible=("{where}, the difference between the responses of {residual} and {plain} networks"),
)
BY_DEPTH_IN_LEAD = Wording(
    reproduced="responses of {residual} networks weaken with depth",
    contradicted="responses of {residual} networks stay about level with depth, or grow",
    inconclusive="whether responses of {residual} networks weaken with depth",
    negligible="the change of the responses of {residual} networks with depth",
)
DETAILS = (
    "The response of a 3x3 layer is the output of batch normalisation (BN), before the ReLU and "
    "before the addition (in pre-activation networks, where BN comes first, the output of the "
    "convolution). Its measure is the standard deviation over images, channels and positions. BN "
    "sets every standard deviation to its learned scale, which starts at 1: where BN follows each "
    "layer, only training moves them. A difference below the margin is negligible, even if it is "
    "significant. Limits: weight decay alone pulls each scale a little below 1, and a very large "
    "response need not be a useful one, since a single step along an exploding gradient moves BN's "
    "parameters far from their initial values."
)


def write_introduction(claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return the sentences of this step."""
    by_family = find_claim(claims, WEAKER_RESPONSES)
    by_depth = find_claim(claims, WEAKER_RESPONSES_WITH_DEPTH)
    finding = f"{BY_FAMILY.select(by_family, pair)}{BY_DEPTH.select(by_depth, pair)}."
    is_small = any(claim is not None and claim.is_negligible for claim in (by_family, by_depth))
    return f"{EXPECTATION} {finding}{LIMIT_OF_NEGLIGIBLE if is_small else ''}"


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[LeadItem]:
    """Return what this step adds to the lead."""
    return [
        *list_lead_items(claims, WEAKER_RESPONSES, BY_FAMILY_IN_LEAD, pair),
        *list_lead_items(claims, WEAKER_RESPONSES_WITH_DEPTH, BY_DEPTH_IN_LEAD, pair),
    ]
