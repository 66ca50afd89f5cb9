"""What Hydra and OmegaConf refuse, told as our own refusals are: the key, what was wrong, what is allowed."""

import types
import typing
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from degradation.config.errors import escape, quote
from degradation.config.overrides import options
from degradation.config.schema import Config
from degradation.config.values import RULES

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
MERGING = (
    "Error merging override "  # what Hydra's refusal of a value begins with; the override follows
)
PARSES = "key=value, and quotes around a value that holds any of , : = [ ] { } ( ) or a space"
LONGEST = 1000  # characters of a line


def format_hydra_error(error: Exception) -> str:
    """The refusal in one line."""
    line = escape(_told(error))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _told(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        override = str(error).removeprefix(MERGING) if str(error).startswith(MERGING) else ""
        return _of_key(cause, override.partition("=")[2])
    if isinstance(error, OmegaConfBaseException):
        return _of_key(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, given = error.missing_cfg_file.rpartition("/")
        allowed = ", ".join(error.options or options(group))
        return f"{group or '--config-name'}: {quote(given)} is not allowed; allowed: {allowed}"
    if isinstance(error, OverrideParseException):
        reason = (
            str(error)
            .partition("See http")[0]
            .removeprefix(f"Error parsing override '{error.override}'")
        )
        if reason.startswith("LexerNoViableAlt"):
            reason = "a character that means nothing there"
        return f"{quote(error.override)[1:-1]}: does not parse ({_flat(reason)}); allowed: {PARSES}"
    return _of_composition(str(error) or type(error).__name__)


def _of_composition(told: str) -> str:
    """What Hydra says in words only."""
    if "Ambiguous value" in told or "requires --multirun" in told:
        key, _, given = told.partition("'")[2].partition("'")[0].partition("=")
        return f"{key}: {quote(given)} is not one value; allowed: one, a list as [1,2], or -m before it for a sweep"
    if told.startswith("Multiple values for "):
        group = told.removeprefix("Multiple values for ").partition(". ")[0]
        return f"{group}: has a value already; allowed: {group}=NAME, without the +"
    return _flat(told.partition("Config search path:")[0])


def _flat(text: str) -> str:
    return " ".join(text.split())


def _of_key(error: OmegaConfBaseException, given: str = "") -> str:
    """The refusal of one key. `given`: the value's text on the command line, where it came from there."""
    key = error.full_key or str(error.key)
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        return _unknown(key, error)
    reason = str(error).splitlines()[0]
    allowed = f"allowed: {allowed_of(key, error.object_type)}"
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: has no value; {allowed}"
    if isinstance(error, InterpolationResolutionError):
        told = reason.partition(": Value ")[0]  # it may be that of an environment variable
        return f"{key}: does not resolve ({told}); {allowed}"
    if "does not support deletion" in reason:
        return f"{key}: cannot be taken away; allowed: another value"
    value = quote(given) if given or error.value is None else quote(error.value)
    return f"{key}: {value} is not allowed; {allowed}"


def unknown_key(key: str, known: list[str]) -> str:
    """The refusal of a key that the schema has not. `known`: those that it has at this place."""
    place, _, leaf = key.rpartition(".")
    close = get_close_matches(leaf, known, n=1)
    meant = f" (is {close[0]} meant?)" if close else ""
    allowed = ", ".join(known) or "none"
    return (
        f"{key}: there is no such key{meant}; allowed{f' in {place}' if place else ''}: {allowed}"
    )


def _unknown(key: str, error: OmegaConfBaseException) -> str:
    parent = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
    return unknown_key(key, [str(one) for one in parent if one != "hydra"])


def allowed_of(key: str, holder: type | None = None) -> str:
    """What a key may be, in words: its rule, or else its type. `holder`: the schema that a key of Hydra's is in."""
    plain = key.partition("[")[0]
    if plain in RULES and plain == key:
        return RULES[plain].allowed
    expected: Any = Config
    for part in plain.split("."):
        expected = (
            typing.get_type_hints(_one(expected)).get(part)
            if is_dataclass(_one(expected))
            else None
        )
    if expected is None and holder is not None and is_dataclass(holder):
        expected = typing.get_type_hints(holder).get(plain.rpartition(".")[2])
    return in_words(expected)


def _one(expected: Any) -> Any:
    """The type without the null that it may be too."""
    if isinstance(expected, types.UnionType) or typing.get_origin(expected) is typing.Union:
        (expected,) = (one for one in typing.get_args(expected) if one is not type(None))
    return expected


def in_words(expected: Any) -> str:
    """A type of the schema, as a user gives it."""
    inner = _one(expected)
    null = "null, or " if inner is not expected else ""
    if inner in WORDS:
        return null + WORDS[inner]
    if typing.get_origin(inner) is list:
        return f"{null}a list as [a,b], each {in_words(typing.get_args(inner)[0])}"
    if isinstance(inner, type) and issubclass(inner, Enum):
        return null + ", ".join(inner.__members__)
    if is_dataclass(inner):
        return null + "a part with " + ", ".join(field.name for field in fields(inner))
    return "another value"
