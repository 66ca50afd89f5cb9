"""What the networks of a report are, in a line for a reader who does not know their names."""

from collections.abc import Iterable

import pandas as pd

CONSTRUCTED = "constructed"
FAMILIES_IN_WORDS = {
    "plain": "Plain: without shortcuts.",
    "residual": "Residual: the same networks with shortcuts.",
    "plain-preactivation": "Plain-preactivation: BN and ReLU before each convolution.",
    "preactivation": "Preactivation: the same with shortcuts.",
    CONSTRUCTED: "Constructed: a trained shallower network plus layers that change nothing.",
}
PLAIN_OF = {"residual": "plain", "preactivation": "plain-preactivation"}
WITH_SHORTCUTS = "{}: with shortcuts."  # where the networks without them are absent
SHORTCUTS_IN_WORDS = {
    "A": "A: the identity, padded with zeros",
    "B": "B: a 1x1 projection where the shape changes",
    "C": "C: a 1x1 projection at every block",
}


def describe_networks(runs: pd.DataFrame) -> str:
    """Return a sentence for each family of networks, and one for the shortcuts if they differ.

    `runs`: the runs of the report; columns `family` and `shortcut`.
    """
    families = set(runs["family"])
    sentences = [_describe_family(name, families) for name in FAMILIES_IN_WORDS if name in families]
    return " ".join([*sentences, *_describe_shortcuts(runs["shortcut"].dropna())])


def _describe_family(name: str, families: set[str]) -> str:
    has_comparison = name not in PLAIN_OF or PLAIN_OF[name] in families
    return FAMILIES_IN_WORDS[name] if has_comparison else WITH_SHORTCUTS.format(name.capitalize())


def _describe_shortcuts(shortcuts: Iterable[str]) -> list[str]:
    """Return a sentence in a list; it is empty if the networks have one kind of shortcut."""
    used = set(shortcuts)
    kinds = [words for name, words in SHORTCUTS_IN_WORDS.items() if name in used]
    return [f"Shortcut {'; '.join(kinds)}."] if len(kinds) > 1 else []
