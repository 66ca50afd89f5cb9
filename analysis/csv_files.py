"""Write the tables of a report as CSV files that pandas and spreadsheets read safely."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from degradation.durable_io import write_atomically

EXACT_BELOW = 2**53  # a float represents every whole number below this one
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet may execute such a cell
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # safe, even with a sign


def write_csv(path: Path, table: pd.DataFrame) -> Path:
    """Write a table and return its path. Text that could be run as a formula is escaped."""
    text = table.map(escape_formula).to_csv(index=False, float_format=_format_float)
    write_atomically(path, text.encode(errors="backslashreplace"))
    return path


def escape_formula(value: Any) -> Any:
    """Return the value, with an apostrophe before text that a spreadsheet could run as a formula.

    Numbers are unchanged, even as text.
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def _format_float(value: Any) -> str:
    """Return a whole number with all its digits, other numbers with six.

    Counts are floats in a column where some of them are unknown.
    """
    if value.is_integer() and abs(value) < EXACT_BELOW:
        return f"{value:.0f}"
    return f"{value:.6g}"
