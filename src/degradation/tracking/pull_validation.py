"""What a run of W&B must hold to become a record: nothing that a server says is trusted.

A row is an evaluation with exactly the keys that the configuration asks for; what W&B does not keep is put back: which
numbers are whole, and that a loss which was not finite is None.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from degradation.config import Config, Model, evaluation_iterations, family
from degradation.config.errors import is_single_line, quote
from degradation.durable_io import Row
from degradation.metrics import (
    AUGMENTED_ERROR,
    AUGMENTED_LOSS,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    LR,
    PLATEAUS,
    RUNNING_ERROR,
    RUNNING_LOSS,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
    TEST_LOSS,
    VALIDATION_ERROR,
    VALIDATION_LOSS,
    WARMUP_END,
)
from degradation.records.schema import RUN_FILE
from degradation.run_id import HASH_DEFAULTS, PARENT_KEY

RUN_ID = re.compile(r"[a-z-]+-d\d+-s\d+-[0-9a-f]{8}", re.ASCII)
WHOLE = (ITERATION, WARMUP_END, PLATEAUS)
LARGEST = 1e300
NOT_METRICS = ("_", "probes/")  # W&B's own, and tables, which are not pulled
TEXTS, COUNTS = {"name", "checksum"}, {"classes", "train", "test"}  # of the data


class InvalidPull(Exception):
    """Why a run of W&B becomes no record, in a few words."""


@dataclass(frozen=True)
class Judge:
    """What the reader of records says is wrong with a run.json of an id, and with a row after those before it."""

    description: Callable[[Row, str], str | None]
    metric: Callable[[Row, list[Row]], str | None]


def description_of(run_id: str, sent: Any, judge: Judge) -> Row:
    """run.json from the W&B run's configuration. Raises Refused where it is not that of this id."""
    needed = {"run_id", "family", "numerics_version", "config", "data", "census"}
    if not isinstance(sent, dict) or not needed <= {*sent} <= {*needed, "parent"}:
        raise InvalidPull(f"its configuration does not hold what {RUN_FILE} holds")
    description: Row = sent | {"config": _typed(sent["config"], Config)}
    if problem := judge.description(description, run_id) or _misfit(description):
        raise InvalidPull(problem)
    config = description["config"]
    expected = f"{_family(config['model'])}-d{config['model']['depth']}-s{config['seed']}-"
    if description["family"] != _family(config["model"]) or not run_id.startswith(expected):
        raise InvalidPull(
            f"config is that of {expected}..., not the one that the run's id is made of"
        )
    return description


def _misfit(description: Row) -> str | None:
    data, config = description["data"], description["config"]
    if not TEXTS | COUNTS <= {*data} <= TEXTS | COUNTS | {"validation", "commonest"}:
        return "data has other keys"
    if not all(isinstance(data[key], str) and is_single_line(data[key]) for key in TEXTS):
        return "data.name or data.checksum is wrong"
    if not all(_is_count(value) for key, value in data.items() if key not in TEXTS):
        return "data holds what is no count"
    if data["name"] != config["data"]["name"]:
        return "data is not that of config"
    if not _is_count(description["numerics_version"]):
        return "numerics_version is wrong"
    parent = description.get("parent")
    return None if parent is None or is_run_id(parent) else "parent is wrong"


def is_run_id(name: Any) -> bool:
    """Can it be one? It becomes a folder's name."""
    return isinstance(name, str) and len(name) < 100 and RUN_ID.fullmatch(name) is not None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _family(model: Row) -> str:
    names = [field.name for field in fields(Model)]
    values: dict[str, Any] = {
        name: model.get(name, HASH_DEFAULTS.get(f"model.{name}")) for name in names
    }
    return family(Model(**values))


def _typed(value: Any, kind: Any) -> Any:
    """As the schema has it: JSON may have lost that 1.0 is no 1, and ids are made of the difference."""
    if isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, dict):
            return value
        types = _types(kind) | {PARENT_KEY: Config}
        return {name: _typed(one, types.get(name)) for name, one in value.items()}
    if get_origin(kind) is list and isinstance(value, list):
        return [_typed(one, get_args(kind)[0]) for one in value]
    kinds = [option for option in get_args(kind) if option is not type(None)] or [kind]
    if is_dataclass(kinds[0]):
        return _typed(value, kinds[0])
    return _number(value, kinds[0]) if kinds[0] in (int, float) and _is_number(value) else value


_types = cache(get_type_hints)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _number(value: float, kind: type) -> float:
    whole = kind is int and math.isfinite(value) and float(value).is_integer()
    return int(value) if whole else float(value) if kind is float else value


# --- rows of metrics


def metrics_of(config: Row, sent: Iterable[Row], judge: Judge) -> list[Row]:
    """The rows of metrics.jsonl from those of the W&B history. Raises Refused, also where one is missing."""
    kept: list[Row] = []
    expected = _evaluations(config)
    for row in sent:
        told = {
            key: value
            for key, value in row.items()
            if not key.startswith(NOT_METRICS) and value is not None
        }
        if not {*told} <= {ITERATION}:  # else it is of probes
            kept.append(_metric(config, told, next(expected, None)))
            if problem := judge.metric(kept[-1], kept[-2:-1]):
                raise InvalidPull(f"iteration {kept[-1][ITERATION]}: {problem}")
    return kept


def _metric(config: Row, told: Row, expected: int | None) -> Row:
    if told.get(ITERATION) != expected:
        wanted = "no row" if expected is None else f"that of {expected}"
        raise InvalidPull(
            f"has a row of iteration {quote(told.get(ITERATION))} where {wanted} belongs"
        )
    place = f"iteration {expected}"
    needed, losses, optional = _keys(config, int(told[ITERATION]))
    if missing := needed - {*told}:
        raise InvalidPull(f"{place}: {min(missing)} is missing")
    if unknown := {*told} - needed - losses - optional:
        raise InvalidPull(f"{place}: {quote(min(unknown))} does not belong there")
    if wrong := [key for key, value in told.items() if not _is_number(value)]:
        raise InvalidPull(f"{place}: {min(wrong)} is no number: {quote(told[min(wrong)])}")
    return dict.fromkeys(losses) | {
        key: _number(value, int if key in WHOLE else float) for key, value in told.items()
    }


def _keys(config: Row, iteration: int) -> tuple[set[str], set[str], set[str]]:
    """Those that a row must have, those that are None where they were not finite, and those that it may have."""
    data, schedule = config["data"], config["schedule"]
    needed = {ITERATION, CLEAN_ERROR, AUGMENTED_ERROR, TEST_ERROR}
    losses = {CLEAN_LOSS, AUGMENTED_LOSS, TEST_LOSS}
    if iteration:
        needed |= {LR, RUNNING_ERROR, RUNNING_LOSS}
    if data.get("validation"):
        needed, losses = needed | {VALIDATION_ERROR}, losses | {VALIDATION_LOSS}
    if (data.get("stream") or {}).get("ten_crop"):
        needed |= {TEN_CROP_ERROR, TEN_CROP_TOP5_ERROR}
    if schedule.get("plateau"):
        needed |= {PLATEAUS}
    return needed, losses, {WARMUP_END} if schedule.get("warmup") else set()


def _evaluations(config: Row) -> Iterator[int]:
    """Return the iterations of the rows of metrics."""
    schedule = config["schedule"]
    at_start = config["model"].get("grown_from") is not None
    return evaluation_iterations(schedule["iterations"], schedule["evaluate_every"], at_start)
