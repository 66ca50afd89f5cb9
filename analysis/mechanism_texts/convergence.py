"""Step 1: is a deep plain network stuck, or slow?"""

from collections.abc import Mapping, Sequence

from analysis.claim import Claim, find_claim
from analysis.claim_names import EXPONENTIAL_SLOWING, LESS_SLOWING
from analysis.family_pairs import FamilyPair
from analysis.mechanism_texts.wording import (
    LeadItem,
    Role,
    Wording,
    list_lead_items,
)
from analysis.plain_text import join_words

TITLE = "stuck, or slow?"
EXPECTATION = "Deep networks may be stuck, or only slow."
REACHED = (
    "Here {plain} networks of {depths} layers get to half of chance error, so none is stuck above"
    " it."
)
NEVER_REACHED = "Those of {depths} never do; only longer training would tell."
NONE_REACHED = (
    "No {plain} network of {depths} layers gets to half of chance error here: stuck or too slow, "
    "only longer training would tell."
)
DIVERGED = "Every {plain} network of {depths} layers diverged."
SLOWING = Wording(
    reproduced=(
        "Iterations to an error grow faster with depth in {plain} than in {residual} networks"
    ),
    contradicted=(
        "The iterations to reach some error grow faster with depth in {residual} than in"
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
    negligible=(
        "Iterations to an error grow about equally with depth in {plain} and {residual} networks, "
        "with a negligible difference"
    ),
)
FORM = Wording(
    reproduced="; in {plain} networks they grow exponentially, as He et al. 2015 conjecture",
    contradicted=(
        "; the exponential growth that He et al. 2015 conjecture for {plain} networks is "
        "contradicted"
    ),
    inconclusive=(
        "; whether they grow exponentially in {plain} networks, as He et al. 2015 conjecture, is "
        "open"
    ),
)
SLOWING_IN_LEAD = Wording(
    reproduced="more slowing with depth in {plain} networks",
    contradicted="{residual} networks slow down more with depth than {plain} ones",
    inconclusive="whether {plain} networks slow down more with depth than {residual} ones",
    negligible="the difference in slowing with depth between {plain} and {residual} networks",
)
FORM_IN_LEAD = Wording(
    reproduced="{plain} networks slow down exponentially with depth",
    contradicted="the slowing of {plain} networks with depth is not exponential",
    inconclusive="whether {plain} networks slow down exponentially",
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


def write_introduction(
    claims: Sequence[Claim],
    pair: FamilyPair,
    reached: Mapping[int, Sequence[bool]],
    diverged_depths: Sequence[int] = (),
) -> str:
    """Return the sentences of this step.

    Args:
        claims: those of the step.
        pair: the families.
        reached: by depth, whether each of its plain runs gets to half of chance error.
        diverged_depths: the depths at which every plain run has diverged.
    """
    slowing = SLOWING.select(find_claim(claims, LESS_SLOWING), pair)
    form = FORM.select(find_claim(claims, EXPONENTIAL_SLOWING), pair)
    return " ".join([EXPECTATION, *_answer(pair, reached, diverged_depths), f"{slowing}{form}."])


def list_lead(claims: Sequence[Claim], pair: FamilyPair) -> list[LeadItem]:
    """Return what this step adds to the lead."""
    return [
        *list_lead_items(claims, LESS_SLOWING, SLOWING_IN_LEAD, pair, Role.COMPANION),
        *list_lead_items(claims, EXPONENTIAL_SLOWING, FORM_IN_LEAD, pair),
    ]


def _answer(
    pair: FamilyPair, reached: Mapping[int, Sequence[bool]], diverged_depths: Sequence[int]
) -> list[str]:
    """Return which depths are slow, may be stuck or diverged; those of mixed runs are in none."""
    slow = [depth for depth, runs in sorted(reached.items()) if all(runs)]
    never = [
        depth
        for depth, runs in sorted(reached.items())
        if not any(runs) and depth not in diverged_depths
    ]
    sentences = [REACHED.format(plain=pair.plain, depths=_join(slow))] if slow else []
    if never:
        text = NEVER_REACHED if slow else NONE_REACHED
        sentences.append(text.format(plain=pair.plain, depths=_join(never)))
    if diverged_depths:
        sentences.append(DIVERGED.format(plain=pair.plain, depths=_join(diverged_depths)))
    return sentences


def _join(depths: Sequence[int]) -> str:
    return join_words([str(depth) for depth in depths])
