"""Step 7: how much does a network lose without one of its blocks?"""

from collections.abc import Sequence

from analysis.claim import Claim
from analysis.claims import FamilyPair
from analysis.story.wording import Takeaway, Wording, find_verdict, list_takeaways

NAME = "lesions"
TITLE = "what does a network lose without a block?"
EXPECTATION = (
    "A chain breaks at any link; a network of many paths should survive the loss of a block."
)
DELETION = Wording(
    reproduced=(
        "Here {residual} networks lose less than {plain} ones at every depth that trains, as "
        "Veit et al. 2016 found."
    ),
    contradicted=(
        "Here, at one depth that trains at least, {residual} networks do not lose less than "
        "{plain} ones by more than the margin, unlike what Veit et al. 2016 found."
    ),
    inconclusive=(
        "Whether {residual} networks lose less than {plain} ones at every depth that trains, "
        "as Veit et al. 2016 found, is not settled here."
    ),
    not_tested=(
        "These runs cannot compare what {residual} and {plain} networks of one depth lose."
    ),
)
CONSEQUENCE = "What a network survives may also show in the loss around its weights."
IN_LEAD = Wording(
    reproduced="{residual} networks lose less without a block than {plain} ones",
    contradicted=(
        "{residual} networks do not lose less without a block than {plain} ones at every depth"
    ),
    inconclusive="whether {residual} networks lose less without a block than {plain} ones",
)
DETAILS = (
    "A trained network is damaged and evaluated again, without any training in between. To delete "
    "a block is to remove its convolutions. A residual network is left with the block's shortcut; "
    "a plain network has none and passes the block's input on unchanged, so a plain block can be "
    "deleted only if its output has the shape of its input. First each block is deleted alone, "
    "then random sets of blocks together, and then random pairs of blocks of one stage are "
    "swapped. Limit: a network that did not train is at chance and has nothing to lose, and one "
    "that trained badly has little."
)


def tell(claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return the three sentences of this step."""
    finding = DELETION.select(find_verdict(claims, NAME), pair)
    return f"{EXPECTATION} {finding} {CONSEQUENCE}"


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[Takeaway]:
    """Return what this step adds to the lead."""
    return list_takeaways(find_verdict(claims, NAME), IN_LEAD, pair)
