"""Checks of the configuration in run.json, by the types and the rules of the schema."""

from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from degradation.checksums import Row
from degradation.config import Config
from degradation.config.dotted_keys import flatten
from degradation.config.errors import quote
from degradation.config.keys import split_optional
from degradation.config.schema import KEYS
from degradation.records.value_checks import (
    ValueCheck,
    is_flag,
    is_integer,
    is_name,
    is_number,
    is_scalar,
)
from degradation.run_id import PARENT_KEY

# The analysis cannot use a run whose configuration lacks one of these keys.
REQUIRED_CONFIG_KEYS = (
    "seed",
    "data.name",
    "model.depth",
    "model.shortcut",
    "schedule.iterations",
    "schedule.evaluate_every",
)
MAX_CONFIG_KEYS = 500
MAX_EVALUATIONS = 100_000

CHECKS: dict[type, ValueCheck] = {
    bool: is_flag,
    int: is_integer,
    float: is_number,
    str: is_name,
}


def config_columns(config: Row) -> dict[str, Any]:
    """Return one column per key of the configuration, such as `config.optim.lr`.

    A list becomes text, so that each column holds scalars.
    """
    columns = {}
    for key, value in flatten(config):
        columns[f"config.{key}"] = str(value) if isinstance(value, list) else value
    return columns


def find_config_problem(config: Any) -> str | None:
    """Return what is wrong with the configuration in run.json, or None if it is valid.

    It holds the keys that `degradation.run_id.hashed_values` returns. Types and ranges are those of
    the schema; keys that the schema lacks may hold any scalar.
    """
    if not isinstance(config, dict):
        return "config is missing"
    mistyped = find_mistyped_key(config, Config, "")
    if mistyped is not None:
        return f"config.{mistyped} is invalid"
    return _find_value_problem(dict(flatten(config)))


def _find_value_problem(values: dict[str, Any]) -> str | None:
    """Return which required key is missing or which value is not allowed, or None.

    Keys are dotted.
    """
    if len(values) > MAX_CONFIG_KEYS:
        return f"config has {len(values)} keys"
    for key in REQUIRED_CONFIG_KEYS:
        if values.get(key) is None:
            return f"config.{key} is missing"
    for key, schema_key in KEYS.items():
        if key in values and not schema_key.accepts(values[key]):
            value = quote(values[key])
            return f"config.{key}: {value} is not allowed; allowed: {schema_key.allowed}"
    if values["schedule.iterations"] > MAX_EVALUATIONS * values["schedule.evaluate_every"]:
        return f"config.schedule.evaluate_every: more than {MAX_EVALUATIONS} evaluations"
    return None


def find_mistyped_key(value: Any, kind: Any, key: str) -> str | None:
    """Return the first dotted key whose value does not have the schema's type, or None if all have.

    Args:
        value: what the configuration holds under `key`.
        kind: the type in the schema (a group of keys is a dataclass), or None for a key that the
            schema lacks, which another release wrote: it may hold any scalar.
        key: the dotted key.
    """
    if is_dataclass(kind):
        return _find_mistyped_in_group(value, kind, key)
    if get_origin(kind) is list:
        return _find_mistyped_in_list(value, kind, key)
    if get_origin(kind) is dict:
        return _find_mistyped_in_mapping(value, key)
    required_kind, is_nullable = split_optional(kind)
    if is_nullable:
        return None if value is None else find_mistyped_key(value, required_kind, key)
    is_valid = is_scalar if kind is None else CHECKS[kind]
    return None if is_valid(value) else key


def _find_mistyped_in_group(value: Any, kind: Any, key: str) -> str | None:
    if not isinstance(value, dict):
        return key
    types = get_types(kind) if key else get_config_types()
    for name, entry in value.items():
        mistyped = find_mistyped_key(entry, types.get(name), f"{key}.{name}".lstrip("."))
        if mistyped is not None:
            return mistyped
    return None


def _find_mistyped_in_list(value: Any, kind: Any, key: str) -> str | None:
    if not isinstance(value, list):
        return key
    (entry_kind,) = get_args(kind)
    for entry in value:
        if find_mistyped_key(entry, entry_kind, key) is not None:
            return key
    return None


def _find_mistyped_in_mapping(value: Any, key: str) -> str | None:
    """Check options, whose names and types only their block knows: any scalar but null."""
    if not isinstance(value, dict):
        return key
    for name, entry in value.items():
        if entry is None or not is_scalar(entry):
            return f"{key}.{name}"
    return None


@cache  # evaluating the annotations again in every call would take most of the time
def get_types(kind: type) -> dict[str, Any]:
    """Return the type of each key of a group of the schema."""
    return get_type_hints(kind)


def get_config_types() -> dict[str, Any]:
    """Return the type of each key of the configuration in run.json, which may hold a parent's.

    Neither a group nor a parent has a parent.
    """
    return get_types(Config) | {PARENT_KEY: Config}
