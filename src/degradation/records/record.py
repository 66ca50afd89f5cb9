"""The one reader and writer of records. No other file knows where a record's parts lie."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from degradation.durable_io import (
    TEMPORARY,
    CorruptData,
    Row,
    append_row,
    decode_document,
    decode_row,
    encode_document,
    encode_row,
    line_checksum,
    make_folder,
    read_file,
    row_checksum,
    write_atomically,
)
from degradation.records.locks import NO_TIMEOUT, LockTimeout, hold, is_held
from degradation.records.manifest import Manifest, find_mismatch, fingerprint, is_manifest
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    LOCK_FILE,
    MANIFEST,
    OUTCOME,
    PROBES_FILE,
    READABLE,
    RUN_FILE,
    SCHEMA_VERSION,
    RecordError,
    State,
)

log = logging.getLogger(__name__)


class Record:
    """The record of one run: the folder `root/run_id`. What cannot be read, or is not ours, raises RecordError."""

    def __init__(self, root: Path | str, run_id: str) -> None:
        self.root, self.run_id = Path(root), run_id
        self.folder = self.root / run_id

    def path(self, name: str) -> Path:
        return self.folder / name

    # --- whole files

    def write(self, name: str, content: bytes) -> Row:
        """Returns the fingerprint of what was written."""
        write_atomically(self.path(name), content)
        return fingerprint(content)

    def read(self, name: str) -> bytes:
        """The content of a file; checked against the manifest where the run is done."""
        content = self._content(name)
        if content is None:
            raise RecordError(f"{self.path(name)}: missing")
        if not self._fits_manifest(name, content):
            raise RecordError(
                f"{self.path(name)}: its checksum differs from the one in {DONE_FILE}; train the run again"
            )
        return content

    def read_unverified(self, name: str) -> bytes:
        """The content of a file as it is. Raises OSError."""
        return read_file(self.path(name))

    def _content(self, name: str) -> bytes | None:
        """None where there is no such file."""
        try:
            return self.read_unverified(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RecordError(
                f"{self.path(name)}: cannot be read ({error.strerror or error})"
            ) from None

    def _fits_manifest(self, name: str, content: bytes) -> bool:
        """False where the manifest of a run that is over says otherwise of a file."""
        expected = (self.read_manifest() or {"files": {}})["files"].get(name)
        return expected is None or fingerprint(content) == expected

    def _document(self, name: str, content: bytes) -> Row:
        """The values of a document of a version that this code reads. Raises Damaged."""
        values, checked = decode_document(content)
        found = values.get("schema_version")
        if found not in READABLE:
            raise RecordError(
                f"{self.path(name)}: schema version {found!r}, this code reads {', '.join(map(str, READABLE))};"
                " read it with the release that wrote it, or give another record_root"
            )
        if not checked and found != READABLE[0]:
            raise CorruptData("lacks its checksum")
        return values

    def write_metadata(self, description: Row) -> Row:
        """Write run.json, once, and return its fingerprint. What is damaged is told and written anew.

        What an earlier attempt wrote must say the same; an earlier release may have said less.
        """
        if (content := self._content(RUN_FILE)) is not None:
            try:
                earlier = self._document(RUN_FILE, content)
                if earlier.pop("schema_version") == READABLE[0] and not self._fits_manifest(
                    RUN_FILE, content
                ):
                    raise CorruptData(f"differs from the one in {DONE_FILE}")
            except CorruptData as problem:
                log.warning("%s: %s %s; it is written anew", self.run_id, RUN_FILE, problem)
            else:
                if not _agrees(earlier, description):
                    raise RecordError(
                        f"{self.path(RUN_FILE)}: was written for other values under the same id; move it away"
                    )
                return fingerprint(content)
        return self.write(
            RUN_FILE, encode_document({"schema_version": SCHEMA_VERSION, **description})
        )

    def read_metadata(self) -> Row:
        """What run.json holds."""
        content = self.read(RUN_FILE)
        try:
            return self._document(RUN_FILE, content)
        except CorruptData as problem:
            raise RecordError(f"{self.path(RUN_FILE)}: {problem}; train the run again") from None

    def remove_leftovers(self) -> None:
        """Remove what a killed attempt left behind. A link among a record's files is refused: it leads away."""
        for path in self.folder.rglob("*"):
            if path.is_symlink():
                raise RecordError(f"{path}: is a link, and a record has none; remove it")
            if path.name.startswith(TEMPORARY):
                path.unlink()

    # --- appended rows

    def append(self, name: str, row: Row) -> None:
        append_row(self.path(name), row)

    def valid_prefix(self, name: str) -> list[Row]:
        """The sound rows from the start; what follows a torn or changed line is not trusted."""
        return [
            row
            for row in takewhile(lambda row: row is not None, self._decoded(name))
            if row is not None
        ]

    def valid_rows(self, name: str) -> list[Row]:
        """All rows whose checksum holds, of a file whose rows do not depend on each other."""
        return [row for row in self._decoded(name) if row is not None]

    def _decoded(self, name: str) -> Iterator[Row | None]:
        """Each line's row, None for a torn or changed one."""
        yield from map(decode_row, (self._content(name) or b"").splitlines(keepends=True))

    def count_corrupt_lines(self, name: str) -> int:
        """How many lines are torn or changed."""
        return sum(row is None for row in self._decoded(name))

    def rewrite_rows(self, name: str, rows: list[Row]) -> None:
        """Make these rows the file's content: what a resume cuts off is trained again."""
        content = b"".join(encode_row(row) for row in rows)
        if self._content(name) != content:
            self.write(name, content)

    # --- outcome and state

    def finish(self, manifest: Manifest) -> None:
        """Seal the record, then the checkpoint goes."""
        self.write(DONE_FILE, encode_document(manifest))
        self.path(CHECKPOINT_FILE).unlink(missing_ok=True)

    def read_manifest(self) -> Manifest | None:
        """What DONE holds, or None where it is missing or damaged."""
        content = self._content(DONE_FILE)
        try:
            manifest = None if content is None else self._document(DONE_FILE, content)
        except CorruptData:
            return None
        return manifest if is_manifest(manifest) else None

    def find_mismatch(self, verify_contents: bool = False) -> str | None:
        """What keeps the run from being over, in a line; None where it is over and every file is what was written."""
        manifest = self.read_manifest()
        if manifest is None:
            return f"{self.path(DONE_FILE)}: missing or damaged"
        return find_mismatch(self.folder, manifest, verify_contents, self.read_unverified)

    def outcome(self, verify_contents: bool = False) -> State | None:
        """Done or diverged; None while the run is not over, or no more."""
        manifest = self.read_manifest()
        if manifest is None or find_mismatch(
            self.folder, manifest, verify_contents, self.read_unverified
        ):
            return None
        return State(manifest["outcome"])

    def final_outcome(self) -> State | None:
        """The outcome where nothing is left to do, not even to tidy up."""
        return (
            None
            if os.path.exists(self.path(CHECKPOINT_FILE))
            else self.outcome(verify_contents=True)
        )

    def restore_manifest(self) -> bool:
        """Write a missing or damaged DONE anew where the last attempt's line has it and all files fit it."""
        if self.read_manifest() is not None or not (attempts := self.valid_rows(ATTEMPTS_FILE)):
            return False
        manifest = attempts[-1].get(MANIFEST)
        if not is_manifest(manifest) or find_mismatch(
            self.folder, manifest, True, self.read_unverified
        ):
            return False
        self.finish(manifest)
        return True

    def discard_manifest(self) -> None:
        """The run is to be trained again: it is over no more."""
        self.path(DONE_FILE).unlink(missing_ok=True)

    def read_training_probes(self) -> list[Row] | None:
        """The rows of probes that training took, of a run that is over; None where the manifest does not tell."""
        wanted = (self.read_manifest() or {}).get(PROBES_FILE)
        if wanted is None:
            return None
        return [row for row in self.valid_rows(PROBES_FILE) if row_checksum(row) in wanted]

    def count_lost_probes(self) -> int:
        """How many rows of probes training took that are there no more."""
        taken = (self.read_manifest() or {}).get(PROBES_FILE, [])
        lines = (self._content(PROBES_FILE) or b"").splitlines(keepends=True)
        return len(set(taken) - set(map(line_checksum, lines)))

    def state(self) -> State:
        if not os.path.exists(self.folder):
            return State.MISSING
        if outcome := self.outcome():
            return outcome
        if self.is_locked():
            return State.RUNNING
        attempts = self.valid_rows(ATTEMPTS_FILE)
        if attempts and attempts[-1].get(OUTCOME) == State.FAILED:
            return State.FAILED
        return State.PARTIAL if attempts else State.MISSING

    @contextmanager
    def lock(self, timeout: float = 1.0) -> Iterator[None]:
        """Hold the run for this process; the kernel lets go of it when the process ends.

        Waits `timeout` seconds: a second at least makes sense, since a reader of the state holds it for an instant.
        """
        make_folder(self.folder)
        try:
            with hold(self.path(LOCK_FILE), timeout):
                yield
        except LockTimeout:
            raise RecordError(f"{self.folder}: another process is training this run") from None

    @contextmanager
    def lock_file(self, name: str) -> Iterator[None]:
        """Hold one appended file for this process, as long as others may write others."""
        with hold(self.path(f"{name}.lock"), NO_TIMEOUT):
            yield

    def is_locked(self) -> bool:
        """Does a process hold the run?"""
        return is_held(self.path(LOCK_FILE))


def _agrees(earlier: Any, now: Any) -> bool:
    """Does everything that was said earlier still hold?"""
    if isinstance(earlier, dict) and isinstance(now, dict):
        return all(key in now and _agrees(value, now[key]) for key, value in earlier.items())
    return bool(earlier == now)
