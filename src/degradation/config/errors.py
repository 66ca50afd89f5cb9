"""ConfigError, and how messages quote what a user typed: on one line, nothing hidden."""

import unicodedata
from typing import Any

from degradation.errors import UserError

MAX_QUOTED_CHARACTERS = 80
# Unicode categories: control characters, lone surrogates (bytes that are not UTF-8), line and
# paragraph separators
BREAKING = ("Cc", "Cs", "Zl", "Zp")
# Format characters: part of the words of some languages, but also what reverses a line's direction
INVISIBLE = "Cf"


class ConfigError(UserError):
    """A value that is not allowed: one line with the key, what is wrong, and what is allowed."""


def is_single_line(text: str) -> bool:
    """Return whether the text is one line of characters that can be printed."""
    return not any(unicodedata.category(character) in BREAKING for character in text)


def escape(text: str) -> str:
    """Return the text with line breaks, control characters and the like as `\\n` or `\\x1b`."""
    return "".join(_escape_character(character) for character in text)


def _escape_character(character: str) -> str:
    if unicodedata.category(character) in (*BREAKING, INVISIBLE):
        return character.encode("unicode_escape").decode()
    return character


def quote(value: Any) -> str:
    """Return a value in quotes, cut if it is too long to read."""
    text = repr(value)
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    return f"{text[:MAX_QUOTED_CHARACTERS]}... ({len(text)} characters)"
