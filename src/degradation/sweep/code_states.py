"""Find out which finished runs of a sweep are outdated, before the sweep starts.

One run is compared for all runs that differ only in seed, and its result applies to all of them.
The comparison runs in a separate process, which imports torch; it is started only if some run was
trained by code with another hash.
"""

import json
import pickle
import subprocess
import sys
from functools import cache

from degradation.config import Config
from degradation.progress import notify
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE
from degradation.records.trained_code import (
    CODE,
    ENVIRONMENT,
    CodeState,
    Relation,
    TrainedCode,
    add_comparison,
    read_trained_code,
)
from degradation.sweep.runs import SweepRun

# (relation, whether it may be recorded) by the network and the code that trained it
Answer = tuple[Relation | None, bool]
_answers: dict[str, Answer] = {}


def verify_in_subprocess(run: SweepRun, *, repeats_evaluation: bool = False) -> TrainedCode:
    """Return what is known about the code that trained a finished run, after comparing it.

    Args:
        repeats_evaluation: compare a record of an earlier release too, which holds no numbers of
            the first updates. It takes up to 100 iterations per network, so only commands that
            train do it.

    A published record is not compared: whoever reads it need not have torch, nor its machine.

    Raises RecordError.
    """
    record = run.record
    trained = read_trained_code(record, run.hashed)
    if trained.state is not CodeState.UNVERIFIED or trained.published_state is not None:
        return trained
    row = trained.trained_row
    if row is None and not repeats_evaluation:
        return trained
    trained_by = _identify_earlier_code(record) if row is None else row[CODE]
    # what this machine can decide depends on the machine that trained the run
    machine = None if row is None else row.get(ENVIRONMENT)
    network = json.dumps([trained_by, machine, run.hashed | {"seed": None}], sort_keys=True)
    if network not in _answers:
        _answers[network] = _ask(run.config, record)
    relation, is_final = _answers[network]
    if relation is None:
        return trained
    return add_comparison(record, trained, relation, write=is_final)


def _identify_earlier_code(record: Record) -> str:
    """Return what records of an earlier release share if the same code trained them.

    This is the commit if the run was trained in one attempt and no tracked file was changed.
    Otherwise nothing is shared: the id of the run.
    """
    commits = {row["commit"] for row in record.valid_rows(ATTEMPTS_FILE) if "commit" in row}
    commit = commits.pop() if len(commits) == 1 else None
    return record.run_id if commit is None or commit.endswith("+") else commit


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
    if answer["holds_gpu"]:
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
