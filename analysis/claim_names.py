"""The names of the claims, each written once: reports, titles and the simulated power use them.

A claim whose name depends on the runs is recognised by its topic; the name is for display only.
"""

from enum import StrEnum


class Topic(StrEnum):
    """What a claim is about whose name depends on the runs."""

    DEGRADATION_BY_VALUE = "at which values of a key networks degrade"
    SIZE_BY_VALUE = "whether the size of degradation differs between the values of a key"
    PUBLISHED_ERROR = "whether an error equals a published one"
    PUBLISHED_TRAINING_ERROR = "whether a training error equals a published one"


# What the paper reports (sections 1 and 4.2), judged by `analysis.claims`.
DEGRADATION = "degradation"
NO_DEGRADATION = "no degradation"
FIX = "the fix"

# Why: `analysis.mechanisms`.
EXPONENTIAL_SLOWING = "exponential slowing"
LESS_SLOWING = "less slowing with shortcuts"
SHATTERED_GRADIENTS = "shattered gradients"
SHORT_PATHS = "short paths"
WEAKER_RESPONSES = "weaker responses"
WEAKER_RESPONSES_WITH_DEPTH = "weaker responses with depth"
REMOVING_A_BLOCK = "removing a block"
IDENTITY = "check: the identity"

# The solution by construction: `analysis.comparisons.construction`.
EXISTENCE = "a deeper solution exists"
MISSED = "training from scratch misses it"
RETAINED = "further training retains it"


def name_healthy_gradients(family: str) -> str:
    """Return the name of the claim about the gradients of one family."""
    return f"healthy gradients, {family}"
