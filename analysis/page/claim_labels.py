"""What the page calls a claim: words for a reader, where the claim's name is a bare noun."""

from analysis.condition_labels import capitalise_first

# By the name of the claim, or its beginning; what follows, such as a family, stays.
LABELS = {
    "lesions": "Removing a block",
    "construction": "A deeper solution exists",
    "not found": "Training from scratch misses it",
    "kept": "Further training retains it",
    "exponentially slow": "Exponential slowing",
    "less slowing with depth": "Less slowing with shortcuts",
    "healthy norms": "Healthy gradients",
    "weaker with depth": "Weaker responses with depth",
}
# Of these the label says the family already.
WITHOUT_FAMILY = ("less slowing with depth",)


def label_claim(name: str) -> str:
    """Return what the page calls a claim with this name."""
    head, separator, rest = name.partition(", ")
    if head not in LABELS:
        return capitalise_first(name)
    return LABELS[head] if head in WITHOUT_FAMILY else f"{LABELS[head]}{separator}{rest}"
