"""Checks of the rows of a record. A valid checksum does not imply a meaningful row.

Each `check_*_row` function takes a row and the valid rows before it, and returns in a few
words what is wrong with the row, or None if it is valid.
"""

import math
import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from degradation.checksums import Row
from degradation.metrics import ITERATION, METRICS, PERCENT, is_known, is_percentage
from degradation.records.schema import DEVICE, IMAGES, OUTCOME, PROBE, REASON, SECONDS, TABLE
from degradation.records.value_checks import (
    ValueCheck,
    is_count,
    is_flag,
    is_name,
    is_number,
    is_one_of,
    is_percent,
    is_scalar,
    is_size,
    is_text,
    or_none,
)
from degradation.registry import PROBES

FindRowProblem = Callable[[Row, Sequence[Row]], str | None]


def _find_invalid_key(
    values: Row, required: dict[str, ValueCheck], optional: dict[str, ValueCheck] | None = None
) -> str | None:
    """Return what is wrong with the first key that is missing or has an invalid value."""
    for key, is_valid in required.items():
        if key not in values:
            return f"{key} is missing"
        if not is_valid(values[key]):
            return f"{key} is invalid"
    for key, is_valid in (optional or {}).items():
        if key in values and not is_valid(values[key]):
            return f"{key} is invalid"
    return None


# --- rows of attempts.jsonl


