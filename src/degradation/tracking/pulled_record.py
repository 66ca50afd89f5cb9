"""A record that was pulled: it has the configuration, all rows of metrics and the outcome, and says where it is from.

W&B does not have the rest: weights and snapshots, and of an attempt its device and times; probes are not pulled. So
such records have a root of their own, which no training writes to.
"""

import time
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from degradation.config.errors import quote
from degradation.durable_io import TEMPORARY, Row
from degradation.metrics import ITERATION
from degradation.records.manifest import build_manifest, fingerprint
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DEVICE,
    MANIFEST,
    METRICS_FILE,
    OUTCOME,
    REASON,
    RUN_FILE,
    WEIGHTS_FILE,
    RecordError,
    State,
)

FROM = "pulled from W&B: "  # in place of a device
STAGING = f"{TEMPORARY}pull"  # in the record root: a record is made there and then moved to its place, whole


@dataclass(frozen=True)
class Contents:
    """What a run has told: run.json without its version, the rows of metrics, and how it ended (None: not over)."""

    description: Row
    metrics: list[Row]
    outcome: State | None


def contents_of(record: Record) -> Contents:
    """Raises RecordError where the record cannot be trusted whole."""
    if record.read_manifest() is not None and (problem := record.find_mismatch()):
        raise RecordError(problem)
    if damaged := record.count_corrupt_lines(METRICS_FILE):
        raise RecordError(f"{record.path(METRICS_FILE)}: {damaged} torn or changed lines")
    description = {
        key: value for key, value in record.read_metadata().items() if key != "schema_version"
    }
    return Contents(description, record.valid_prefix(METRICS_FILE), record.outcome())


def difference(here: Contents, there: Contents) -> str | None:
    """The first one, in a few words: `here` a record, `there` W&B. None where they are equal."""
    for key in sorted({*here.description, *there.description}):
        if here.description.get(key) != there.description.get(key):
            return f"{RUN_FILE}: {key} differs"
    for ours, theirs in zip_longest(here.metrics, there.metrics):
        if ours is None or theirs is None:
            lacking, iteration = ("the record", theirs) if ours is None else ("W&B", ours)
            return (
                f"{METRICS_FILE}: {lacking} lacks the rows from iteration {iteration[ITERATION]} on"
            )
        for key in sorted({*ours, *theirs}):
            if (key in ours, ours.get(key)) != (key in theirs, theirs.get(key)):
                values = f"{quote(theirs.get(key))} in W&B, {quote(ours.get(key))} in the record"
                return f"{METRICS_FILE}: iteration {ours[ITERATION]}: {key} is {values}"
    if here.outcome is not there.outcome:
        return f"it is {there.outcome or 'not over'} in W&B, {here.outcome or 'not over'} in the record"
    return None


def keep(root: Path, run_id: str, contents: Contents, source: str) -> tuple[str, bool]:
    """Make the record, or complete one that was not over; one that differs stays as it is. Raises OSError.

    Returns a line, and whether the record has all now.
    """
    record = Record(root, run_id)
    if record.folder.is_symlink():
        return f"{record.folder}: is a link, and a record is none; remove it", False
    rows = f"{len(contents.metrics)} rows"
    if not record.folder.exists():
        staged = Record(root / STAGING, run_id)
        _write(staged, contents, source)
        staged.folder.rename(record.folder)
        return f"pulled, {_ended(contents)}, {rows}", True
    try:
        there = contents_of(record)
        problem = difference(there, contents)
        if problem is None:
            return f"there already, {_ended(contents)}, {rows}", True
        begun = Contents(there.description, contents.metrics[: len(there.metrics)], None)
        if difference(there, begun) is not None:
            return f"there already and different, left as it is: {problem}", False
        with record.lock():
            _write(record, contents, source)
        return f"completed, {_ended(contents)}, {rows} (there were {len(there.metrics)})", True
    except RecordError as error:
        return (
            f"there already and damaged, left as it is: {error}; move it away and pull again",
            False,
        )


def _write(record: Record, contents: Contents, source: str) -> None:
    """DONE last, after the line that it is restored from."""
    record.write_metadata(contents.description)
    record.rewrite_rows(METRICS_FILE, contents.metrics)
    number = sum("start" in row for row in record.valid_rows(ATTEMPTS_FILE)) + 1
    now = time.time()
    start = {"attempt": number, "start": now, DEVICE: FROM + source, "commit": None, "versions": {}}
    end: Row = {"attempt": number, "end": now}
    last = contents.metrics[-1][ITERATION] if contents.metrics else 0
    if contents.outcome is None:
        manifest = None
        end |= {OUTCOME: "interrupted", REASON: "it is not over in W&B", ITERATION: last}
    else:
        files = {RUN_FILE: fingerprint(record.read_unverified(RUN_FILE))}
        manifest = build_manifest(contents.outcome, last, files, contents.metrics, [])
        end |= {OUTCOME: str(contents.outcome), MANIFEST: manifest}
        if contents.outcome is State.DONE:  # where another one diverged W&B does not know
            end[ITERATION] = last
    record.append(ATTEMPTS_FILE, start)
    record.append(ATTEMPTS_FILE, end)
    if manifest is not None:
        record.finish(manifest)


def _ended(contents: Contents) -> str:
    return str(contents.outcome or "not over")


def compared(root: Path, run_id: str, contents: Contents) -> str:
    """How the record that was trained here differs from W&B, in a line."""
    record = Record(root, run_id)
    try:
        if not record.folder.exists():
            return f"not in {root}"
        problem = difference(contents_of(record), contents)
    except (RecordError, OSError) as error:
        return f"cannot be compared: {error}"
    return (
        f"differs from the one in {root}: {problem}" if problem else f"equal to the one in {root}"
    )


def check_root(root: Path) -> None:
    """Raises RecordError where a record of a training lies: it has what W&B does not, and is nothing to pull into."""
    for run_id in list_run_ids(root):
        record = Record(root, run_id)
        devices = [
            str(row.get(DEVICE)) for row in record.valid_rows(ATTEMPTS_FILE) if "start" in row
        ]
        if any(record.path(name).exists() for name in (WEIGHTS_FILE, CHECKPOINT_FILE)) or not all(
            device.startswith(FROM) for device in devices
        ):
            raise RecordError(
                f"{root}: holds {run_id}, which was trained; give another folder to pull into by --into"
            )
