"""What the rows of a record must hold to be shown, whoever wrote them: the reader's side of records/schema.py.

Each function says in a few words what is wrong with a row, after those that were kept before it;
None where it fits.
"""

import math
import operator
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from degradation import metrics
from degradation.config.errors import is_single_line
from degradation.durable_io import Row
from degradation.metrics import CLEAN_ERROR, ITERATION, TEST_ERROR
from degradation.records.schema import DEVICE, IMAGES, OUTCOME, PROBE, REASON, SECONDS, TABLE
from degradation.registry import PROBES

Fits = Callable[[Any], bool]
InvalidRow = Callable[[Row, list[Row]], str | None]
LARGEST = 1e300  # a number beyond it is no measurement, and sums of such overflow
LONGEST = 10_000  # characters of a text


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def is_size(value: Any) -> bool:
    return is_number(value) and value >= 0


def is_percent(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 100


def is_count(value: Any) -> bool:
    """What a table keeps as a whole number, and a float holds exactly."""
    return isinstance(value, int) and is_size(value) and value < 2**53


def is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def is_name(value: Any) -> bool:
    """Text that can stand in a table, a page and a figure as it is."""
    return is_text(value) and is_single_line(value)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def or_null(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def is_one_of(*words: str) -> Fits:
    return lambda value: isinstance(value, str) and value in words


def _unfit(values: Row, needed: dict[str, Fits], optional: dict[str, Fits]) -> str | None:
    """The first key whose value is missing or wrong."""
    for key, fits in needed.items():
        if key not in values:
            return f"{key} is missing"
        if not fits(values[key]):
            return f"{key} is wrong"
    return next(
        (
            f"{key} is wrong"
            for key, fits in optional.items()
            if key in values and not fits(values[key])
        ),
        None,
    )


# --- rows of attempts.jsonl


def _are_versions(value: Any) -> bool:
    return isinstance(value, dict) and all(or_null(is_text)(version) for version in value.values())


START: dict[str, Fits] = {"device": is_text, "commit": or_null(is_text), "versions": _are_versions}
END: dict[str, Fits] = {REASON: is_text, ITERATION: or_null(is_count), SECONDS: is_size}


def check_attempt_row(row: Row, _before: list[Row]) -> str | None:
    if "start" in row:
        return _unfit(row, {"start": is_number, **START}, {"threads": is_count})
    return _unfit(row, {"end": is_number}, {OUTCOME: is_text, **END})


# --- rows of metrics.jsonl


def check_metrics_row(row: Row, before: list[Row]) -> str | None:
    if unfit := _unfit(
        row, {ITERATION: is_count, CLEAN_ERROR: is_percent, TEST_ERROR: is_percent}, {}
    ):
        return unfit
    if before and row[ITERATION] <= before[-1][ITERATION]:
        return f"{ITERATION} does not rise"
    for key, value in row.items():
        if not metrics.is_known(key):
            return "a key is not known"
        if not or_null(is_percent if metrics.is_percentage(key) else is_number)(value):
            return f"{key} is wrong"
    return None


def are_valid_metrics_rows(rows: list[Row]) -> bool:
    """Does `metric` find no misfit in any row? Asked by columns; where the rows differ in their keys it is not known.

    False, which costs time only, is also said of rows that `metric` has to judge.
    """
    keys = tuple(rows[0])
    if not {ITERATION, CLEAN_ERROR, TEST_ERROR} <= {*keys} or any(
        tuple(row) != keys for row in rows
    ):
        return False
    columns = dict(zip(keys, zip(*map(dict.values, rows), strict=True), strict=True))
    iterations = columns.pop(ITERATION)
    rise = {*map(type, iterations)} == {int} and all(map(operator.lt, iterations, iterations[1:]))
    if not (rise and is_count(iterations[0]) and is_count(iterations[-1])):
        return False
    return all(
        metrics.is_known(key)
        and _all_numbers(column, metrics.is_percentage(key), key in (CLEAN_ERROR, TEST_ERROR))
        for key, column in columns.items()
    )


def _all_numbers(column: Sequence[Any], percents: bool, needed: bool) -> bool:
    kinds = {*map(type, column)}  # not isinstance: a flag is no number
    if type(None) in kinds:
        if needed:
            return False
        column = [value for value in column if value is not None]
    if not kinds <= {int, float, type(None)}:
        return False
    fits = is_percent if percents else is_number
    return not column or (fits(min(column)) and fits(max(column)))


# --- rows of probes.jsonl

NORM = or_null(is_size)
COLUMN_CHECKS: dict[str, Fits] = {
    "count": is_count,
    "size": is_size,
    "number": is_number,
    "percent": is_percent,
    "flag": is_flag,
}


def column_checks(name: str) -> dict[str, Fits]:
    """Return the check of each column that a probe's registration declares in `columns`.

    A kind is a key of COLUMN_CHECKS, optionally followed by ` or null`, or a tuple of the words
    that the column may hold. A probe that is not registered has no checks.
    """
    if name not in PROBES.names():
        return {}
    kinds = PROBES.facts(name)["columns"]
    return {column: _column_check(kind) for column, kind in kinds.items()}


@cache
def _column_check(kind: str | tuple[str, ...]) -> Fits:
    if isinstance(kind, tuple):
        return is_one_of(*kind)
    name, _, nullable = kind.partition(" or ")
    check = COLUMN_CHECKS[name]
    return or_null(check) if nullable else check


def _are_cells(column: list[Any]) -> bool:
    return _all_numbers(column, percents=False, needed=False) or all(map(_is_cell, column))


def _is_cell(value: Any) -> bool:
    return value is None or is_flag(value) or is_number(value) or is_name(value)


def check_probe_row(row: Row, before: list[Row]) -> str | None:
    needed = {PROBE: is_name, ITERATION: is_count, IMAGES: is_count, DEVICE: is_name}
    if unfit := _unfit(row, {**needed, TABLE: lambda table: isinstance(table, dict)}, {}):
        return unfit
    if any(_sample(row) == _sample(one) for one in before):
        return "is there twice"
    table = row[TABLE]
    if not all(isinstance(column, list) and _are_cells(column) for column in table.values()):
        return f"{TABLE} is wrong"
    if len({len(column) for column in table.values()} - {0}) != 1 or ITERATION in table:
        return f"{TABLE} has no rows"
    for name, fits in column_checks(row[PROBE]).items():
        if name not in table or not all(map(fits, table[name])):
            return f"column {name} is missing or wrong"
    return None


def _sample(row: Row) -> tuple[Any, ...]:
    """What a row of probes is of: another number of images is another sample, and may be taken too."""
    return row[PROBE], row[ITERATION], row[IMAGES]


# --- rows of landscape/

POINT: dict[str, Fits] = {
    "shape": is_one_of("line", "square"), "x": is_number, "y": is_number, "points": is_count,
    "reach": lambda value: is_size(value) and value > 0, IMAGES: or_null(is_count), "directions": is_count,
    "loss": NORM, "error": is_percent, DEVICE: is_name,
}  # fmt: skip


def check_landscape_row(row: Row, _before: list[Row]) -> str | None:
    if unfit := _unfit(row, POINT, {}):
        return unfit
    middle = (row["points"] - 1) // 2
    if middle < 1 or row["points"] % 2 == 0:
        return "points is wrong"
    for axis in ("x", "y"):
        place = row[axis] / row["reach"] * middle
        if abs(place) > middle + 0.5 or not math.isclose(place, round(place), abs_tol=1e-6):
            return f"{axis} is no place of the grid"
    return "y is wrong" if row["shape"] == "line" and row["y"] != 0 else None
