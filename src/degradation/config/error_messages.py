"""Hydra's and OmegaConf's errors as one line: the key, what is wrong, and what is allowed."""

import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from degradation.config.errors import escape, quote
from degradation.config.keys import read_keys
from degradation.config.overrides import CONF, list_options
from degradation.config.schema import KEYS

SYNTAX = "key=value, and quotes around a value that holds any of , : = [ ] { } ( ) or a space"
MAX_LINE_CHARACTERS = 1000
CLOSE = 0.8  # similarity of a key to one of another section that is suggested in its place
# OmegaConf's messages about a single value in place of a section.
NO_SECTION = re.compile(
    r"Invalid type assigned: .* is not a subclass of .*\. value: (?P<value>.*)"
    r"|Cannot assign .* to Dict.*"
)
# OmegaConf's messages about a value that is not a number.
NO_NUMBER = re.compile(
    r"Value '(?P<value>.*)' of type '(?P<type>\w+)'"
    r" could not be converted to (?P<kind>Integer|Float)"
)
KINDS = {"Integer": "a whole number", "Float": "a number"}
LAUNCHER_GROUP, LAUNCHER = "hydra/launcher", "hydra.launcher."
# What only this project's code sets: the launchers' schemas, classes and functions.
SCHEMA_SUFFIX = "_schema"
INTERNAL_LAUNCHER_KEYS = (
    "_target_",
    "count_gpus",
    "count_fitting",
    "preload",
    "preflight",
    "connect_progress",
)
EPOCHS = re.compile(r"(\w+_)?epochs?", re.IGNORECASE)
# The key that a user may have meant by a section.
SECTION_HINTS = {"schedule.warmup": "iterations of a linear warm-up are schedule.linear_warmup"}


def format_hydra_error(error: Exception) -> str:
    """Return the error's message as one line that can be printed."""
    line = escape(_describe(error))
    return line if len(line) <= MAX_LINE_CHARACTERS else f"{line[:MAX_LINE_CHARACTERS]}..."


def _describe(error: Exception) -> str:
    if isinstance(error, OmegaConfBaseException):
        return _describe_key_error(error)
    if isinstance(error.__cause__, OmegaConfBaseException):
        return _describe_key_error(error.__cause__)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        options = error.options or list_options(group)
        allowed = ", ".join(name for name in options if not name.endswith(SCHEMA_SUFFIX))
        return f"{group or '--config-name'}: {quote(name)} is not allowed; allowed: {allowed}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be parsed; allowed: {SYNTAX}"
    return " ".join(str(error).split()) or type(error).__name__


def _describe_key_error(error: OmegaConfBaseException) -> str:
    key = error.full_key or str(error.key)
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        parent = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
        known = [str(name) for name in parent if name != "hydra"]
        if key.startswith(LAUNCHER):
            known = [name for name in known if name not in INTERNAL_LAUNCHER_KEYS]
        return unknown_key(key, known)
    allowed = allowed_values(key, error.object_type)
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: has no value; allowed: {allowed}"
    reason = str(error).splitlines()[0]
    match = NO_SECTION.fullmatch(reason)
    if match:
        value = match["value"] or "one value"
        hint = f" ({SECTION_HINTS[key]})" if key in SECTION_HINTS else ""
        return f"{key}: {value} is not allowed; allowed: {allowed}{hint}"
    match = NO_NUMBER.fullmatch(reason)
    if match:
        value = quote(match["value"]) if match["type"] == "str" else match["value"]
        return f"{key}: {value} is not {KINDS[match['kind']]}; allowed: {allowed}"
    if isinstance(error, InterpolationResolutionError):
        # the rest may contain the value of an environment variable, which may be secret
        reason = f"does not resolve ({reason.partition(': Value ')[0]})"
    return f"{key}: {reason}; allowed: {allowed}"


def unknown_key(key: str, known: list[str]) -> str:
    """Return the message about a key that the schema lacks; `known`: the keys of its section."""
    parent = key.rpartition(".")[0]
    place = f" in {parent}" if parent else ""
    return (
        f"{key}: no such key{suggest_key(key, known)}; allowed{place}: {', '.join(known) or 'none'}"
    )


def suggest_key(key: str, known: Sequence[str]) -> str:
    """Return ` (did you mean KEY?)` or what such a key is here; an empty text if no key is close.

    A key of the same name in another section, such as `optim.lr` for `lr`, precedes similar keys.
    """
    name = key.rpartition(".")[2]
    if EPOCHS.fullmatch(name):
        return " (the length is counted in iterations: schedule.iterations)"
    launchers = _list_launchers_with(name) if key.startswith(LAUNCHER) else []
    if launchers:
        holders = " and ".join(f"hydra/launcher={launcher}" for launcher in launchers)
        return f" ({name} is a key of {holders})"
    by_name: dict[str, str] = {}
    for dotted in sorted(KEYS, key=lambda dotted: dotted.count(".")):
        by_name.setdefault(dotted.rpartition(".")[2], dotted)
    similar = get_close_matches(key, KEYS, n=1, cutoff=CLOSE)
    similar_names = get_close_matches(name, by_name, n=1, cutoff=CLOSE)
    candidates = [
        *get_close_matches(name, known, n=1, cutoff=CLOSE),
        *similar,
        *[by_name[similar_name] for similar_name in similar_names],
        *get_close_matches(name, known, n=1),
    ]
    if name in by_name:
        candidates.insert(0, by_name[name])
    return f" (did you mean {candidates[0]}?)" if candidates else ""


def _list_launchers_with(name: str) -> list[str]:
    """Return the launchers in conf/ that have a key of this name."""
    launchers = list_options(LAUNCHER_GROUP)
    files = {launcher: CONF / LAUNCHER_GROUP / f"{launcher}.yaml" for launcher in launchers}
    return [launcher for launcher, file in files.items() if name in OmegaConf.load(file)]


def allowed_values(key: str, holder: type | None = None) -> str:
    """Return a key's allowed values in words. `holder`: the dataclass of a key of Hydra's own."""
    name = key.partition("[")[0]
    if name in KEYS:
        return KEYS[name].allowed
    if is_dataclass(holder):
        key_in_holder = read_keys(holder).get(name.rpartition(".")[2])
        if key_in_holder is not None:
            return key_in_holder.allowed
    return "another value"
