"""What an attempt at a run, or at its probes, does to the record before and after it measures.

It waits for the run's lock and drops corrupt rows. Training also adds two rows to attempts.jsonl,
one at the start of each attempt and one at its end. Everything that depends on a clock or on the
machine is in that file, so the other files of a record are identical in every repetition.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from degradation.checksums import Row
from degradation.environment import describe_environment
from degradation.progress import notify
from degradation.records.locks import NO_TIMEOUT
from degradation.records.record import Record, RecordLocked
from degradation.records.schema import ATTEMPTS_FILE, SECONDS
from degradation.training.machine import name_device

log = logging.getLogger(__name__)


@contextmanager
def wait_for_lock(record: Record) -> Iterator[None]:
    """Hold the run's lock within this context; print a message if another process holds it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(record.lock())
        except RecordLocked:
            notify(f"{record.run_id}: another process holds the lock; waiting for it")
            stack.enter_context(record.lock(NO_TIMEOUT))
        yield


def warn_about_corrupt_rows(record: Record, name: str) -> None:
    """Warn about corrupt lines in a file of the record, which the caller drops."""
    corrupt = record.count_corrupt_lines(name)
    if corrupt:
        log.warning(
            "%s: %d corrupt or truncated lines in %s are dropped", record.run_id, corrupt, name
        )


def drop_corrupt_rows(record: Record, name: str) -> None:
    """Drop corrupt lines in a file; a truncated one would corrupt the next appended row.

    Only for files whose rows are independent. Rows of metrics.jsonl build on each other:
    `checkpointing.resume` drops all that follow a corrupt one.
    """
    record.rewrite_rows(name, record.valid_rows(name))


def record_start(record: Record, device: torch.device, threads: int, processes: int) -> int:
    """Append a row with the time and the environment, and return the attempt's number, from 1."""
    earlier = record.valid_rows(ATTEMPTS_FILE)
    number = sum("start" in row for row in earlier) + 1
    row = {
        "attempt": number,
        "start": time.time(),
        "device": name_device(device),
        "threads": threads,
        "processes": processes,
        **describe_environment(),
    }
    record.append(ATTEMPTS_FILE, row)
    return number


def record_end(record: Record, end: Row, seconds: float) -> None:
    """Append the row for the end of this attempt.

    If this fails, for example because the disk is full, the error is only logged: an exception that
    ended the attempt must not be replaced by this one.

    Args:
        end: the attempt's number, its outcome, its last iteration and the reason for a failure.
        seconds: how long the attempt took.
    """
    try:
        record.append(ATTEMPTS_FILE, end | {"end": time.time(), SECONDS: seconds})
    except OSError as error:
        log.warning("%s: cannot record the end of the attempt (%s)", record.run_id, error)
