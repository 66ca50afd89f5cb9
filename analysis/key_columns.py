"""The names of configuration keys as columns: `config.optim.lr` in a frame, `optim.lr` for users.

Inside the analysis every key has the prefix, so that no key collides with another column. Users
type the names that conf/ has; in a query, a dotted name needs backticks. A key that this code does
not know, from a record of other code, keeps its prefix.
"""

import pandas as pd

from degradation.config.schema import KEYS
from degradation.run_id import PARENT_KEY

PREFIX = "config."
# Keys of run.json's configuration that belong to no group.
UNGROUPED_KEYS = ("numerics_version", "seed")
CONTENT = "data.content"  # identifies the images; only records have it
# When a run is evaluated and its weights are kept, which does not change its training.
MEASURING_KEYS = (
    f"{PREFIX}schedule.evaluate_every",
    f"{PREFIX}schedule.augmented_every",
    f"{PREFIX}schedule.snapshots",
)
OPEN_GROUPS = ("model.options.", f"{PARENT_KEY}.")  # their keys depend on the network


def add_short_names(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `Frame.runs` with each key also under its own name, unless a column has that name."""
    short = {
        name.removeprefix(PREFIX): runs[name]
        for name in map(str, runs)
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in runs
    }
    return runs.assign(**short)


def drop_prefix(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `Frame.runs` with each known key under its own name only."""
    keys = {
        name: name.removeprefix(PREFIX)
        for name in map(str, runs)
        if name.startswith(PREFIX) and _is_key(name.removeprefix(PREFIX))
    }
    short = {key: runs[name] for name, key in keys.items() if key not in runs}
    return runs.drop(columns=list(keys)).assign(**short)


def restore_prefix(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the inverse of `drop_prefix`; columns that the user has added stay as they are."""
    names = {name: PREFIX + name for name in map(str, runs) if "." in name and _is_key(name)}
    prefixed = runs.rename(columns=names)
    ungrouped = {f"{PREFIX}{key}": prefixed[key] for key in UNGROUPED_KEYS if key in prefixed}
    return prefixed.assign(**ungrouped).drop(columns="numerics_version", errors="ignore")


def list_keys(runs: pd.DataFrame) -> list[str]:
    """Return the columns of `drop_prefix` that are keys, except for the version of the numerics."""
    names = [name for name in map(str, runs) if name.startswith(PREFIX) or _is_key(name)]
    return [name for name in names if name != "numerics_version"]


def _is_key(name: str) -> bool:
    """Return whether a column is a key of run.json's configuration.

    Keys at the top level of conf/, such as `device`, are not: other columns have their names.
    """
    if name in (*UNGROUPED_KEYS, CONTENT) or name.startswith(OPEN_GROUPS):
        return True
    return "." in name and name in KEYS
