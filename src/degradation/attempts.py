"""The rows of attempts.jsonl: one when an attempt at a run starts, one when it ends.

All that depends on a clock or on the machine is here, so that the other files of a record are
identical in every repeat.
"""

import logging
import time

import torch

from degradation.durable_io import Row
from degradation.environment import describe_environment
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE, SECONDS

log = logging.getLogger(__name__)


def drop_corrupt_rows(record: Record) -> None:
    """Warn of corrupt lines, and drop those of attempts.jsonl.

    A truncated last line would hide the row that is appended next. A resume drops those of the
    other files.
    """
    for name in (ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE):
        corrupt = record.count_corrupt_lines(name)
        if corrupt:
            log.warning(
                "%s: %d corrupt or truncated lines in %s are dropped", record.run_id, corrupt, name
            )
    record.rewrite_rows(ATTEMPTS_FILE, record.valid_rows(ATTEMPTS_FILE))


def record_start(record: Record, device: torch.device, threads: int, processes: int) -> int:
    """Append when and where this attempt starts, and return its number, counted from 1."""
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
    """Append how this attempt ended.

    A full disk, which may be why it ended, is only logged: the exception that is being raised says
    more and must not be lost.
    """
    try:
        record.append(ATTEMPTS_FILE, end | {"end": time.time(), SECONDS: seconds})
    except OSError as error:
        log.warning("%s: cannot record the end of the attempt (%s)", record.run_id, error)
