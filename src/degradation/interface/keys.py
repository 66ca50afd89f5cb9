"""Arguments of a Python call as the overrides of a command line, and the run that they describe."""

import re
from collections.abc import Iterable, Mapping
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np

from degradation.config import Config, ConfigError
from degradation.config.error_messages import suggest_key
from degradation.config.errors import quote
from degradation.config.overrides import EXPERIMENT
from degradation.config.schema import KEYS
from degradation.sweep.expand import expand_configs

# Keys that are named so often that their last part suffices.
SHORT_NAMES = {
    "depth": "model.depth",
    "width": "model.width",
    "iterations": "schedule.iterations",
    "lr": "optim.lr",
    "batch_size": "optim.batch_size",
}


def compose_run(overrides: Mapping[str, Any] | None = None, **keys: Any) -> Config:
    """Return the checked configuration of the run that these keys describe.

    Args:
        overrides: values by dotted name, such as {"optim.lr": 0.1}.
        keys: groups and keys at the top level of conf/ by their name, and those in SHORT_NAMES. A
            key that is None here has its default.

    Raises:
        ConfigError: a value is not allowed, a key is given twice, or the keys describe several
            runs, as an experiment does.
    """
    if not isinstance(overrides, Mapping | None):
        raise ConfigError(
            f"overrides: {quote(overrides)} is not allowed; allowed: a mapping from dotted names to"
            ' values, such as {"optim.lr": 0.1}'
        )
    _check_names(keys)
    values = {SHORT_NAMES.get(key, key): value for key, value in keys.items() if value is not None}
    for key, value in (overrides or {}).items():
        if key in values:
            raise ConfigError(f"{key}: is given twice; allowed: one value")
        values[key] = value
    configs = expand_configs([f"{key}={format_value(value)}" for key, value in values.items()])
    if len(configs) != 1:
        raise ConfigError(
            f"{', '.join(values)}: describe {len(configs)} runs; allowed: one run, so every key of"
            " an experiment's grid needs a value"
        )
    return configs[0]


def _check_names(names: Iterable[str]) -> None:
    """Raise ConfigError unless all are keys at the top level of conf/ or in SHORT_NAMES."""
    known = [*SHORT_NAMES, EXPERIMENT, *[key for key in KEYS if "." not in key]]
    for name in names:
        if name not in known:
            suggestion = suggest_key(name, known)
            raise ConfigError(
                f"{name}: no such key{suggestion}; allowed: {', '.join(known)}; and every key in"
                ' overrides, such as overrides={"optim.lr": 0.1}'
            )


def format_value(value: Any) -> str:
    """Return a Python value in the grammar of Hydra's overrides."""
    if hasattr(value, "dtype"):
        value = _convert_array(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(format_value, value))}]"
    if isinstance(value, Mapping):
        items = [f"{key}:{format_value(item)}" for key, item in value.items()]
        return f"{{{','.join(items)}}}"
    if isinstance(value, PathLike):
        value = value.__fspath__()
    return _quote_text(str(value))


def _convert_array(value: Any) -> Any:
    """Return a scalar, an array or a tensor as Python numbers; 0.1 in single precision is 0.1."""
    precision = str(value.dtype).removeprefix("torch.")
    if precision not in ("float16", "float32"):
        return value.tolist()
    shortest_decimals = np.array(value.tolist(), precision).astype(str)
    return shortest_decimals.astype(float).tolist()


def check_count(name: str, value: Any) -> None:
    """Raise ConfigError unless an argument is a positive whole number."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"{name}: {quote(value)} is not allowed; allowed: a positive whole number"
        )


def _quote_text(text: str) -> str:
    """Put text between quotes; backslashes count only before a quote, where they are doubled."""
    escaped = re.sub(r"(\\*)'", lambda match: rf"{match[1] * 2}\'", text)
    trailing = len(escaped) - len(escaped.rstrip("\\"))
    return f"'{escaped}{escaped[len(escaped) - trailing :]}'"
