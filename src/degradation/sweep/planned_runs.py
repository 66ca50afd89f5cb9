"""What is known about the runs of a sweep before the analysis reads their records.

Does not import torch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from degradation.config import family
from degradation.records.cached_reader import CachedRecord
from degradation.sweep.code_states import verify_in_subprocess
from degradation.sweep.runs import SweepRun, has_finished


def describe_planned_runs(runs: Iterable[SweepRun]) -> Iterator[dict[str, Any]]:
    """Yield what is known about each run, one at a time: each holds the files of its record."""
    return map(describe_planned_run, runs)


def describe_planned_run(run: SweepRun) -> dict[str, Any]:
    """Return the entries of run.json that tables show, for a run that has no record yet.

    If the run has finished, `trained_code` holds what is known about the code that trained it. Its
    first updates are compared with those of the current code if that has not been done yet.

    `record` is the record, with what has been read of it, so that nothing is read again.
    """
    record = CachedRecord(run.record.root, run.run_id)
    planned: dict[str, Any] = {
        "run_id": run.run_id,
        "family": family(run.config.model),
        "config": run.hashed,
        "record": record,
    }
    if has_finished(record):
        planned["trained_code"] = verify_in_subprocess(replace(run, record=record))
    return planned
