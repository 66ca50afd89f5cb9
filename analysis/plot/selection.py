"""The rows of a table that one panel shows, and what distinguishes its lines."""

from typing import Any

import pandas as pd

from analysis.figures.style import FAMILY_STYLES, depth_style
from degradation.config import ConfigError, quote


def select_one(table: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    """Return the rows in which the column has the value, or its only value if that is None.

    Raises ConfigError if there are no such rows, or several values to choose from.
    """
    check_columns(table, [column])
    values = list(table[column].drop_duplicates())
    if value is None and len(values) == 1:
        value = values[0]
    if value not in values:
        problem = "has no value" if value is None else f"{quote(value)} is not in the table"
        raise ConfigError(f"{column}: {problem}; allowed: {', '.join(map(str, values)) or 'none'}")
    selected: pd.DataFrame = table[table[column] == value]
    return selected


def check_columns(table: pd.DataFrame, columns: list[str]) -> None:
    """Raise ConfigError unless this is a table that has rows and these columns."""
    if not isinstance(table, pd.DataFrame):
        kind = type(table).__name__
        raise ConfigError(f"the table: {kind} is not allowed; allowed: a DataFrame")
    missing = [column for column in columns if column not in table]
    if missing:
        allowed = ", ".join(map(str, table))
        raise ConfigError(f"{', '.join(missing)}: no such column in the table; allowed: {allowed}")
    if table.empty:
        raise ConfigError("the table has no rows; allowed: at least one")


def line_style(family: str, depth: int, families: list[str], depths: list[int]) -> dict[str, Any]:
    """Return the style of one family and depth, with its label.

    Several depths differ in colour, and several families in line style and marker.
    """
    if len(depths) == 1:
        return FAMILY_STYLES[family] | {"label": family}
    by_depth = depth_style(depths.index(depth), len(depths))
    if len(families) == 1:
        return by_depth | {"label": f"{depth} layers"}
    by_family = FAMILY_STYLES[family] | {"color": by_depth["color"]}
    return by_family | {"label": f"{family}, {depth} layers"}
