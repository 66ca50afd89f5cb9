"""The names of the claims, each written once: reports, titles and the simulated power use them."""

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

# The solution by construction: `analysis.comparisons.construction`.
EXISTENCE = "a deeper solution exists"
MISSED = "training from scratch misses it"
RETAINED = "further training retains it"


def name_healthy_gradients(family: str) -> str:
    """Return the name of the claim about the gradients of one family."""
    return f"healthy gradients, {family}"
