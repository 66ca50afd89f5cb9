"""`Record`: reads and writes the record of one run. No other module knows the paths of its files.

What a record guarantees, also after a crash, a full disk or a power cut:

- Whole files (run.json, checkpoint.pt, snapshots, weights.pt, DONE) have their old or their new
  content in full, never in part. `degradation.durable_io` writes them.
- A row that `append` has written is on the disk. A row that a crash has truncated is detected by
  its checksum and dropped.
- A run is finished if DONE is valid and all files match it (`outcome`). DONE is written last, and
  restored from the last row of attempts.jsonl if it is lost (`restore_manifest`).
- One process at a time trains a run (`lock`). The kernel releases the lock when that process dies.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from degradation.checksums import CorruptData, Row, decode_document, encode_document
from degradation.durable_io import TEMPORARY, append_line, make_folder, read_file, write_atomically
from degradation.records.archive import Archive, find_archive
from degradation.records.locks import NO_TIMEOUT, LockTimeout, hold, is_held
from degradation.records.manifest import Manifest, find_mismatch, fingerprint, is_manifest
from degradation.records.row_integrity import decode_row, encode_row, line_checksum, row_checksum
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    LANDSCAPE_DIR,
    LOCK_FILE,
    MANIFEST,
    OUTCOME,
    PROBES_FILE,
    READABLE_VERSIONS,
    RUN_FILE,
    SCHEMA_VERSION,
    RecordError,
    State,
)
from degradation.registry import VISIBLE

log = logging.getLogger(__name__)


class Record:
    """The record of one run: the folder `root/run_id`. It need not exist yet.

    The root may also be an archive of published records (`degradation.records.archive`). All
    methods that read work for it, and those that write raise OSError.

    Methods raise RecordError for a file that cannot be read or that another release wrote, and
    OSError where writing fails.
    """

    def __init__(self, root: Path | str, run_id: str) -> None:
        self.root = Path(root)
        self.run_id = run_id
        self.folder = self.root / run_id

    def path(self, name: str) -> Path:
        """Return the path of the file with this name; in an archive, it is only for messages."""
        return self.folder / name

    @cached_property
    def _archive(self) -> Archive | None:
        """The archive that holds the record, or None if a folder does."""
        return find_archive(self.root)

    def exists(self, name: str) -> bool:
        """Return whether the record has a file, or something else, with this name."""
        if self._archive is not None:
            return self._archive.has(f"{self.run_id}/{name}")
        return self.path(name).exists()

    def list_landscape_files(self) -> list[str]:
        """Return the names of the files with points of the loss landscape, sorted."""
        if self._archive is not None:
            names = self._archive.list_names(f"{self.run_id}/{LANDSCAPE_DIR}/")
            return [name.removeprefix(f"{self.run_id}/") for name in names]
        paths = self.path(LANDSCAPE_DIR).glob(f"{VISIBLE}.jsonl")
        return sorted(f"{LANDSCAPE_DIR}/{path.name}" for path in paths)

    # --- whole files

    def write(self, name: str, content: bytes) -> Row:
        """Write a file atomically and return its fingerprint, for the manifest."""
        write_atomically(self.path(name), content)
        return fingerprint(content)

    def read(self, name: str) -> bytes:
        """Return the content of a file. Raises RecordError if it is missing or corrupt."""
        content = self._read_if_exists(name)
        if content is None:
            raise RecordError(f"{self.path(name)}: missing")
        if not self._matches_manifest(name, content):
            raise RecordError(
                f"{self.path(name)}: its checksum differs from the one in {DONE_FILE};"
                " train the run again"
            )
        return content

    def read_unverified(self, name: str) -> bytes:
        """Return the content of a file without comparing it with DONE. Raises OSError."""
        if self._archive is not None:
            return self._archive.read(f"{self.run_id}/{name}")
        return read_file(self.path(name))

    def _read_if_exists(self, name: str) -> bytes | None:
        """Return the unverified content, or None if there is no such file."""
        try:
            return self.read_unverified(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = error.strerror or error
            raise RecordError(f"{self.path(name)}: cannot be read ({problem})") from None

    def _matches_manifest(self, name: str, content: bytes) -> bool:
        """Return whether the manifest of a finished run, if it lists the file, agrees with it."""
        manifest = self.read_manifest()
        if manifest is None or name not in manifest["files"]:
            return True
        return bool(fingerprint(content) == manifest["files"][name])

    def _decode_document(self, name: str, content: bytes) -> Row:
        """Return the values of a document.

        Raises CorruptData, and RecordError if its schema version cannot be read.
        """
        values, has_checksum = decode_document(content)
        version = values.get("schema_version")
        if version not in READABLE_VERSIONS:
            readable = ", ".join(map(str, READABLE_VERSIONS))
            raise RecordError(
                f"{self.path(name)}: schema version {version!r}, this code reads {readable};"
                " read it with the release that wrote it, or set another record_root"
            )
        if version != READABLE_VERSIONS[0] and not has_checksum:
            raise CorruptData("lacks its checksum")
        return values

    # --- run.json

    def write_metadata(self, metadata: Row) -> Row:
        """Write run.json unless it exists, and return its fingerprint.

        An existing run.json must hold the same values. It may lack some, since an earlier release
        may have written it. If it is corrupt, it is rewritten, with a warning.

        Raises:
            RecordError: run.json holds other values.
        """
        content = self._read_if_exists(RUN_FILE)
        if content is not None:
            try:
                existing = self._decode_existing_metadata(content)
            except CorruptData as problem:
                log.warning("%s: %s %s; it is written again", self.run_id, RUN_FILE, problem)
            else:
                if _contains(metadata, existing):
                    return fingerprint(content)
                raise RecordError(
                    f"{self.path(RUN_FILE)}: holds other values than this run with the same id;"
                    " move it away"
                )
        document = {"schema_version": SCHEMA_VERSION, **metadata}
        return self.write(RUN_FILE, encode_document(document))

    def _decode_existing_metadata(self, content: bytes) -> Row:
        """Return the values without the schema version. Raises CorruptData."""
        values = self._decode_document(RUN_FILE, content)
        version = values.pop("schema_version")
        # Version 1 has no checksum of its own, so DONE, if it exists, must match.
        if version == READABLE_VERSIONS[0] and not self._matches_manifest(RUN_FILE, content):
            raise CorruptData(f"differs from the one in {DONE_FILE}")
        return values

    def read_metadata(self) -> Row:
        """Return the values of run.json, with `schema_version`."""
        content = self.read(RUN_FILE)
        try:
            return self._decode_document(RUN_FILE, content)
        except CorruptData as problem:
            raise RecordError(f"{self.path(RUN_FILE)}: {problem}; train the run again") from None

    # --- rows

    def append(self, name: str, row: Row) -> None:
        """Append a row to a .jsonl file. It is on the disk when this returns."""
        append_line(self.path(name), encode_row(row))

    def valid_prefix(self, name: str) -> list[Row]:
        """Return the rows before the first truncated or corrupt one.

        For files whose rows build on each other, such as metrics.jsonl. Empty if there is no file.
        """
        rows = []
        for row in self._decode_lines(name):
            if row is None:
                break
            rows.append(row)
        return rows

    def valid_rows(self, name: str) -> list[Row]:
        """Return all rows with a valid checksum. For files whose rows are independent."""
        return [row for row in self._decode_lines(name) if row is not None]

    def count_corrupt_lines(self, name: str) -> int:
        """Return how many lines are truncated or corrupt."""
        return sum(row is None for row in self._decode_lines(name))

    def rewrite_rows(self, name: str, rows: list[Row]) -> None:
        """Replace the content of a file by these rows, atomically.

        A resumed run drops the rows after its checkpoint, because it measures them again.
        """
        content = b"".join(encode_row(row) for row in rows)
        if self._read_if_exists(name) != content:
            self.write(name, content)

    def _decode_lines(self, name: str) -> Iterator[Row | None]:
        """Yield the row of each line, or None if the line is truncated or corrupt."""
        for line in self._read_lines(name):
            yield decode_row(line)

    def _read_lines(self, name: str) -> list[bytes]:
        content = self._read_if_exists(name) or b""
        return content.splitlines(keepends=True)

    # --- the manifest and the outcome

    def finish(self, manifest: Manifest) -> None:
        """Write DONE, then remove the checkpoint, which is no longer needed."""
        self.write(DONE_FILE, encode_document(manifest))
        self.path(CHECKPOINT_FILE).unlink(missing_ok=True)

    def read_manifest(self) -> Manifest | None:
        """Return the content of DONE, or None if it is missing or corrupt."""
        content = self._read_if_exists(DONE_FILE)
        if content is None:
            return None
        try:
            values = self._decode_document(DONE_FILE, content)
        except CorruptData:
            return None
        return values if is_manifest(values) else None

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

    def discard_manifest(self) -> None:
        """Remove DONE, so that the run counts as unfinished and is retrained."""
        self.path(DONE_FILE).unlink(missing_ok=True)

    def read_training_probes(self) -> list[Row] | None:
        """Return the rows of probes.jsonl from training, or None if the manifest lacks them.

        Rows that were measured after training are excluded.
        """
        checksums = (self.read_manifest() or {}).get(PROBES_FILE)
        if checksums is None:
            return None
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
            RecordError: another process holds the run.
        """
        make_folder(self.folder)
        try:
            with hold(self.path(LOCK_FILE), timeout):
                yield
        except LockTimeout:
            raise RecordError(f"{self.folder}: another process is training this run") from None

    @contextmanager
    def lock_file(self, name: str) -> Iterator[None]:
        """Lock one .jsonl file for this process; other processes may append to other files."""
        with hold(self.path(f"{name}.lock"), NO_TIMEOUT):
            yield

    def is_locked(self) -> bool:
        """Return whether a process holds the run."""
        return is_held(self.path(LOCK_FILE))

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a killed attempt.

        Raises:
            RecordError: the record contains a symbolic link, which may point outside it.
        """
        for path in self.folder.rglob("*"):
            if path.is_symlink():
                raise RecordError(
                    f"{path}: is a symbolic link; a record must not contain one. Remove the link."
                )
            if path.name.startswith(TEMPORARY):
                path.unlink()


def _contains(values: Any, subset: Any) -> bool:
    """Return whether every key of `subset`, at any depth, has the same value in `values`."""
    if isinstance(subset, dict) and isinstance(values, dict):
        return all(key in values and _contains(values[key], value) for key, value in subset.items())
    return bool(values == subset)
