"""Step 5: along which paths does the gradient flow?"""

from collections.abc import Sequence

from analysis.claim import Claim, find_claim
from analysis.claim_names import SHORT_PATHS
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import (
    LeadItem,
    Wording,
    list_lead_items,
)

TITLE = "along which paths does the gradient flow?"
EXPECTATION = (
    "A chain of `n` blocks has `2^n` paths, because each block can be passed through its "
    "convolutions or its shortcut; the mean path takes `n/2` convolution branches."
)
LENGTHS = Wording(
    reproduced=(
        "Here, at every depth, the gradient of trained {residual} networks takes shorter "
        "ones, as Veit et al. 2016 found."
    ),
    contradicted=(
        "Here, at one depth at least, the gradient of trained {residual} networks takes "
        "longer paths, unlike what Veit et al. 2016 found."
    ),
    inconclusive=(
        "Whether the gradient of trained {residual} networks takes shorter paths at every "
        "depth, as Veit et al. 2016 found, is not settled here."
    ),
    not_tested=(
        "These runs cannot test whether the gradient of {residual} networks takes shorter "
        "ones, as Veit et al. 2016 found."
    ),
    negligible=(
        "Here, at every depth, the gradient of trained {residual} networks takes paths of about "
        "that length: the difference is negligible."
    ),
)
IN_LEAD = Wording(
    reproduced="gradients of {residual} networks take short paths",
    contradicted=(
        "the gradient of trained {residual} networks takes long paths at one depth at least"
    ),
    inconclusive="whether the gradient of trained {residual} networks takes short paths",
    negligible=(
        "the difference of the gradient's paths in {residual} networks from paths through half "
        "of the blocks"
    ),
)
DETAILS = (
    "On its way back from the loss, the gradient can go through the convolutions of each block or "
    "along its shortcut, and what reaches the first block is exactly the sum of what all paths "
    "carry. The length of a path is the number of blocks whose convolutions it passes. If "
    "convolutions shrink the gradient, longer paths carry less and the gradient flows along paths "
    "shorter than `n/2`; if they amplify it, long paths carry more, and the explanation of Veit et "
    "al. 2016 does not hold for the network. Measured are the gradients of single random paths "
    "and, exactly, the sum over all paths of each length. The norm of that sum shows how much "
    "flows along paths of that length. The effective length is the mean length, weighted by these "
    "norms. Limit: the sums of different lengths may partly cancel when they are added. A plain "
    "network has a single path, of length n."
)


def write_introduction(claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return the sentences of this step."""
    finding = LENGTHS.select(find_claim(claims, SHORT_PATHS), pair)
    return f"{EXPECTATION} {finding}"


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[LeadItem]:
    """Return what this step adds to the lead."""
    return list_lead_items(claims, SHORT_PATHS, IN_LEAD, pair)
