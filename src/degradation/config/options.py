"""The options of a block (`model.options`): which exist, their defaults and their types.

A block declares its options, with literal defaults, where it is registered:

    @BLOCKS.register("scaled", layers=2, options={"residual_scale": 1.0, "shortcut_scale": 1.0})

The constructor receives the value of every option by name. Does not import torch.
"""

from collections.abc import Mapping

from degradation.config.errors import is_single_line
from degradation.config.keys import TYPE_NAMES
from degradation.config.schema import Model
from degradation.registry import BLOCKS

Scalar = bool | int | float | str
LARGEST_NUMBER = 1e300  # records hold no larger ones


def declared_options(model: Model) -> Mapping[str, Scalar]:
    """Return the options of a model's block, each with its default."""
    options: Mapping[str, Scalar] = BLOCKS.facts(model.block).get("options", {})
    return options


def resolve_options(model: Model) -> dict[str, Scalar]:
    """Return the value of every option of a validated model, defaults included."""
    return {
        name: _convert(model.options.get(name, default), default)
        for name, default in declared_options(model).items()
    }


def effective_options(model: Model) -> dict[str, Scalar]:
    """Return the options that have an effect: without shortcuts, those of shortcuts have none."""
    options = resolve_options(model)
    if model.shortcut == "none":
        for name in BLOCKS.facts(model.block).get("shortcut_options", ()):
            options.pop(name, None)
    return options


def describe_allowed(default: Scalar) -> str:
    """Return which values an option with this default may have, in words."""
    return f"{TYPE_NAMES[type(default)]}, such as {default!r}"


def is_allowed(value: Scalar, default: Scalar) -> bool:
    """Return whether a value has the type of the default; an integer may replace a float."""
    types = (int, float) if isinstance(default, float) else (type(default),)
    if type(value) not in types:
        return False
    if isinstance(value, str):
        return is_single_line(value)
    return abs(value) < LARGEST_NUMBER  # False for NaN too


def _convert(value: Scalar, default: Scalar) -> Scalar:
    """Return a number as a float if the default is one, so that equal numbers are one value."""
    if isinstance(default, float):
        return float(value) + 0.0  # -0.0 becomes 0.0
    return value
