"""Hydra's and OmegaConf's errors as one line: the key, what is wrong, and what is allowed."""

from dataclasses import is_dataclass
from difflib import get_close_matches

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
from degradation.config.keys import read_keys
from degradation.config.overrides import list_options
from degradation.config.schema import KEYS

SYNTAX = "key=value, and quotes around a value that holds any of , : = [ ] { } ( ) or a space"
MAX_LINE_CHARACTERS = 1000


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
        allowed = ", ".join(error.options or list_options(group))
        return f"{group or '--config-name'}: {quote(name)} is not allowed; allowed: {allowed}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be parsed; allowed: {SYNTAX}"
    return " ".join(str(error).split()) or type(error).__name__


def _describe_key_error(error: OmegaConfBaseException) -> str:
    key = error.full_key or str(error.key)
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        parent = error.parent_node if isinstance(error.parent_node, DictConfig) else {}
        return unknown_key(key, [str(name) for name in parent if name != "hydra"])
    allowed = allowed_values(key, error.object_type)
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: has no value; allowed: {allowed}"
    reason = str(error).splitlines()[0]
    if isinstance(error, InterpolationResolutionError):
        # the rest may contain the value of an environment variable, which may be secret
        reason = f"does not resolve ({reason.partition(': Value ')[0]})"
    return f"{key}: {reason}; allowed: {allowed}"


def unknown_key(key: str, known: list[str]) -> str:
    """Return the message about a key that the schema lacks; `known`: the keys of its section."""
    parent, _, name = key.rpartition(".")
    close = get_close_matches(name, known, n=1)
    suggestion = f" (did you mean {close[0]}?)" if close else ""
    place = f" in {parent}" if parent else ""
    return f"{key}: no such key{suggestion}; allowed{place}: {', '.join(known) or 'none'}"


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
