"""The one reader and writer of records. No other file knows where a record's parts lie."""

import fcntl
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from degradation.files import TEMPORARY, Row, append_row, decode_row, encode_row, write_atomically
from degradation.records.schema import (
    ATTEMPTS,
    CHECKPOINT,
    DONE,
    LOCK,
    METRICS,
    RUN,
    SCHEMA_VERSION,
    SNAPSHOTS,
    WEIGHTS,
    RecordError,
    State,
)

AS_LONG_AS_IT_TAKES = -1.0  # seconds to wait for a lock, in filelock's words


def mark_of(root: Path) -> str:
    """Six letters that tell this record root from every other one (W&B ids are unique for ever)."""
    path = root / ".mark"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".mark.lock"):  # runs start at once
        if not path.exists():
            write_atomically(path, secrets.token_hex(3).encode())
    return path.read_text()


class Record:
    """The record of one run: the folder `root/run_id`."""

    def __init__(self, root: Path | str, run_id: str) -> None:
        self.root, self.run_id = Path(root), run_id
        self.folder = self.root / run_id

    def path(self, name: str) -> Path:
        return self.folder / name

    # --- whole files

    def write(self, name: str, content: bytes) -> None:
        write_atomically(self.path(name), content)

    def read(self, name: str) -> bytes:
        """The content of a file; checked against the manifest where the run is done. Raises RecordError."""
        try:
            content = self.path(name).read_bytes()
        except FileNotFoundError:
            raise RecordError(f"{self.path(name)}: missing") from None
        expected = (self.manifest() or {"files": {}})["files"].get(name)
        if expected is not None and hashlib.sha256(content).hexdigest() != expected["sha256"]:
            raise RecordError(
                f"{self.path(name)}: its checksum differs from the one in {DONE}; delete the run's folder"
            )
        return content

    def create(self, description: Row) -> None:
        """Write run.json, once. Raises RecordError.

        What an earlier attempt wrote must say the same; an earlier release may have said less.
        """
        content = (
            json.dumps({"schema_version": SCHEMA_VERSION, **description}, indent=1, sort_keys=True).encode() + b"\n"
        )
        if self.path(RUN).exists():
            if not _agrees(self.describe(), json.loads(content)):
                raise RecordError(f"{self.path(RUN)}: was written for other values under the same id; move it away")
            return
        self.write(RUN, content)

    def describe(self) -> Row:
        """What run.json holds. Raises RecordError."""
        try:
            description: Row = json.loads(self.read(RUN))
        except ValueError:
            raise RecordError(f"{self.path(RUN)}: is not JSON; delete the run's folder") from None
        found = description.get("schema_version")
        if found != SCHEMA_VERSION:
            raise RecordError(f"{self.path(RUN)}: schema version {found}, this code reads {SCHEMA_VERSION}")
        return description

    def clean(self) -> None:
        """Remove what a killed attempt left half-written."""
        for stray in self.folder.rglob(f"{TEMPORARY}*"):
            stray.unlink()

    # --- appended rows

    def append(self, name: str, row: Row) -> None:
        append_row(self.path(name), row)

    def rows(self, name: str) -> list[Row]:
        """The sound rows from the start; what follows a torn or changed line is not trusted."""
        return [row for row in takewhile(lambda row: row is not None, self._decoded(name)) if row is not None]

    def sound_rows(self, name: str) -> list[Row]:
        """All rows whose checksum holds, of a file whose rows do not depend on each other."""
        return [row for row in self._decoded(name) if row is not None]

    def _decoded(self, name: str) -> Iterator[Row | None]:
        """Each line's row, None for a torn or changed one."""
        path = self.path(name)
        yield from map(decode_row, path.read_bytes().splitlines(keepends=True) if path.exists() else [])

    def keep_rows(self, name: str, rows: list[Row]) -> None:
        """Make these rows the file's content: what a resume cuts off is trained again."""
        content = b"".join(encode_row(row) for row in rows)
        if not self.path(name).exists() or self.path(name).read_bytes() != content:
            self.write(name, content)

    # --- outcome and state

    def finish(self, outcome: State) -> None:
        """Seal the record: checksums of all its files, then the checkpoint goes."""
        names = [
            RUN,
            METRICS,
            WEIGHTS,
            *sorted(f"{SNAPSHOTS}/{path.name}" for path in self.path(SNAPSHOTS).glob("*.pt")),
        ]
        files = {}
        for name in names:
            if self.path(name).exists():
                content = self.path(name).read_bytes()
                files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest = {"schema_version": SCHEMA_VERSION, "outcome": str(outcome), "files": files}
        self.write(DONE, json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n")
        self.path(CHECKPOINT).unlink(missing_ok=True)

    def manifest(self) -> Row | None:
        """What DONE holds, or None where it is missing or unreadable."""
        try:
            manifest: Row = json.loads(self.path(DONE).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return manifest if manifest.get("schema_version") == SCHEMA_VERSION and "files" in manifest else None

    def sealed(self) -> bool:
        """Is the run over, with every file there in its full length, and the small ones unchanged?"""
        manifest = self.manifest()
        if manifest is None:
            return False
        try:
            for name, expected in manifest["files"].items():
                if self.path(name).stat().st_size != expected["bytes"]:
                    return False
            self.read(RUN), self.read(METRICS)
        except (FileNotFoundError, RecordError):
            return False
        return True

    def outcome(self) -> State | None:
        """Done or diverged; None while the run is not over."""
        manifest = self.manifest() if self.sealed() else None
        return State(manifest["outcome"]) if manifest else None

    def state(self) -> State:
        if not self.folder.exists():
            return State.MISSING
        if outcome := self.outcome():
            return outcome
        if self.locked():
            return State.RUNNING
        attempts = self.rows(ATTEMPTS)
        if attempts and attempts[-1].get("outcome") == State.FAILED:
            return State.FAILED
        return State.PARTIAL if attempts else State.MISSING

    @contextmanager
    def lock(self, timeout: float = 1.0) -> Iterator[None]:
        """Hold the run for this process; the kernel lets go of it when the process ends. Raises RecordError.

        Waits `timeout` seconds: a second at least makes sense, since a reader of the state holds it for an instant.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path(LOCK), timeout=timeout):
                yield
        except Timeout:
            raise RecordError(f"{self.folder}: another process is training this run") from None

    @contextmanager
    def lock_file(self, name: str) -> Iterator[None]:
        """Hold one appended file for this process, as long as others may write others."""
        with FileLock(self.path(f"{name}.lock")):
            yield

    def locked(self) -> bool:
        """Does a process hold the run? Asked by a shared lock, so that two who ask do not see each other."""
        try:
            with open(self.path(LOCK), "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def _agrees(earlier: Any, now: Any) -> bool:
    """Does everything that was said earlier still hold?"""
    if isinstance(earlier, dict) and isinstance(now, dict):
        return all(key in now and _agrees(value, now[key]) for key, value in earlier.items())
    return bool(earlier == now)


def run_ids(root: Path | str) -> list[str]:
    """The ids of all records under a root, begun or done, sorted."""
    return sorted({path.parent.name for name in (RUN, ATTEMPTS) for path in Path(root).glob(f"*/{name}")})
