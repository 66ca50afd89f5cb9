"""What every probe returns: named columns of equal length."""

import math
from collections.abc import Iterable
from typing import Any

Table = dict[str, list[Any]]


def to_column(values: Iterable[float]) -> list[float | None]:
    """Return numbers as a column that JSON can hold: None where a number is not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def to_table(rows: list[dict[str, Any]]) -> Table:
    """Return the columns of at least one row. All rows must have the same keys."""
    return {name: [row[name] for row in rows] for name in rows[0]}
