"""Write pulled runs into records, and compare W&B's version of a run with a record.

A pulled record has run.json, all rows of metrics and the outcome, and names its source. It
has no weights, snapshots or probes, and no device or duration of an attempt: W&B does not have
them, or they are not pulled. Such records therefore have a root of their own, in which no run is
trained.
"""

import time
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from degradation.checksums import Row
from degradation.config.errors import quote
from degradation.counting import format_count
from degradation.durable_io import TEMPORARY
from degradation.metrics import ITERATION
from degradation.records.manifest import Manifest, build_manifest, fingerprint
from degradation.records.record import Record, RecordLocked
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

PULLED_FROM = "pulled from W&B: "  # in place of a device
# In the record root: a record is written here and then moved to its place in one step.
STAGING_DIR = f"{TEMPORARY}pull"


@dataclass(frozen=True)
class RunContents:
    """What W&B and a record both have of a run.

    Attributes:
        metadata: the values of run.json, without `schema_version`.
        metrics: the rows of metrics.jsonl.
        outcome: DONE or DIVERGED, or None for an unfinished run.
    """

    metadata: Row
    metrics: list[Row]
    outcome: State | None

    @property
    def summary(self) -> str:
        """The outcome and the number of rows, for messages."""
        return f"{_outcome_name(self.outcome)}, {format_count(len(self.metrics), 'row')}"


def _outcome_name(outcome: State | None) -> str:
    return str(outcome or "unfinished")


def read_contents(record: Record) -> RunContents:
    """Read the contents of a record. Raises RecordError if any part of it is corrupt."""
    if record.read_manifest() is not None:
        mismatch = record.find_mismatch()
        if mismatch:
            raise RecordError(mismatch)
    corrupt_lines = record.count_corrupt_lines(METRICS_FILE)
    if corrupt_lines:
        raise RecordError(
            f"{record.path(METRICS_FILE)}: {corrupt_lines} corrupt or truncated lines"
        )
    metadata = record.read_metadata()
    del metadata["schema_version"]
    return RunContents(metadata, record.valid_prefix(METRICS_FILE), record.outcome())


# --- comparing


def find_difference(recorded: RunContents, pulled: RunContents) -> str | None:
    """Return the first difference between a record and W&B, or None if there is none."""
    for key in sorted(recorded.metadata.keys() | pulled.metadata.keys()):
        if recorded.metadata.get(key) != pulled.metadata.get(key):
            return f"{RUN_FILE}: {key} differs"
    for recorded_row, pulled_row in zip_longest(recorded.metrics, pulled.metrics):
        difference = _find_row_difference(recorded_row, pulled_row)
        if difference:
            return f"{METRICS_FILE}: {difference}"
    if recorded.outcome is not pulled.outcome:
        in_wandb, in_record = _outcome_name(pulled.outcome), _outcome_name(recorded.outcome)
        return f"the run is {in_wandb} in W&B, {in_record} in the record"
    return None


def _find_row_difference(recorded: Row | None, pulled: Row | None) -> str | None:
    if recorded is None and pulled is not None:
        return f"the record lacks the rows starting at iteration {pulled[ITERATION]}"
    if pulled is None and recorded is not None:
        return f"W&B lacks the rows starting at iteration {recorded[ITERATION]}"
    if recorded is None or pulled is None:
        return None
    for key in sorted(recorded.keys() | pulled.keys()):
        is_in_both = key in recorded and key in pulled
        if not is_in_both or recorded[key] != pulled[key]:
            values = f"{quote(pulled.get(key))} in W&B, {quote(recorded.get(key))} in the record"
            return f"iteration {recorded[ITERATION]}: {key} is {values}"
    return None


def compare_with_record(root: Path, run_id: str, contents: RunContents) -> str:
    """Return one line about how W&B's version of a run differs from the record under `root`."""
    record = Record(root, run_id)
    try:
        if not record.exists(RUN_FILE):  # the root may be an archive
            return f"not in {root}"
        difference = find_difference(read_contents(record), contents)
    except (RecordError, OSError) as error:
        return f"cannot be compared: {error}"
    if difference:
        return f"differs from the one in {root}: {difference}"
    return f"equal to the one in {root}"


