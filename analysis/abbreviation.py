"""Abbreviate a list in a sentence. This module is free of scipy, so that status.py starts fast."""

from collections.abc import Sequence

MAX_NAMED = 3  # items that a sentence names before it counts the rest


def abbreviate(items: Sequence[str], separator: str = ", ", most: int = MAX_NAMED) -> str:
    """Name the first three items, or `most`, and count the rest: `a, b, c and 2 more`."""
    names = separator.join(items[:most])
    rest = len(items) - most
    if rest <= 0:
        return names
    conjunction = " and" if separator == ", " else f"{separator}and"
    return f"{names}{conjunction} {rest} more"
