"""The names of configuration keys as columns: `config.optim.lr` in a frame, `optim.lr` for users.

Inside the analysis every key has the prefix, so that no key collides with another column. Users
type the names that conf/ has; in a query, a dotted name stands between backticks.
"""

import pandas as pd

PREFIX = "config."
# Keys of run.json's configuration that belong to no group.
UNGROUPED_KEYS = ("numerics_version", "seed")


def add_short_names(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `Frame.runs` with each key also under its own name, unless a column has that name."""
    short = {
        name.removeprefix(PREFIX): runs[name]
        for name in map(str, runs)
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in runs
    }
    return runs.assign(**short)


def drop_prefix(runs: pd.DataFrame) -> pd.DataFrame:
    """Return `Frame.runs` with each key under its own name only."""
    named = add_short_names(runs)
    return named.drop(columns=[name for name in map(str, named) if name.startswith(PREFIX)])


def restore_prefix(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the inverse of `drop_prefix`. A key is a column whose name has a dot."""
    names = {}
    for name in map(str, runs):
        if "." in name and "/" not in name and not name.startswith(PREFIX):
            names[name] = PREFIX + name
    prefixed = runs.rename(columns=names)
    ungrouped = {f"{PREFIX}{key}": prefixed[key] for key in UNGROUPED_KEYS if key in prefixed}
    return prefixed.assign(**ungrouped).drop(columns="numerics_version", errors="ignore")
