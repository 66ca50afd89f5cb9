"""How a refusal is told: one line in which nothing that was given can break the line or hide what it says."""

import unicodedata
from typing import Any

from degradation.errors import UserError

LONGEST = 80  # characters of a value that are shown
# Unicode's categories: control characters, halves of pairs (bytes that are no UTF-8), ends of lines and paragraphs
BREAKING = ("Cc", "Cs", "Zl", "Zp")
INVISIBLE = (
    "Cf"  # part of some languages' words, but also what turns the direction of a line around
)


def is_single_line(text: str) -> bool:
    """Is the text one line of characters that can be written?"""
    return not any(unicodedata.category(character) in BREAKING for character in text)


def escape(text: str) -> str:
    """The text with line breaks, control characters and the like written out, as `\\n` or `\\x1b`."""
    return "".join(
        one.encode("unicode_escape").decode()
        if unicodedata.category(one) in (*BREAKING, INVISIBLE)
        else one
        for one in text
    )


def quote(value: Any) -> str:
    """A value in quotes, cut where it is too long to be read."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


class ConfigError(UserError):
    """A value that is not allowed: one line that names the key, what was wrong and what is allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(escape(message))
