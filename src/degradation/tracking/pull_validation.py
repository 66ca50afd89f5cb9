"""Convert a run that W&B sends into the values of a record, and refuse it if they are invalid.

Nothing that a server sends is trusted. The checks are those of `degradation.records`. In addition,
run.json must have the keys that training writes, and there must be one row for each evaluation,
with the metrics that the configuration requires. What W&B loses is restored: which numbers are
integers, and None for a loss that was not finite.
"""

import math
from collections.abc import Iterable
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from degradation.checksums import Row
from degradation.config import evaluation_iterations
from degradation.config.errors import quote
from degradation.config.keys import split_optional
from degradation.metrics import ITERATION, METRICS
from degradation.records.config_validation import get_config_types, get_types
from degradation.records.metadata_validation import find_key_problem, find_metadata_problem
from degradation.records.row_validation import find_metrics_problem
from degradation.records.schema import RUN_FILE
from degradation.records.value_checks import is_count, is_number
from degradation.run_id import hashed_family, is_run_id, run_id_prefix

NOT_METRICS = ("_", "probes/")  # prefixes of W&B's own keys and of tables, which are not pulled


class InvalidPull(Exception):
    """The reason why a W&B run cannot become a record, in a few words."""


# --- run.json


def restore_metadata(run_id: str, sent: Any) -> Row:
    """Return the values of run.json from the configuration of a W&B run.

    Raises:
        InvalidPull: it is not the configuration of the run with this id.
    """
    if not isinstance(sent, dict) or "config" not in sent:
        raise InvalidPull(f"its configuration does not hold what {RUN_FILE} holds")
    metadata: Row = sent | {"config": _restore_config(sent["config"])}
    problem = (
        find_metadata_problem(metadata, run_id)
        or find_key_problem(metadata)
        or _find_value_problem(metadata)
    )
    if problem:
        raise InvalidPull(problem)
    config = metadata["config"]
    family = hashed_family(config["model"])
    prefix = run_id_prefix(family, config["model"]["depth"], config["seed"])
    if metadata["family"] != family or not run_id.startswith(prefix):
        raise InvalidPull(f"config is that of {prefix}..., which does not match the run id")
    return metadata


def _find_value_problem(metadata: Row) -> str | None:
    """Return what is wrong with values that the reader of records does not depend on, or None."""
    if metadata["data"]["name"] != metadata["config"]["data"]["name"]:
        return "data.name differs from the one in config"
    if not is_count(metadata["numerics_version"]):
        return "numerics_version is invalid"
    parent = metadata.get("parent")
    if parent is not None and not is_run_id(parent):
        return "parent is invalid"
    return None


def _restore_config(config: Any) -> Any:
    """Return the configuration in run.json with the numeric types of the schema."""
    if not isinstance(config, dict):
        return config
    types = get_config_types()
    return {name: restore_types(entry, types.get(name)) for name, entry in config.items()}


def restore_types(value: Any, kind: Any) -> Any:
    """Return the value with the numeric types of the schema.

    JSON may have turned 1.0 into 1, and run ids hash the difference.

    Args:
        value: what the configuration holds.
        kind: its type in the schema, or None for a key that the schema lacks.
    """
    kind, _ = split_optional(kind)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        types = get_types(kind)
        return {name: restore_types(entry, types.get(name)) for name, entry in value.items()}
    if get_origin(kind) is list and isinstance(value, list):
        (entry_kind,) = get_args(kind)
        return [restore_types(entry, entry_kind) for entry in value]
    if kind in (int, float) and is_number(value):
        return _restore_number(value, is_integer=kind is int)
    return value


def _restore_number(value: float, is_integer: bool) -> float:
    """Return a float, or an int where one is expected. There 1.5 stays, and is refused later."""
    if not is_integer:
        return float(value)
    return int(value) if math.isfinite(value) and float(value).is_integer() else value


# --- rows of metrics


def restore_metrics(config: Row, sent: Iterable[Row]) -> list[Row]:
    """Return the rows of metrics.jsonl from the rows of a W&B history.

    The history may end early (the run is unfinished or has diverged), but no evaluation before its
    end may be missing.

    Args:
        config: the configuration in run.json.
        sent: rows of the history. Rows that hold no metric, such as those of probes, are ignored.

    Raises:
        InvalidPull: a row is missing or invalid.
    """
    schedule = config["schedule"]
    expected = evaluation_iterations(
        schedule["iterations"],
        schedule["evaluate_every"],
        at_start=config["model"].get("grown_from") is not None,
    )
    rows: list[Row] = []
    for sent_row in sent:
        values = _select_metrics(sent_row)
        if values.keys() <= {ITERATION}:
            continue
        iteration = next(expected, None)
        row = _restore_row(config, values, iteration)
        problem = find_metrics_problem(row, rows[-1:])
        if problem:
            raise InvalidPull(f"iteration {iteration}: {problem}")
        rows.append(row)
    return rows


def _select_metrics(sent_row: Row) -> Row:
    """Return the metrics of a row. W&B may send None for a key that the row does not have."""
    return {
        key: value
        for key, value in sent_row.items()
        if value is not None and not key.startswith(NOT_METRICS)
    }


def _restore_row(config: Row, values: Row, expected_iteration: int | None) -> Row:
    """Return the row of an evaluation. Raises InvalidPull."""
    if values.get(ITERATION) != expected_iteration:
        received = quote(values.get(ITERATION))
        expected = f"iteration {expected_iteration}"
        if expected_iteration is None:
            expected = "no further row"
        raise InvalidPull(f"the history has iteration {received} instead of {expected}")
    problem = _find_wrong_metric(config, values)
    if problem:
        raise InvalidPull(f"iteration {expected_iteration}: {problem}")
    row: Row = {}
    for name in _list_metrics(config, values[ITERATION]):
        metric = METRICS[name]
        if name in values:
            row[name] = _restore_number(values[name], metric.is_integer)
        elif metric.nullable:
            row[name] = None
    return row


def _find_wrong_metric(config: Row, values: Row) -> str | None:
    """Return what is wrong with the first key that is missing, unknown or not a number."""
    names = _list_metrics(config, values[ITERATION])
    for name in sorted(names):
        metric = METRICS[name]
        if name not in values and not metric.nullable and not metric.optional:
            return f"{name} is missing"
    for key in sorted(values):
        if key not in names:
            return f"{quote(key)} is unexpected"
        if not is_number(values[key]):
            return f"{key} is not a number: {quote(values[key])}"
    return None


def _list_metrics(config: Row, iteration: int) -> list[str]:
    """Return the metrics that the row of an iteration may have."""
    return [name for name, metric in METRICS.items() if metric.condition(config, iteration)]
