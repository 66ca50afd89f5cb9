"""ConfigError, and the quoting of user input in messages: on one line, with nothing invisible."""

import unicodedata
from typing import Any

from degradation.config.dotted_keys import select
from degradation.errors import UserError

MAX_QUOTED_CHARACTERS = 80
# Unicode categories: control characters, lone surrogates (bytes that are not UTF-8), line and
# paragraph separators
BREAKING = ("Cc", "Cs", "Zl", "Zp")
# Format characters: some languages need them, but they can also reverse the direction of a line
INVISIBLE = "Cf"
NAMES_IN_YAML = {"None": "null", "True": "true", "False": "false"}


class ConfigError(UserError):
    """A value that is not allowed. Its message is one line: `key: problem; allowed: values`."""


def is_single_line(text: str) -> bool:
    """Return whether the text is one line of characters that can be printed."""
    return not any(unicodedata.category(character) in BREAKING for character in text)


def escape(text: str) -> str:
    """Return the text with line breaks, control and invisible characters as `\\n` or `\\x1b`."""
    return "".join(_escape_character(character) for character in text)


def _escape_character(character: str) -> str:
    if unicodedata.category(character) in (*BREAKING, INVISIBLE):
        return character.encode("unicode_escape").decode()
    return character


def quote(value: Any) -> str:
    """Return a value as a user types it, with quotes around text; a long value is truncated."""
    text = NAMES_IN_YAML.get(repr(value), repr(value))
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    return f"{text[:MAX_QUOTED_CHARACTERS]}... ({len(text)} characters)"


def not_allowed(config: Any, name: str, allowed: str) -> ConfigError:
    """Return the error that says which value of a dotted key is not allowed, and which are."""
    value = quote(select(config, name))
    return ConfigError(f"{name}: {value} is not allowed; allowed: {allowed}")
