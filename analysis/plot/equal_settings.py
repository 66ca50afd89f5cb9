"""Refuse tables whose runs differ in more than the figure shows: their mean would mean nothing.

What counts as a difference is what separates the conditions of `verdicts` and of a report
(`analysis.conditions`).
"""

from typing import Any

import pandas as pd

from analysis.condition_labels import fill_null, is_null, list_texts, sort_values
from analysis.conditions import GROWN_FROM, SHORTCUT, find_varying_keys
from analysis.key_columns import PREFIX, restore_prefix
from analysis.leading_keys import select_leading_keys
from analysis.tables import check_keys_are_present
from degradation.config import ConfigError
from degradation.records.metadata import COMPLEXITY_COLUMNS
from degradation.run_id import PARENT_KEY

# The family is made of these; within one family they are settings like any other.
FAMILY_KEYS = (SHORTCUT, GROWN_FROM, "config.model.order")
RUNS = "runs"  # what messages call a table of `load_runs`
NO_SHORTCUT = "none"
MAX_VALUES = 6  # values of a key that a message lists


def check_equal_settings(table: pd.DataFrame, name: str, shown: str | None = None) -> None:
    """Raise ConfigError if the runs differ in keys besides family, depth, seed and what is shown.

    Args:
        table: rows of `load_runs`, `load_curves` or `load_probes`.
        name: what messages call the table.
        shown: the column on the horizontal axis. Keys that differ only between its values, such as
            an optimiser's own learning rate, may differ too.
    """
    check_keys_are_present(table, name)
    runs = restore_prefix(table.drop_duplicates("run_id")).reset_index(drop=True)
    if shown is not None and _is_setting(shown):
        groups = [group for _, group in runs.groupby(_find_column(runs, shown), sort=False)]
    else:
        groups = [runs]
    varying = dict.fromkeys(key for group in groups for key in _find_differing_keys(group))
    if varying:
        raise ConfigError(f"{name}: {_describe(runs, list(varying), name)}")


def _find_column(runs: pd.DataFrame, name: str) -> str:
    """Return what a column is called in a table whose keys have prefixes."""
    return name if name in runs else PREFIX + name


def _is_setting(column: str) -> bool:
    """Return whether a column is a key, or follows from keys, other than the depth and the seed."""
    return column in (*COMPLEXITY_COLUMNS, "data", "shortcut") or (
        "." in column and column != "model.depth"
    )


def _find_differing_keys(runs: pd.DataFrame) -> list[str]:
    """Return the keys in which these runs differ, except for what makes up their families."""
    differing = []
    for key in find_varying_keys(runs):
        if key in FAMILY_KEYS or key.startswith(f"config.{PARENT_KEY}."):
            groups = [family for _, family in runs.groupby("family", sort=False)]
        else:
            groups = [runs]
        if any(key in find_varying_keys(group) for group in groups):
            differing.append(key)
    return differing


def _describe(runs: pd.DataFrame, keys: list[str], name: str) -> str:
    """Return in which keys the runs differ, with their values, and what to do about it."""
    values = fill_null(runs[keys])
    leading = select_leading_keys(values.drop_duplicates())
    distinct = {key: _list_distinct(key, values[key]) for key in leading}
    differences = " and ".join(
        f"{key.removeprefix(PREFIX)} ({list_texts(distinct[key], MAX_VALUES)})" for key in leading
    )
    query = " and ".join(_build_condition(key, distinct[key][0]) for key in leading)
    ways = [
        f'select one value of each, such as {name}.query("{query}")',
        "or use where= when you load them",
    ]
    if name == RUNS and len(leading) == 1:
        ways.append(f'or draw error_against(runs, "{leading[0].removeprefix(PREFIX)}")')
    return f"differ in {differences}, and would be averaged; {', '.join(ways)}"


def _list_distinct(key: str, values: pd.Series) -> list[Any]:
    """Return the distinct values of a key, numbers by size; a plain network has no shortcut."""
    distinct = sort_values(values)
    if key == SHORTCUT:
        distinct = [value for value in distinct if value != NO_SHORTCUT]
    return distinct


def _build_condition(key: str, value: Any) -> str:
    """Return a part of a query that selects a value; with any shortcut, plain networks too."""
    column = f"`{key.removeprefix(PREFIX)}`"
    if is_null(value):
        return f"{column}.isna()"
    if key == SHORTCUT:
        return f"{column} in {(NO_SHORTCUT, value)!r}"
    return f"{column} == {value!r}"
