"""Notes on runs that were not trained by the current code."""

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.columns import CODE_CHANGE, CODE_STATE
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
    """Return a note if some of these runs cannot be compared with the current code."""
    count = int((runs[CODE_STATE] == CodeState.UNVERIFIED).sum())
    if not count:
        return []
    return [
        f"{count} of {len(runs)} runs cannot be compared with the current code: their records"
        " do not hold the numbers of the first updates, or are from another machine"
    ]
