"""The facts that the registration of a block or a network states, and the values they may have.

A wrong fact in a user's own file is reported before anything starts.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

# The allowed values in words, and a function that returns whether a value is allowed.
FactRule = tuple[str, Callable[[Any], bool]]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_tuple_of(check: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 0 and all(check(item) for item in value)


def _are_stages(value: Any) -> bool:
    """Return whether the value holds the number of blocks in each of four stages by depth."""
    if not isinstance(value, dict) or not all(_is_count(depth) for depth in value):
        return False
    return all(_is_tuple_of(_is_count, blocks) and len(blocks) == 4 for blocks in value.values())


def _are_options(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(
        isinstance(name, str) and name.isidentifier() and _is_scalar(default)
        for name, default in value.items()
    )


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool | int | str)


FLAG: FactRule = ("True or False", lambda value: isinstance(value, bool))
COMMON: dict[str, FactRule] = {
    # keyword arguments of the constructor: `model.options.NAME`
    "options": ("names with their defaults, such as {'scale': 1.0}", _are_options),
    # options without effect on networks without shortcuts
    "shortcut_options": (
        "a tuple of names of options",
        lambda value: _is_tuple_of(lambda name: isinstance(name, str), value),
    ),
    # whether forward passes draw from PyTorch's global generators
    "draws": FLAG,
    # whether the constructor draws all weights itself, and `initialise` leaves them as they are
    "own_initialisation": FLAG,
}
FACTS: dict[str, dict[str, FactRule]] = {
    "BLOCKS": {
        # layers that a block adds to the depth
        "layers": ("a whole number, 1 or more", _is_count),
        "imagenet_stages": ("the blocks of each of four stages by depth", _are_stages),
        **COMMON,
    },
    "NETWORKS": {
        # the depths that exist; None: any
        "depths": (
            "None, or a tuple of whole numbers, 1 or more",
            lambda value: value is None or _is_tuple_of(_is_count, value),
        ),
        # whether it is made of the stages and blocks of `model.block`, like the built-in network
        "blocks": FLAG,
        **COMMON,
    },
}
REQUIRED = {"BLOCKS": ("layers",)}


def find_wrong_fact(registry: str, facts: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the facts of a registration, or None if all are allowed.

    Args:
        registry: the name of the registry, such as BLOCKS.
    """
    known = FACTS[registry]
    for name in REQUIRED.get(registry, ()):
        if name not in facts:
            return f"lacks {name}: {known[name][0]}"
    for name, value in facts.items():
        if name not in known:
            return f"states {name}, which is not one of {', '.join(known)}"
        allowed, is_allowed = known[name]
        if not is_allowed(value):
            return f"states {name}={value!r}; it must be {allowed}"
    options = facts.get("options", {})
    for name in facts.get("shortcut_options", ()):
        if name not in options:
            return f"states the shortcut option {name!r}, which is not among its options"
    return None
