"""Step 1: is a deep plain network stuck, or slow?"""

from collections.abc import Sequence

from analysis.claim import Claim, Verdict
from analysis.claims import FamilyPair
from analysis.story.wording import Takeaway, Wording, find_verdict, list_takeaways

TITLE = "stuck, or slow?"
EXPECTATION = "A deep plain network that trains badly may be stuck, or only slow."
SLOWING = Wording(
    reproduced=(
        "Here the iterations to reach an error grow faster with depth in {plain} than in "
        "{residual} networks"
    ),
    contradicted=(
        "Here the iterations to reach some error grow faster with depth in {residual} than in"
        " {plain} networks"
    ),
    inconclusive=(
        "Whether the iterations to reach an error grow faster with depth in {plain} than in "
        "{residual} networks is not settled here"
    ),
    not_tested=(
        "These runs cannot compare how the iterations to reach an error grow with depth in "
        "{plain} and {residual} networks"
    ),
)
FORM = Wording(
    reproduced="; in {plain} networks they grow exponentially, as He et al. 2015 conjecture",
    contradicted=(
        "; the exponential growth that He et al. 2015 conjecture for {plain} networks is "
        "contradicted"
    ),
    inconclusive=(
        "; whether exponentially in {plain} networks, as He et al. 2015 conjecture, is open"
    ),
)
CONSEQUENCE = "The gradient moves the weights, so does it reach the first layers?"
SLOWING_IN_LEAD = Wording(
    reproduced="{plain} networks slow down more with depth than {residual} ones",
    contradicted="{residual} networks slow down more with depth than {plain} ones",
    inconclusive="whether {plain} networks slow down more with depth than {residual} ones",
)
FORM_IN_LEAD = Wording(
    reproduced="{plain} networks slow down exponentially with depth",
    contradicted="{plain} networks do not slow down exponentially with depth",
    inconclusive="whether {plain} networks slow down exponentially with depth",
)
DETAILS = (
    "The number of iterations to reach an error, a fraction of chance error, is compared across "
    "depths. If each layer multiplies it by the same factor, the growth is exponential; if each "
    "doubling of the depth does, it is a power law. A run is evaluated only at intervals, so its "
    "time is known to lie between two evaluations. A run that never reaches the error is not "
    "excluded: its time is known to be longer than its training (right-censored). Both forms are "
    "fitted to all runs by maximum likelihood, over the iterations before the first learning-rate "
    "drop, because a drop changes how fast a network learns. Limit: such a fit assumes that every "
    "run would reach the error in the end. It cannot tell a very slow network from a stuck one; "
    "only longer training can."
)


def tell(claims: Sequence[Claim], pair: FamilyPair) -> str:
    """Return the three sentences of this step."""
    slowing = SLOWING.select(_find_slowing(claims, pair), pair)
    form = FORM.select(find_verdict(claims, "exponentially slow"), pair)
    return f"{EXPECTATION} {slowing}{form}. {CONSEQUENCE}"


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[Takeaway]:
    """Return what this step adds to the lead."""
    form = find_verdict(claims, "exponentially slow")
    return [
        *list_takeaways(_find_slowing(claims, pair), SLOWING_IN_LEAD, pair),
        *list_takeaways(form, FORM_IN_LEAD, pair),
    ]


def _find_slowing(claims: Sequence[Claim], pair: FamilyPair) -> Verdict:
    return find_verdict(claims, f"less slowing with depth, {pair.residual}")
