"""`Record`: the configuration, the outcome, the state and the lock of one run's record.

Its files are read and written by `RecordFiles`, which says what they guarantee after a crash.

- A run is finished if DONE is valid and all files match it (`outcome`). DONE is written last, and
  restored from the last row of attempts.jsonl if it is lost (`restore_manifest`).
- One process at a time trains a run (`lock`). The kernel releases the lock when that process dies.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from degradation.checksums import CorruptData, Row, encode_document
from degradation.durable_io import make_folder
from degradation.records.locks import NO_TIMEOUT, LockTimeout, hold, is_held
from degradation.records.manifest import Manifest, find_mismatch, fingerprint, is_manifest
from degradation.records.record_files import RecordFiles
from degradation.records.row_integrity import line_checksum, row_checksum
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    LANDSCAPE_DIR,
    LOCK_FILE,
    MANIFEST,
    OUTCOME,
    PROBES_FILE,
    RUN_FILE,
    SCHEMA_VERSION,
    RecordError,
    State,
)

log = logging.getLogger(__name__)

LOCK_CONFLICT = "another process holds the lock (training, explain.py or sync.py)"


class RecordLocked(RecordError):
    """Another process holds the lock of a run."""


class Record(RecordFiles):
    """The record of one run: the folder `root/run_id`. It need not exist yet."""

    # --- run.json

    def write_metadata(self, metadata: Row) -> Row:
        """Write run.json unless it exists, and return its fingerprint.

        An existing run.json must hold the same values. It may lack some, since an earlier release
        may have written it. If it is corrupt, it is rewritten, with a warning.

        Raises:
            RecordError: run.json holds other values.
        """
        document = {"schema_version": SCHEMA_VERSION, **metadata}
        content = self._read_if_exists(RUN_FILE)
        if content is not None:
            try:
                existing = self._decode_document(RUN_FILE, content)
            except CorruptData as problem:
                log.warning("%s: %s %s; it is written again", self.run_id, RUN_FILE, problem)
            else:
                if _contains(document, existing):
                    return fingerprint(content)
                raise RecordError(
                    f"{self.path(RUN_FILE)}: holds other values than this run with the same id;"
                    " move it away"
                )
        return self.write(RUN_FILE, encode_document(document))

    def read_metadata(self) -> Row:
        """Return the values of run.json, with `schema_version`."""
        content = self.read(RUN_FILE)
        try:
            return self._decode_document(RUN_FILE, content)
        except CorruptData as problem:
            raise RecordError(f"{self.path(RUN_FILE)}: {problem}; train the run again") from None

    # --- the manifest and the outcome

    def finish(self, manifest: Manifest) -> None:
        """Write DONE, then remove the checkpoint, which is no longer needed."""
        self.write(DONE_FILE, encode_document(manifest))
        self.path(CHECKPOINT_FILE).unlink(missing_ok=True)

    def find_mismatch(self, verify_contents: bool = False) -> str | None:
        """Return, in one sentence, why the run does not count as finished, or None if it does.

        See `manifest.find_mismatch` for `verify_contents`.
        """
        manifest = self.read_manifest()
        if manifest is None:
            return f"{self.path(DONE_FILE)}: missing or corrupt"
        return find_mismatch(self.folder, manifest, verify_contents, self.read_unverified)

    def outcome(self, verify_contents: bool = False) -> State | None:
        """Return DONE or DIVERGED, or None if the run is unfinished or its files do not match DONE.

        See `manifest.find_mismatch` for `verify_contents`.
        """
        manifest = self.read_manifest()
        if manifest is None:
            return None
        if find_mismatch(self.folder, manifest, verify_contents, self.read_unverified):
            return None
        return State(manifest["outcome"])

    def final_outcome(self) -> State | None:
        """Return the outcome of a finished run whose checkpoint has been removed; otherwise None.

        The content of all files is verified.
        """
        if self.exists(CHECKPOINT_FILE):
            return None
        return self.outcome(verify_contents=True)

    def restore_manifest(self) -> bool:
        """Restore a missing or corrupt DONE, and return whether that was possible.

        It is possible if the last row of attempts.jsonl holds the manifest and all files match it.
        """
        if self.read_manifest() is not None:
            return False
        attempts = self.valid_rows(ATTEMPTS_FILE)
        manifest = attempts[-1].get(MANIFEST) if attempts else None
        if not is_manifest(manifest):
            return False
        if find_mismatch(self.folder, manifest, True, self.read_unverified):
            return False
        self.finish(manifest)
        return True

    def discard_result(self) -> None:
        """Remove DONE, so that the run counts as unfinished and is retrained.

        The loss landscape is removed too, since it was measured around the weights that are
        replaced.
        """
        self.path(DONE_FILE).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path(LANDSCAPE_DIR))

    def read_training_probes(self) -> list[Row]:
        """Return the rows of probes that training measured, of a finished or an unfinished run."""
        manifest = self.read_manifest()
        if manifest is None:
            # Others are added only after the run has finished.
            return self.valid_prefix(PROBES_FILE)
        checksums = manifest[PROBES_FILE]
        return [row for row in self.valid_rows(PROBES_FILE) if row_checksum(row) in checksums]

    def count_lost_probes(self) -> int:
        """Return how many of the probe rows that training measured have been lost."""
        expected = (self.read_manifest() or {}).get(PROBES_FILE, [])
        present = map(line_checksum, self._read_lines(PROBES_FILE))
        return len(set(expected) - set(present))

    # --- state and locks

    def state(self) -> State:
        """Return the state of the run, derived from its files and its lock."""
        if self._archive is None and not os.path.exists(self.folder):
            return State.MISSING
        outcome = self.outcome()
        if outcome is not None:
            return outcome
        if self.is_locked():
            return State.RUNNING
        attempts = self.valid_rows(ATTEMPTS_FILE)
        if not attempts:
            return State.MISSING
        return State.FAILED if attempts[-1].get(OUTCOME) == State.FAILED else State.PARTIAL

    @contextmanager
    def lock(self, timeout: float = 1.0) -> Iterator[None]:
        """Lock the run for this process.

        Args:
            timeout: seconds to wait. At least one second is sensible, because `is_locked` in
                another process takes the lock for an instant. NO_TIMEOUT waits until it is free.

        Raises:
            RecordLocked: another process holds the lock for longer.
        """
        make_folder(self.folder)
        try:
            with hold(self.path(LOCK_FILE), timeout):
                yield
        except LockTimeout:
            raise RecordLocked(f"{self.folder}: {LOCK_CONFLICT}") from None

    @contextmanager
    def lock_file(self, name: str) -> Iterator[None]:
        """Lock one .jsonl file for this process; other processes may append to other files."""
        with hold(self.path(f"{name}.lock"), NO_TIMEOUT):
            yield

    def is_locked(self) -> bool:
        """Return whether a process holds the run."""
        return is_held(self.path(LOCK_FILE))


def _contains(values: Any, subset: Any) -> bool:
    """Return whether every key of `subset`, at any depth, has the same value in `values`."""
    if isinstance(subset, dict) and isinstance(values, dict):
        return all(key in values and _contains(values[key], value) for key, value in subset.items())
    return bool(values == subset)
