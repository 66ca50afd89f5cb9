"""Which runs have a result: those that are done, and those that have diverged."""

import pandas as pd

from analysis.columns import FINISHED_STATES


def is_finished(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return for each row of `runs` (columns: `analysis.columns`) whether the run has a result."""
    return runs["state"].isin([*FINISHED_STATES])


def select_finished(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `runs` whose run has a result, with their index."""
    return runs[is_finished(runs)]
