"""What run.json must hold for a run to be quote: the types and ranges of the configuration, and the id made of it."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from degradation.config import Config
from degradation.config.errors import quote
from degradation.config.schema import KEYS
from degradation.durable_io import Row
from degradation.records.row_validation import is_count, is_name, is_number
from degradation.run_id import PARENT_KEY

FAMILIES = ("plain", "residual", "constructed", "plain-preactivation", "preactivation")
COMPLEXITY_COLUMNS = ("parameters", "multiply_adds", "activations")
NEEDED = (
    "seed",
    "data.name",
    "model.depth",
    "model.shortcut",
    "schedule.iterations",
    "schedule.evaluate_every",
)
MOST_KEYS = 500
MOST_EVALUATIONS = 100_000
RUN_ID = re.compile(r".+-d\d+-s\d+-([0-9a-f]{8})")


def check_metadata(description: Row, run_id: str) -> str | None:
    """What is wrong, in a few words; None where nothing is."""
    config, data, census = (description.get(key) for key in ("config", "data", "census"))
    if description.get("run_id") != run_id:
        return f"is of another run, {quote(description.get('run_id'))}"
    if description.get("family") not in FAMILIES:
        return f"family: {quote(description.get('family'))} is not allowed"
    if problem := _misfit_of_data(data):
        return problem
    if not isinstance(census, dict) or not all(is_count(value) for value in census.values()):
        return "census is missing or wrong"
    if not isinstance(config, dict):
        return "config is missing"
    return _misfit_of_config(config) or _misfit_of_id(config, run_id)


def _misfit_of_data(data: Any) -> str | None:
    """Its classes, and the numbers of images that it may hold: of training, of testing, of the commonest class."""
    if not isinstance(data, dict) or not is_count(data.get("classes")) or data["classes"] < 2:
        return "data.classes is missing or wrong"
    for key in ("train", "test", "commonest"):
        if key in data and not (is_count(data[key]) and data[key] >= 1):
            return f"data.{key} is wrong"
    if "commonest" in data and data["commonest"] > data.get("train", 0):
        return "data.commonest is wrong"
    return None


def config_columns(config: Row) -> dict[str, Any]:
    """A column a key, such as `config.optim.lr`; a list is told as text."""
    return {
        f"config.{key}": str(value) if isinstance(value, list) else value
        for key, value in _flat("", config)
    }


def _flat(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _misfit_of_config(config: Row) -> str | None:
    if wrong := _mistyped(config, Config, ""):
        return f"config.{wrong} is wrong"
    values = dict(_flat("", config))
    if len(values) > MOST_KEYS:
        return f"config has {len(values)} keys"
    for key in NEEDED:
        if values.get(key) is None:
            return f"config.{key} is missing"
    for key, schema_key in KEYS.items():
        if key in values and not schema_key.accepts(values[key]):
            value = quote(values[key])
            return f"config.{key}: {value} is not allowed; allowed: {schema_key.allowed}"
    if values["schedule.iterations"] > MOST_EVALUATIONS * values["schedule.evaluate_every"]:
        return f"config.schedule.evaluate_every: more than {MOST_EVALUATIONS} evaluations"
    return None


def _mistyped(value: Any, kind: Any, key: str) -> str | None:
    """The first dotted key whose value is not of the schema's type; one that the schema lacks may hold any scalar."""
    if isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, dict):
            return key
        types = _types(kind) | {PARENT_KEY: Config}
        found = (
            _mistyped(one, types.get(name), f"{key}.{name}".lstrip("."))
            for name, one in value.items()
        )
        return next((wrong for wrong in found if wrong is not None), None)
    if kind is None:
        return (
            None
            if value is None or isinstance(value, bool) or is_number(value) or is_name(value)
            else key
        )
    options = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) is list:
        fits = isinstance(value, list) and all(
            _mistyped(one, options[0], key) is None for one in value
        )
        return None if fits else key
    if options:
        return None if value is None else _mistyped(value, options[0], key)
    fits = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and is_number(value),
        float: is_number(value),
        str: is_name(value),
    }[kind]
    return None if fits else key


_types = cache(get_type_hints)  # which evaluates the annotations anew in every call


def _misfit_of_id(config: Row, run_id: str) -> str | None:
    """The id ends with a hash of the configuration (degradation.run_id)."""
    told = RUN_ID.fullmatch(run_id)
    if told is None:
        return None
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    fits = hashlib.sha256(canonical.encode()).hexdigest().startswith(told[1])
    return None if fits else "config is not the one that the run's id is made of"
