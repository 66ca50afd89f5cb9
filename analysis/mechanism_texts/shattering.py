"""Step 3: do neighbouring inputs have similar gradients?"""

from collections.abc import Sequence

from analysis.claim import Claim, find_claim
from analysis.claim_names import SHATTERED_GRADIENTS
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import (
    LeadItem,
    Role,
    Wording,
    list_lead_items,
)

TITLE = "do similar inputs have similar gradients?"
EXPECTATION = (
    "A step helps other images only if similar images have similar gradients. Balduzzi et al. "
    "2017 found them shattered in deep plain networks: unrelated, like white noise."
)
CORRELATION = Wording(
    reproduced=(
        "Here, before training, gradients 1/64 of the way between two images apart are less "
        "alike the deeper a {plain} network, and more alike in {residual} ones."
    ),
    contradicted=(
        "Here, before training, gradients 1/64 of the way between two images apart are not both "
        "less alike in deeper {plain} networks and more alike in {residual} ones of each depth."
    ),
    inconclusive=(
        "Whether, before training, gradients 1/64 of the way between two images apart are less "
        "alike in deeper {plain} networks and more alike in {residual} ones is not settled here."
    ),
    not_tested=(
        "These runs cannot compare their gradients between depths of {plain} networks and with "
        "{residual} ones."
    ),
    negligible=(
        "Here, before training, gradients 1/64 of the way between two images apart are about as "
        "alike in deep {plain} networks as in shallow ones, or in {residual} as in {plain} ones: "
        "the difference is negligible."
    ),
)
IN_LEAD = Wording(
    reproduced="before training, gradients that shatter, less so in {residual} ones",
    contradicted=(
        "before training, gradients of similar images stay alike with depth in {plain} networks, "
        "or are no more alike in {residual} ones"
    ),
    inconclusive=(
        "whether gradients shatter with depth in {plain} networks, and less in {residual} ones"
    ),
    negligible=(
        "before training, how much less alike gradients are in deeper {plain} networks, or how "
        "much that differs in {residual} ones"
    ),
)
DETAILS = (
    "Points are taken on straight lines between two images. At 65 points on each line, the "
    "gradient of a logit (that of the first image's class) is computed with respect to the input. "
    "The correlation is the cosine between the gradients at two points of a line, averaged over "
    "all pairs at the same distance and over 16 lines. It is 1 at every distance for a linear "
    "network, and 0 at every distance above 0 for white noise. Norms may be healthy all the same. "
    "If gradients shatter, a step that helps one image does not help a similar one, and the next "
    "batch undoes it. Limit: this is about the start of training, and no measurement here shows "
    "that shattering causes degradation; the table has the correlation at the end of training too."
)


def write_introduction(claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return the sentences of this step."""
    finding = CORRELATION.select(find_claim(claims, SHATTERED_GRADIENTS), pair)
    return f"{EXPECTATION} {finding}"


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[LeadItem]:
    """Return what this step adds to the lead."""
    return list_lead_items(claims, SHATTERED_GRADIENTS, IN_LEAD, pair, Role.COMPANION)
