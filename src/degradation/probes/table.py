"""The table that every probe returns: named columns of equal length."""

import math
from collections.abc import Iterable
from typing import Any

Table = dict[str, list[Any]]


def to_column(values: Iterable[float]) -> list[float | None]:
    """Return numbers as a column for JSON, with None for numbers that are not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def to_table(rows: list[dict[str, Any]]) -> Table:
    """Return the columns of the rows: at least one row, and all with the same keys."""
    table: Table = {}
    for name in rows[0]:
        table[name] = [row[name] for row in rows]
    return table
