"""What W&B lacks is sent from the record, which is the truth: each row once, and confirmed by the server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from degradation.config import Config, Tracking
from degradation.durable_io import make_folder
from degradation.metrics import ITERATION
from degradation.records.locks import LockTimeout, hold
from degradation.records.record import Record
from degradation.records.schema import RecordError
from degradation.tracking.wandb_process import WandbError, WandbProcess, session
from degradation.tracking.wandb_rows import WandbRunData, read_wandb_runs
from degradation.tracking.wandb_run import NO_KEY, WandbRun, has_key, scratch_folder

PATIENCE = 1.0  # seconds, with another one that sends from the same records
TABLES = "media/table"  # where a W&B run has the files of its tables


@dataclass(frozen=True)
class Synced:
    """What became of one W&B run: a line, and whether the server has all of it now."""

    run_id: str
    told: str
    whole: bool


@dataclass(frozen=True)
class _There:
    """What the server has of a run: its number of steps, the last of them, and how it ended."""

    count: int
    last: int
    state: str
    lost: dict[str, bytes]  # by name: tables that its rows point at and that were never uploaded


class Server:
    """The server of `tracking`, asked through wandb. Raises WandbError where it does not answer."""

    def __init__(self, held: WandbProcess, tracking: Tracking, root: Path) -> None:
        self.held, self.tracking, self.root = held, tracking, root
        self.api = held.call(self._connect)
        self.entity = tracking.entity or held.call(lambda: self.api.default_entity)

    def _connect(self) -> Any:
        import wandb

        return wandb.Api(timeout=max(1, round(self.tracking.init_timeout)))

    def sync(self, config: Config, record: Record) -> Iterator[Synced]:
        """What becomes of each W&B run of a record; none where it has no rows yet."""
        if not record.folder.exists():
            return
        if record.is_locked():
            yield Synced(record.run_id, "is being trained now; ask again when it is over", False)
            return
        try:
            with record.lock():
                for mirrored in read_wandb_runs(config, record):
                    yield self._send(mirrored)
        except (RecordError, OSError) as problem:
            yield Synced(record.run_id, str(problem), False)
        except (
            KeyError,
            TypeError,
            ValueError,
        ) as problem:  # a right checksum makes no sense of a row
            yield Synced(
                record.run_id,
                f"has rows that make no sense ({type(problem).__name__}: {problem})",
                False,
            )

    def _send(self, mirrored: WandbRunData) -> Synced:
        name, before = mirrored.identity["name"], self._there(mirrored)
        if _whole(before, mirrored):
            return Synced(name, "there already", True)
        try:
            self._transmit(mirrored, before.lost)
        except WandbError as error:
            self.held.restart()
            return Synced(name, f"not sent: {error}", False)
        after = self._there(mirrored)
        if not _whole(after, mirrored):
            lost = f", {len(after.lost)} tables are missing" if after.lost else ""
            return Synced(
                name,
                f"not whole: the server has {after.count} of {len(mirrored.steps)} rows{lost}",
                False,
            )
        return Synced(
            name, f"sent {after.count - before.count} of {len(mirrored.steps)} rows", True
        )

    def _there(self, mirrored: WandbRunData) -> _There:
        return self.held.call(lambda: self._ask(mirrored))

    def _ask(self, mirrored: WandbRunData) -> _There:
        import wandb

        self.api.flush()
        try:
            run = self.api.run(f"{self.entity}/{self.tracking.project}/{mirrored.identity['id']}")
        except wandb.errors.CommError as error:
            if "Could not find run" in str(error):
                return _There(0, -1, "missing", {})
            raise
        lost = _lost_tables(run, mirrored)
        return _There(int(run.historyLineCount or 0), int(run.lastHistoryStep), run.state, lost)

    def _transmit(self, mirrored: WandbRunData, lost: dict[str, bytes]) -> None:
        run = WandbRun(self.held, self.tracking, self.root, "online", mirrored.identity)
        for name, content in lost.items():
            run.save(name, content)
        for row in mirrored.rows:
            run.add(row)
        run.flush()
        run.finish(mirrored.exit_code)


def _lost_tables(run: Any, mirrored: WandbRunData) -> dict[str, bytes]:
    """A row goes before the files of its tables do, so those of the last rows may be lost."""
    tables = {
        (int(row[ITERATION]), key): value
        for row in mirrored.rows
        for key, value in row.items()
        if isinstance(value, dict)
    }
    if not tables:
        return {}
    there = {file.name for file in run.files(pattern=f"{TABLES}/%")}
    return {
        value["path"]: _content(tables[row[ITERATION], key])
        for row in run.scan_history(use_cache=False)
        for key, value in row.items()
        if (row.get(ITERATION), key) in tables
        and isinstance(value, dict)
        and _is_table(value.get("path"))
        if value["path"] not in there
    }


def _is_table(path: Any) -> bool:
    """Is it the name of a table's file? The server says so, and we write a file of this name."""
    return isinstance(path, str) and path.startswith(f"{TABLES}/") and ".." not in path


def _content(table: dict[str, list[Any]]) -> bytes:
    """What W&B writes of a table, to the byte: its name holds its checksum."""
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    return json.dumps({"columns": [*table], "data": rows}, separators=(",", ":")).encode()


def _whole(there: _There, mirrored: WandbRunData) -> bool:
    """Are all steps there, and is the run closed as it should be?"""
    closed = (
        there.state == "finished"
        if mirrored.exit_code == 0
        else there.state in ("finished", "failed")
    )
    return (
        closed
        and not there.lost
        and there.count >= len(mirrored.steps)
        and there.last >= mirrored.steps[-1]
    )


@contextmanager
def connect(tracking: Tracking, root: Path) -> Iterator[Server]:
    """Raises WandbError, without a key or where no server answers, and OSError."""
    if tracking.mode == "disabled":
        raise WandbError(
            "tracking.mode: 'disabled', so nothing is sent; allowed: offline, online, auto"
        )
    if not has_key():
        raise WandbError(f"{NO_KEY}; nothing is lost, the records have everything")
    with alone(tracking, root, "sync", "another process is sending these records") as held:
        yield Server(held, tracking, root)


@contextmanager
def alone(tracking: Tracking, root: Path, name: str, busy: str) -> Iterator[WandbProcess]:
    """wandb for one process a record root and purpose. Raises WandbError, also where another has it, and OSError."""
    make_folder(root / "wandb")
    lock, scratch = root / "wandb" / f".{name}.lock", scratch_folder(root, name)
    try:
        with hold(lock, PATIENCE), session(scratch, tracking.init_timeout) as held:
            yield held
    except LockTimeout:
        raise WandbError(f"{root}: {busy}") from None
