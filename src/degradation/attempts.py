"""The rows of attempts.jsonl: one when an attempt at a run starts, one when it ends.

Everything that depends on a clock or on the machine is in this file, so the other files of a record
are identical in every repeat.
"""

import logging
import time

import torch

from degradation.checksums import Row
from degradation.environment import describe_environment
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE, SECONDS

log = logging.getLogger(__name__)


def drop_corrupt_rows(record: Record) -> None:
    """Warn of corrupt lines in the record, and drop those of attempts.jsonl.

    A truncated last line would corrupt the row that is appended next. Corrupt lines of the other
    files are dropped by `checkpointing.resume`.
    """
    for name in (ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE):
        corrupt = record.count_corrupt_lines(name)
        if corrupt:
            log.warning(
                "%s: %d corrupt or truncated lines in %s are dropped", record.run_id, corrupt, name
            )
    record.rewrite_rows(ATTEMPTS_FILE, record.valid_rows(ATTEMPTS_FILE))


def record_start(record: Record, device: torch.device, threads: int, processes: int) -> int:
    """Append a row with the time and the environment, and return the attempt's number, from 1."""
    earlier = record.valid_rows(ATTEMPTS_FILE)
    number = sum("start" in row for row in earlier) + 1
    row = {
        "attempt": number,
        "start": time.time(),
        "device": _name_device(device),
        "threads": threads,
        "processes": processes,
        **describe_environment(),
    }
    record.append(ATTEMPTS_FILE, row)
    return number


def _name_device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device.type}: {torch.cuda.get_device_name(device)}"
    return device.type


def record_end(record: Record, end: Row, seconds: float) -> None:
    """Append the row of this attempt's end.

    If this fails, for example because the disk is full, the error is only logged: an exception that
    ended the attempt must not be replaced by this one.

    Args:
        end: the attempt's number, its outcome, its last iteration and the reason of a failure.
        seconds: the duration of the attempt.
    """
    try:
        record.append(ATTEMPTS_FILE, end | {"end": time.time(), SECONDS: seconds})
    except OSError as error:
        log.warning("%s: cannot record the end of the attempt (%s)", record.run_id, error)
