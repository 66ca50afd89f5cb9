"""The options of a network (`model.options`): which exist, their defaults and their types.

A block or a network declares its options, with literal defaults, where it is registered:

    @BLOCKS.register("scaled", layers=2, options={"residual_scale": 1.0, "shortcut_scale": 1.0})

Its constructor receives the value of every option by name. A network that is made of blocks has its
own options and those of `model.block`. Does not import torch.
"""

from collections.abc import Mapping
from typing import Any

from degradation.config.errors import is_single_line
from degradation.config.keys import TYPE_NAMES
from degradation.config.schema import Model
from degradation.registry import BLOCKS, NETWORKS

Scalar = bool | int | float | str
LARGEST_NUMBER = 1e300  # no value in a record is larger, and sums of larger numbers overflow


def declared_options(model: Model) -> dict[str, Scalar]:
    """Return all options of a model, each with its default."""
    options: dict[str, Scalar] = {}
    for facts in _list_facts(model):
        options |= facts.get("options", {})
    return options


def block_options(model: Model) -> dict[str, Scalar]:
    """Return the value of each option of a validated model's block, defaults included."""
    return _resolve(model, BLOCKS.facts(model.block))


def network_options(model: Model) -> dict[str, Scalar]:
    """Return the value of each option of a validated model's network, without its block's."""
    return _resolve(model, NETWORKS.facts(model.network))


def effective_options(model: Model) -> dict[str, Scalar]:
    """Return the options that have an effect; those of shortcuts need shortcuts."""
    options: dict[str, Scalar] = {}
    for facts in _list_facts(model):
        resolved = _resolve(model, facts)
        if model.shortcut == "none":
            for name in facts.get("shortcut_options", ()):
                del resolved[name]
        options |= resolved
    return options


def is_allowed(value: Scalar, default: Scalar) -> bool:
    """Return whether a value has the type of the default; an integer may replace a float."""
    types = (int, float) if isinstance(default, float) else (type(default),)
    if type(value) not in types:
        return False
    if isinstance(value, str):
        return is_single_line(value)
    return abs(value) < LARGEST_NUMBER  # False for NaN too


def describe_allowed(default: Scalar) -> str:
    """Return which values an option with this default may have, in words."""
    return f"{TYPE_NAMES[type(default)]}, such as {default!r}"


def _list_facts(model: Model) -> list[Mapping[str, Any]]:
    """Return the facts of the network and, if it is made of blocks, of its block."""
    network = NETWORKS.facts(model.network)
    return [network, BLOCKS.facts(model.block)] if network.get("blocks", False) else [network]


def _resolve(model: Model, facts: Mapping[str, Any]) -> dict[str, Scalar]:
    return {
        name: _convert(model.options.get(name, default), default)
        for name, default in facts.get("options", {}).items()
    }


def _convert(value: Scalar, default: Scalar) -> Scalar:
    """Return a number as a float if the default is one, so that equal numbers are one value."""
    if isinstance(default, float):
        return float(value) + 0.0  # -0.0 becomes 0.0
    return value
