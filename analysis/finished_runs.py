"""Which runs have a result: those that are done, and those that have diverged."""

from datetime import UTC, datetime

import pandas as pd

from analysis.columns import END_TIME, FINISHED_STATES


def is_finished(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return for each row of `runs` (columns: `analysis.columns`) whether the run has a result."""
    return runs["state"].isin([*FINISHED_STATES])


def select_finished(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `runs` whose run has a result, with their index."""
    return runs[is_finished(runs)]


def find_last_end(runs: pd.DataFrame) -> datetime | None:
    """Return when the last finished run ended (UTC), or None if that is unknown.

    It is unknown too if the record states a time that no calendar has.
    """
    finished = select_finished(runs)
    if END_TIME not in finished or finished[END_TIME].isna().all():
        return None
    try:
        return datetime.fromtimestamp(float(finished[END_TIME].max()), UTC)
    except (OverflowError, OSError, ValueError):
        return None
