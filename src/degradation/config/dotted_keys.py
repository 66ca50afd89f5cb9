"""Dotted keys, such as `optim.lr`: the value of one, and all those of nested values."""

from collections.abc import Iterator, Mapping
from typing import Any


def select(config: Any, key: str) -> Any:
    """Return the value of a dotted key, or None if the section that holds it is null."""
    value = config
    for name in key.split("."):
        value = getattr(value, name) if value is not None else None
    return value


def flatten(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every leaf of nested dictionaries.

    `prefix` starts every key.
    """
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from flatten(value, f"{key}.")
        else:
            yield key, value
