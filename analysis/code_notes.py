"""Notes on runs that were not trained by the current code."""

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.columns import CODE_CHANGE, CODE_STATE, PUBLISHED_CHANGE
from degradation.records.trained_code import CodeState


def describe_outdated_runs(runs: pd.DataFrame) -> list[str]:
    """Return a note for each code change that made some of these runs outdated."""
    outdated = runs[runs[CODE_STATE] == CodeState.OUTDATED]
    notes = []
    for change, changed in outdated.groupby(CODE_CHANGE):
        run_ids = abbreviate([str(run_id) for run_id in changed["run_id"]])
        was = "was" if len(changed) == 1 else "were"
        notes.append(
            f"{len(changed)} of {len(runs)} runs {was} trained by code that produces different"
            f" numbers ({change}): {run_ids}"
        )
    return notes


def describe_unverified_runs(runs: pd.DataFrame) -> list[str]:
    """Return a note if some of these runs cannot be compared with the current code.

    Published records are not compared; `describe_published_runs` describes them.
    """
    is_unverified = runs[CODE_STATE] == CodeState.UNVERIFIED
    count = int((is_unverified & runs[PUBLISHED_CHANGE].isna()).sum())
    if not count:
        return []
    return [
        f"{count} of {len(runs)} runs cannot be compared with the current code, because the record"
        " does not hold the numbers of the first updates or is from another machine"
    ]


def describe_published_runs(runs: pd.DataFrame) -> list[str]:
    """Return a note if some of these runs are published records of earlier code.

    This is not a warning: nothing changes numbers that have been published. Whether the current
    code gives the same numbers is unknown, unless the records say so; then there is no note.
    """
    has_changed = runs[PUBLISHED_CHANGE].notna() & (runs[PUBLISHED_CHANGE] != "")
    published = runs[has_changed & (runs[CODE_STATE] != CodeState.OUTDATED)]
    if published.empty:
        return []
    verified = int((published[CODE_STATE] == CodeState.CURRENT).sum())
    whose = "these are published records"
    if len(published) < len(runs):
        verb = "is" if len(published) == 1 else "are"
        whose = f"{len(published)} of these records {verb} published"
    if verified == len(published):
        then = "when they were published, it still reproduced their first updates"
    elif verified:
        then = f"when they were published, it still reproduced the first updates of {verified}"
    else:
        then = "whether it still reproduced them when they were published was not compared"
    return [f"{whose}; the code has changed since they were trained; {then}"]
