"""The rows of attempts.jsonl: one at the start of each attempt at a run, and one at its end.

Everything that depends on a clock or on the machine is in this file, so the other files of a record
are identical in every repetition of the run.
"""

import logging
import time

import torch

from degradation.checksums import Row
from degradation.environment import describe_environment
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE, SECONDS
from degradation.training.machine import name_device

log = logging.getLogger(__name__)


def warn_about_corrupt_rows(record: Record) -> None:
    """Warn about corrupt lines in the record, which this attempt drops.

    `drop_corrupt_attempts` drops those in attempts.jsonl, `checkpointing.resume` those in the other
    files.
    """
    for name in (ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE):
        corrupt = record.count_corrupt_lines(name)
        if corrupt:
            log.warning(
                "%s: %d corrupt or truncated lines in %s are dropped", record.run_id, corrupt, name
            )


def drop_corrupt_attempts(record: Record) -> None:
    """Drop corrupt lines in attempts.jsonl; a truncated one would corrupt the next appended row."""
    record.rewrite_rows(ATTEMPTS_FILE, record.valid_rows(ATTEMPTS_FILE))


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
