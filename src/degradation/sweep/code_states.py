"""Find out which finished runs of a sweep are outdated, before the sweep starts.

One run is compared for all runs that differ only in seed, and its result applies to all of them.
The comparison runs in a separate process, which imports torch; it is
started only if some run was trained by code with another hash.
"""

import json
import pickle
import subprocess
import sys
from functools import cache

from degradation.config import Config
from degradation.data.fingerprint import data_fingerprint
from degradation.progress import notify
from degradation.records.record import Record
from degradation.records.trained_code import (
    CODE,
    CodeState,
    Relation,
    TrainedCode,
    add_comparison,
    read_trained_code,
)
from degradation.run_id import hashed_values

# (relation, whether it may be recorded) by the network and the code that trained it
Answer = tuple[Relation | None, bool]
_answers: dict[str, Answer] = {}


def verify_in_subprocess(config: Config, record: Record) -> TrainedCode:
    """Return what is known about the code that trained a finished run, after comparing it.

    Raises RecordError.
    """
    values = hashed_values(config, data_fingerprint(config.data))
    trained = read_trained_code(record, values)
    if trained.state is not CodeState.UNVERIFIED:
        return trained
    row = trained.trained_row
    # Nothing shows whether records of an earlier release were trained by the same code.
    trained_by = record.run_id if row is None else row[CODE]
    network = json.dumps([trained_by, values | {"seed": None}], sort_keys=True)
    if network not in _answers:
        _answers[network] = _ask(config, record)
    relation, is_final = _answers[network]
    if relation is None:
        return trained
    return add_comparison(record, trained, relation, write=is_final)


def _ask(config: Config, record: Record) -> Answer:
    """Compare the run's first numbers in the other process; (None, False) if it cannot."""
    process = _start_comparison()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        pickle.dump((config, Record(record.root, record.run_id)), process.stdin)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
    except (OSError, ValueError):  # it has died, for example for lack of memory
        _start_comparison.cache_clear()
        return None, False
    if config.device != "cpu":
        # A GPU's memory is for the jobs that follow.
        process.communicate()
        _start_comparison.cache_clear()
    relation = answer["relation"]
    return (None if relation is None else Relation(relation)), answer["is_final"]


@cache
def _start_comparison() -> subprocess.Popen[bytes]:
    """Start the process that compares runs; it ends when this one closes its stdin."""
    notify("the code has changed since some runs were trained; comparing their first updates")
    return subprocess.Popen(
        [sys.executable, "-m", "degradation.code_comparison"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
