"""Checks of single values in a record, shared by the checks of its rows and of run.json.

A value that passes is safe to compute with, and to show in tables, figures and HTML.
"""

from collections.abc import Callable
from typing import Any

from degradation.config.errors import is_single_line
from degradation.config.options import LARGEST_NUMBER

ValueCheck = Callable[[Any], bool]

LONGEST_TEXT = 10_000  # characters


def is_number(value: Any) -> bool:
    """Return whether the value is a finite int or float, but not a bool."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST_NUMBER  # False for NaN too


def is_size(value: Any) -> bool:
    """Return whether the value is a number that is not negative."""
    return is_number(value) and value >= 0


def is_percent(value: Any) -> bool:
    """Return whether the value is a number from 0 to 100."""
    return is_number(value) and 0 <= value <= 100


def is_integer(value: Any) -> bool:
    """Return whether the value is an int, but not a bool."""
    return isinstance(value, int) and is_number(value)


def is_count(value: Any) -> bool:
    """Return whether the value is a non-negative int that a float holds exactly."""
    return isinstance(value, int) and is_size(value) and value < 2**53


def is_text(value: Any) -> bool:
    """Return whether the value is a string of bounded length."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def is_name(value: Any) -> bool:
    """Return whether the value is a single line of text without control characters."""
    return is_text(value) and is_single_line(value)


def is_flag(value: Any) -> bool:
    """Return whether the value is a bool."""
    return isinstance(value, bool)


def is_scalar(value: Any) -> bool:
    """Return whether the value is None, a bool, a number or a name."""
    return value is None or is_flag(value) or is_number(value) or is_name(value)


def or_none(check: ValueCheck) -> ValueCheck:
    """Return a check that also accepts None."""

    def is_none_or_valid(value: Any) -> bool:
        return value is None or check(value)

    return is_none_or_valid


def is_one_of(*options: str) -> ValueCheck:
    """Return a check that accepts these strings only."""

    def is_option(value: Any) -> bool:
        return isinstance(value, str) and value in options

    return is_option
