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
    append_comparison,
    read_trained_code,
)
from degradation.run_id import hashed_values

# network and code that trained it -> the relation of the current code
_relations: dict[str, Relation] = {}


def verify_in_subprocess(config: Config, record: Record) -> TrainedCode:
    """Return what is known about the code that trained a finished run, after comparing it.

    Raises RecordError.
    """
    values = hashed_values(config, data_fingerprint(config.data))
    trained = read_trained_code(record, values)
    if trained.state is not CodeState.UNVERIFIED:
        return trained
    row = trained.trained_row
    trained_code = None if row is None else row[CODE]
    network = json.dumps([trained_code, values | {"seed": None}], sort_keys=True)
    relation = _relations.get(network) or _compare(config, record)
    if relation is None:
        return trained
    _relations[network] = relation
    return append_comparison(record, trained, relation)


def _compare(config: Config, record: Record) -> Relation | None:
    """Compare the run's first numbers, or return None if that is impossible on this machine."""
    process = _start_comparison()
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump((config, Record(record.root, record.run_id)), process.stdin)
    process.stdin.flush()
    answer = process.stdout.readline().decode().strip()
    return Relation(answer) if answer in (Relation.EQUAL, Relation.DIFFERENT) else None


@cache
def _start_comparison() -> subprocess.Popen[bytes]:
    """Start the process that compares runs; it ends when this one closes its stdin."""
    notify("the code has changed since some runs were trained; comparing their first updates")
    return subprocess.Popen(
        [sys.executable, "-m", "degradation.code_comparison"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