# --- writing


def check_pull_root(root: Path) -> None:
    """Raise RecordError if a record under `root` was trained: it has more than W&B could give."""
    for run_id in list_run_ids(root):
        record = Record(root, run_id)
        was_trained = any(record.path(name).exists() for name in (WEIGHTS_FILE, CHECKPOINT_FILE))
        if was_trained or not _are_attempts_pulled(record):
            raise RecordError(
                f"{root}: holds {run_id}, which was trained; pass another folder with --into"
            )


def _are_attempts_pulled(record: Record) -> bool:
    for row in record.valid_rows(ATTEMPTS_FILE):
        if "start" in row and not str(row.get(DEVICE)).startswith(PULLED_FROM):
            return False
    return True


def store(root: Path, run_id: str, contents: RunContents, source: str) -> tuple[str, bool]:
    """Write the record of a pulled run, or complete an unfinished one.

    An existing record that differs is never overwritten.

    Args:
        root: the record root.
        run_id: the run.
        contents: what W&B has of the run.
        source: the entity and project, which the record names as its origin.

    Returns:
        One line for the user, and whether the record now holds all contents.

    Raises:
        OSError: the record cannot be written.
    """
    record = Record(root, run_id)
    if record.folder.is_symlink():
        message = "is a symbolic link; a record must be a real directory. Remove the link."
        return f"{record.folder}: {message}", False
    if not record.folder.exists():
        staged = Record(root / STAGING_DIR, run_id)
        _write(staged, contents, source)
        staged.folder.rename(record.folder)
        return f"pulled, {contents.summary}", True
    try:
        return _complete(record, contents, source)
    except RecordLocked as error:
        return f"exists and is unfinished; not completed: {error}; pull again later", False
    except RecordError as error:
        message = f"exists and is corrupt; not overwritten: {error}; move it away and pull again"
        return message, False


def _complete(record: Record, contents: RunContents, source: str) -> tuple[str, bool]:
    """Add what an existing record lacks. Returns the same as `store`. Raises RecordError."""
    existing = read_contents(record)
    difference = find_difference(existing, contents)
    if difference is None:
        return f"exists already, {contents.summary}", True
    existing_rows = len(existing.metrics)
    beginning = RunContents(existing.metadata, contents.metrics[:existing_rows], None)
    if find_difference(existing, beginning) is not None:
        return f"exists and differs; not overwritten: {difference}", False
    with record.lock():
        _write(record, contents, source)
    return f"completed, {contents.summary} (previously {existing_rows})", True


def _write(record: Record, contents: RunContents, source: str) -> None:
    """Write the files as training does: DONE last, after the row from which it can be restored."""
    record.write_metadata(contents.metadata)
    record.rewrite_rows(METRICS_FILE, contents.metrics)
    attempts = record.valid_rows(ATTEMPTS_FILE)
    number = sum("start" in row for row in attempts) + 1
    now = time.time()
    start = {
        "attempt": number,
        "start": now,
        DEVICE: PULLED_FROM + source,
        "commit": None,
        "versions": {},
    }
    end: Row = {"attempt": number, "end": now}
    last_iteration = contents.metrics[-1][ITERATION] if contents.metrics else 0
    manifest: Manifest | None = None
    if contents.outcome is None:
        end |= {
            OUTCOME: "interrupted",
            REASON: "the run is unfinished in W&B",
            ITERATION: last_iteration,
        }
    else:
        files = {RUN_FILE: fingerprint(record.read_unverified(RUN_FILE))}
        manifest = build_manifest(contents.outcome, last_iteration, files, contents.metrics, [])
        end |= {OUTCOME: str(contents.outcome), MANIFEST: manifest}
        if contents.outcome is State.DONE:  # W&B does not know at which iteration a run diverged
            end[ITERATION] = last_iteration
    record.append(ATTEMPTS_FILE, start)
    record.append(ATTEMPTS_FILE, end)
    if manifest is not None:
        record.finish(manifest)
