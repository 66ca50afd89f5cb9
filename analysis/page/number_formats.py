"""Numbers and tables as the page prints them."""

from datetime import datetime
from typing import Any

import pandas as pd

# Numbers between these are printed without decimals, smaller and larger ones with four
# significant digits.
WHOLE_FROM, WHOLE_BELOW = 1e3, 1e7
COLUMN_LABELS = {"without_end": "runs without a result"}  # other labels follow from the names


def format_number(value: Any, decimals: int = 2) -> str:
    """Return a number with a fixed number of decimals, or a dash if there is none."""
    return "-" if value is None or pd.isna(value) else f"{value:,.{decimals}f}"


def format_interval(low: Any, high: Any) -> str:
    """Return `1.20 to 3.40`, or a dash if there is no interval."""
    return "-" if low is None or pd.isna(low) else f"{format_number(low)} to {format_number(high)}"


def format_duration(seconds: float) -> str:
    """Return a duration in the largest unit that gives at least 1: `45 s`, `12 min` or `3.4 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"


def format_date(date: datetime) -> str:
    """Return a date such as `26 November 2026`."""
    return f"{date.day} {date:%B %Y}"


def format_table(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the column labels and the rows of a table as text."""
    columns = [str(column) for column in table]
    labels = [COLUMN_LABELS.get(column, column.replace("_", " ")) for column in columns]
    return labels, [_format_row(row, columns) for row in table.to_dict("records")]


def _format_row(row: dict[Any, Any], columns: list[str]) -> list[str]:
    return [_format_cell(column, row[column]) for column in columns]


def _format_cell(column: str, value: Any) -> str:
    """Return a value of a table as text.

    Errors in percent have two decimals; counts have all their digits; other numbers have four
    significant digits.
    """
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "-"
    if not isinstance(value, int | float):
        return str(value)
    if _is_error(column):
        return format_number(value)
    if float(value).is_integer() or WHOLE_FROM <= abs(value) < WHOLE_BELOW:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _is_error(column: str) -> bool:
    """Return whether a column has means or bounds of an error, in percent."""
    is_about_error = "error" in column or column.startswith("increase")
    return is_about_error and column.endswith(("_mean", "_low", "_high"))
