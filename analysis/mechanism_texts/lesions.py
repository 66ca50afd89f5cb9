"""Step 7: how much does a network lose without one of its blocks?"""

from collections.abc import Sequence

from analysis.claim import Claim, Verdict, find_claim
from analysis.claim_names import REMOVING_A_BLOCK
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import (
    LeadItem,
    Wording,
    list_lead_items,
)
from analysis.plain_words import UNCERTAIN

TITLE = "what does a network lose without a block?"
EXPECTATION = (
    "A network of many paths should survive the loss of a block, or a swap (two blocks change "
    "places)."
)
DELETION = Wording(
    reproduced=(
        "Here {residual} networks lose less than {plain} ones at every depth where both are better "
        "than chance, as Veit et al. 2016 found."
    ),
    contradicted=(
        "Here, at one depth at least, {residual} networks lose about as much as {plain} ones, or "
        "more, unlike what Veit et al. 2016 found."
    ),
    negligible=(
        "Here, at one depth at least, {residual} networks lose less than {plain} ones, as Veit et "
        "al. 2016 found, but by less than the margin."
    ),
    inconclusive=(
        "Whether {residual} networks lose less than {plain} ones at every depth where both are "
        "better than chance, as Veit et al. 2016 found, is not settled here."
    ),
    not_tested=(
        "These runs cannot compare what {residual} and {plain} networks of one depth lose."
    ),
)
IN_LEAD = Wording(
    reproduced="{residual} networks lose less without a block than {plain} ones",
    contradicted=(
        "at one depth at least, {residual} networks lose about as much without a block as {plain} "
        "ones, or more"
    ),
    inconclusive="whether {residual} networks lose less without a block",
    negligible=(
        "{where}, how much less {residual} networks lose without a block than {plain} ones"
    ),
)
DETAILS = (
    "A trained network is damaged and evaluated again, without any training in between. To delete "
    "a block is to remove its convolutions. A residual network is left with the block's shortcut; "
    "a plain network has none and passes the block's input on unchanged, so a plain block can be "
    "deleted only if its output has the shape of its input. First each block is deleted alone, "
    "then random sets of blocks together, and then random pairs of blocks of one stage are "
    "swapped. Limit: a network that is no better than chance has nothing to lose, and "
    "one that is little better has little."
)


def write_introduction(claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return the sentences of this step, with the bound that leaves the claim open, if it is."""
    claim = find_claim(claims, REMOVING_A_BLOCK)
    sentences = [EXPECTATION, DELETION.select(claim, pair)]
    if claim is not None and claim.verdict is Verdict.INCONCLUSIVE:
        sentences.append(claim.plain_words.replace(UNCERTAIN, ""))
    return " ".join(sentences).rstrip()


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[LeadItem]:
    """Return what this step adds to the lead."""
    return list_lead_items(claims, REMOVING_A_BLOCK, IN_LEAD, pair)