def _are_versions(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(version is None or is_text(version) for version in value.values())


ATTEMPT_START: dict[str, ValueCheck] = {
    "start": is_number,  # seconds since 1970
    "device": is_text,
    "commit": or_none(is_text),
    "versions": _are_versions,
}
ATTEMPT_START_OPTIONAL: dict[str, ValueCheck] = {"threads": is_count}
ATTEMPT_END: dict[str, ValueCheck] = {"end": is_number}
ATTEMPT_END_OPTIONAL: dict[str, ValueCheck] = {
    OUTCOME: is_text,
    REASON: is_text,
    ITERATION: or_none(is_count),
    SECONDS: is_size,
}


def find_attempt_problem(row: Row, _previous: Sequence[Row]) -> str | None:
    """Return what is wrong with a row that starts or ends an attempt, or None."""
    if "start" in row:
        return _find_invalid_key(row, ATTEMPT_START, ATTEMPT_START_OPTIONAL)
    return _find_invalid_key(row, ATTEMPT_END, ATTEMPT_END_OPTIONAL)


# --- rows of metrics.jsonl

REQUIRED_METRICS: dict[str, ValueCheck] = {
    name: is_percent if metric.unit == PERCENT else is_count
    for name, metric in METRICS.items()
    if metric.required
}


def find_metrics_problem(row: Row, previous: Sequence[Row]) -> str | None:
    """Return what is wrong with one evaluation, or None.

    Iterations must increase from row to row.
    """
    problem = _find_invalid_key(row, REQUIRED_METRICS)
    if problem:
        return problem
    if previous and row[ITERATION] <= previous[-1][ITERATION]:
        return f"{ITERATION} does not increase"
    for key, value in row.items():
        if not is_known(key):
            return "a key is unknown"
        is_valid = is_percent if is_percentage(key) else is_number
        if value is not None and not is_valid(value):
            return f"{key} is invalid"
    return None


def are_valid_metrics_rows(rows: list[Row]) -> bool:
    """Return True if `find_metrics_problem` accepts every row. Checks columns, which is fast.

    False means that the rows have to be checked one by one: some may be invalid, or they do not all
    have the same keys in the same order.
    """
    keys = tuple(rows[0])
    if any(tuple(row) != keys for row in rows) or not REQUIRED_METRICS.keys() <= set(keys):
        return False
    values = [row.values() for row in rows]  # in the order of the keys
    columns = dict(zip(keys, zip(*values, strict=True), strict=True))
    if not _are_ascending_counts(columns.pop(ITERATION)):
        return False
    for key, column in columns.items():
        if key in REQUIRED_METRICS and None in column:
            return False
        is_valid = is_percent if is_percentage(key) else is_number
        if not is_known(key) or not _are_numbers_or_none(column, is_valid):
            return False
    return True


def _are_ascending_counts(column: Sequence[Any]) -> bool:
    if set(map(type, column)) != {int}:  # `type`, because a bool is an instance of int
        return False
    ascends = all(map(operator.lt, column, column[1:]))
    return ascends and is_count(column[0]) and is_count(column[-1])


def _are_numbers_or_none(column: Sequence[Any], is_valid: ValueCheck) -> bool:
    """Return whether every value is None or an int or a float that is valid.

    `is_valid` must accept an interval of numbers: only the smallest and the largest are checked.
    """
    types = set(map(type, column))
    if not types <= {int, float, type(None)}:
        return False
    numbers = column
    if type(None) in types:
        numbers = [value for value in column if value is not None]
    return not numbers or (is_valid(min(numbers)) and is_valid(max(numbers)))


# --- rows of probes.jsonl

NORM = or_none(is_size)  # None where it is not finite
COLUMN_CHECKS: dict[str, ValueCheck] = {
    "count": is_count,
    "size": is_size,
    "number": is_number,
    "percent": is_percent,
    "flag": is_flag,
}


def column_checks(probe: str) -> dict[str, ValueCheck]:
    """Return the check of each column that a probe's registration declares in `columns`.

    A kind is a key of COLUMN_CHECKS, optionally followed by ` or null`, or a tuple of the words
    that the column may hold. A probe that is not registered has no checks.
    """
    if probe not in PROBES.names():
        return {}
    kinds = PROBES.facts(probe)["columns"]
    return {column: _build_check(kind) for column, kind in kinds.items()}


@cache
def _build_check(kind: str | tuple[str, ...]) -> ValueCheck:
    if isinstance(kind, tuple):
        return is_one_of(*kind)
    name, _, or_null = kind.partition(" or ")
    check = COLUMN_CHECKS[name]
    return or_none(check) if or_null else check


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


PROBE_ROW: dict[str, ValueCheck] = {
    PROBE: is_name,
    ITERATION: is_count,
    IMAGES: is_count,
    DEVICE: is_name,
    TABLE: _is_dict,
}


def find_probe_problem(row: Row, previous: Sequence[Row]) -> str | None:
    """Return what is wrong with the table that a probe measured at one iteration, or None.

    No earlier row may have the same probe, iteration and number of images.
    """
    problem = _find_invalid_key(row, PROBE_ROW)
    if problem:
        return problem
    if any(_probe_key(other) == _probe_key(row) for other in previous):
        return "is a duplicate"
    return _find_table_problem(row[PROBE], row[TABLE])


def _probe_key(row: Row) -> tuple[Any, ...]:
    """Return what must differ between rows: a measurement on more images is another measurement."""
    return row[PROBE], row[ITERATION], row[IMAGES]


def _find_table_problem(probe: str, table: dict[str, Any]) -> str | None:
    """Return what is wrong with a table of columns, or None.

    All columns must have the same length; empty ones are allowed.
    """
    for column in table.values():
        if not isinstance(column, list) or not _are_cells(column):
            return f"{TABLE} is invalid"
    lengths = {len(column) for column in table.values()} - {0}
    if len(lengths) != 1 or ITERATION in table:
        return f"{TABLE} has no rows"
    for name, is_valid in column_checks(probe).items():
        if name not in table or not all(map(is_valid, table[name])):
            return f"column {name} is missing or invalid"
    return None


def _are_cells(column: list[Any]) -> bool:
    return _are_numbers_or_none(column, is_number) or all(map(is_scalar, column))


# --- rows of landscape/


def _is_positive(value: Any) -> bool:
    return is_number(value) and value > 0


POINT: dict[str, ValueCheck] = {
    "shape": is_one_of("line", "square"),
    "x": is_number,
    "y": is_number,
    "points": is_count,  # on the line, or on a side of the square
    "reach": _is_positive,  # the grid extends from -reach to reach
    IMAGES: or_none(is_count),
    "directions": is_count,  # the seed of the directions
    "loss": NORM,
    "error": is_percent,
    DEVICE: is_name,
}


def find_landscape_problem(row: Row, _previous: Sequence[Row]) -> str | None:
    """Return what is wrong with the loss at one point, or None.

    The point must lie on the grid that the row itself describes.
    """
    problem = _find_invalid_key(row, POINT)
    if problem:
        return problem
    middle = (row["points"] - 1) // 2
    if middle < 1 or row["points"] % 2 == 0:
        return "points is invalid"
    for axis in ("x", "y"):
        index = row[axis] / row["reach"] * middle
        if abs(index) > middle + 0.5 or not math.isclose(index, round(index), abs_tol=1e-6):
            return f"{axis} is not on the grid"
    if row["shape"] == "line" and row["y"] != 0:
        return "y is invalid"
    return None
