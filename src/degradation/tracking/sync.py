"""Send to W&B what it lacks of the records: each row once, confirmed by the server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from degradation.checksums import Row
from degradation.config import Config, Tracking
from degradation.counting import format_count
from degradation.durable_io import make_folder
from degradation.metrics import ITERATION
from degradation.records.locks import LockTimeout, hold
from degradation.records.record import LOCK_CONFLICT, Record
from degradation.records.schema import RecordError
from degradation.tracking.wandb_credentials import check_credentials
from degradation.tracking.wandb_process import (
    CORRECTION,
    WandbError,
    WandbProcess,
    WandbRefusal,
    wandb_session,
)
from degradation.tracking.wandb_rows import WandbRunData, read_wandb_runs
from degradation.tracking.wandb_run import WandbRun, scratch_folder

LOCK_TIMEOUT_S = 1.0  # wait for another process that syncs or pulls the same record root
TABLES_DIR = "media/table"  # where a W&B run stores the files of its tables


@dataclass(frozen=True)
class SyncResult:
    """The result of syncing one W&B run.

    Attributes:
        name: the name of the W&B run.
        message: one line for the user.
        is_complete: the server now has the whole run.
    """

    name: str
    message: str
    is_complete: bool


@dataclass(frozen=True)
class ServerState:
    """What the server has of a W&B run.

    Attributes:
        step_count: number of steps in its history.
        last_step: the last of them; -1 if there is none.
        state: W&B's name for the state of the run.
        missing_tables: content of the tables that rows refer to and that were never uploaded, by
            file name.
        difference: how its last common step differs from that of the record; None if it does not.
    """

    step_count: int
    last_step: int
    state: str
    missing_tables: dict[str, bytes] = field(default_factory=dict)
    difference: str | None = None

    def is_complete(self, run: WandbRunData) -> bool:
        """Return whether all steps and tables are on the server, and the run is closed there."""
        allowed_states = ("finished",) if run.exit_code == 0 else ("finished", "failed")
        has_all_steps = self.step_count >= len(run.steps) and self.last_step >= run.steps[-1]
        return self.state in allowed_states and has_all_steps and not self.missing_tables


class Server:
    """The W&B server that `tracking` selects. Methods raise WandbError if it does not answer."""

    def __init__(self, process: WandbProcess, tracking: Tracking, root: Path) -> None:
        self.process = process
        self.tracking = tracking
        self.root = root
        self.api = open_api(process, tracking)
        self.entity = process.call(lambda: find_entity(self.api, tracking))

    def sync(self, config: Config, record: Record) -> Iterator[SyncResult]:
        """Send what the server lacks of a record.

        Yields one result per W&B run of the record; none if the record has no rows yet. A corrupt
        record yields a result that is not complete.
        """
        if not record.folder.exists():
            return
        if record.is_locked():
            message = f"{LOCK_CONFLICT}; sync it again when it has finished"
            yield SyncResult(record.run_id, message, False)
            return
        try:
            with record.lock():
                for run in read_wandb_runs(config, record):
                    state = self._get_state(run)
                    if state.difference:
                        yield _report_difference(run, state.difference)
                        return  # the probes were measured on the weights of this training
                    yield self._sync_run(run, state)
        except (RecordError, OSError) as error:
            yield SyncResult(record.run_id, str(error), False)
        except (KeyError, TypeError, ValueError) as error:
            # A valid checksum does not imply a meaningful row.
            reason = f"{type(error).__name__}: {error}"
            message = f"has rows that cannot be interpreted ({reason})"
            yield SyncResult(record.run_id, message, False)

    def _sync_run(self, run: WandbRunData, before: ServerState) -> SyncResult:
        name = run.init_arguments["name"]
        if before.is_complete(run):
            return SyncResult(name, "already complete", True)
        try:
            self._send(run, before.missing_tables)
        except WandbRefusal as error:
            self.process.restart()
            return SyncResult(name, f"refused by W&B: {error}; {CORRECTION}", False)
        except WandbError as error:
            self.process.restart()
            return SyncResult(name, f"not sent: {error}", False)
        after = self._get_state(run)
        total = len(run.steps)
        if after.is_complete(run):
            sent = after.step_count - before.step_count
            message = f"sent {sent} of {total} rows"
            if before.missing_tables:
                message += f" and {format_count(len(before.missing_tables), 'table')}"
            return SyncResult(name, message, True)
        message = f"incomplete: the server has {after.step_count} of {total} rows"
        if after.missing_tables:
            message += f" and lacks {format_count(len(after.missing_tables), 'table')}"
        return SyncResult(name, message, False)

    def _get_state(self, run: WandbRunData) -> ServerState:
        return self.process.call(lambda: self._request_state(run))

    def _request_state(self, run: WandbRunData) -> ServerState:
        import wandb

        self.api.flush()
        path = f"{self.entity}/{self.tracking.project}/{run.init_arguments['id']}"
        try:
            server_run = self.api.run(path)
        except wandb.errors.CommError as error:
            if "Could not find run" in str(error):
                return ServerState(0, -1, "missing")
            raise
        return ServerState(
            int(server_run.historyLineCount or 0),
            int(server_run.lastHistoryStep),
            server_run.state,
            _find_missing_tables(server_run, run),
            _find_difference(server_run, run),
        )

    def _send(self, run: WandbRunData, missing_tables: dict[str, bytes]) -> None:
        wandb_run = WandbRun(self.process, self.tracking, self.root, "online", run.init_arguments)
        for name, content in missing_tables.items():
            wandb_run.save(name, content)
        for row in run.rows:
            wandb_run.add(row)
        wandb_run.flush()
        wandb_run.finish(run.exit_code)


def open_api(process: WandbProcess, tracking: Tracking) -> Any:
    """Return wandb's interface to the server. Raises WandbError."""
    import wandb

    timeout_s = max(1, round(tracking.init_timeout))
    return process.call(lambda: wandb.Api(timeout=timeout_s))


def find_entity(api: Any, tracking: Tracking) -> str:
    """Return the entity to which wandb.init sends: configured here, in wandb, or the account's."""
    entity: str = tracking.entity or api.settings["entity"] or api.default_entity
    return entity


def _find_missing_tables(server_run: Any, run: WandbRunData) -> dict[str, bytes]:
    """Return the tables that rows on the server refer to and whose files are missing, by name.

    wandb sends a row before the files of its tables, so the last tables may be lost.
    """
    tables = _collect_tables(run.rows)
    if not tables:
        return {}
    uploaded = {file.name for file in server_run.files(pattern=f"{TABLES_DIR}/%")}
    missing: dict[str, bytes] = {}
    for server_row in server_run.scan_history(use_cache=False):
        for key, value in server_row.items():
            table = tables.get((server_row.get(ITERATION), key))
            if table is None or not isinstance(value, dict):
                continue
            path = str(value.get("path"))
            if _is_table_path(path) and path not in uploaded:
                missing[path] = _encode_table(table)
    return missing


def _report_difference(run: WandbRunData, difference: str) -> SyncResult:
    # W&B lets nobody replace a step, nor use the id of a deleted run again
    message = (
        f"not sent: W&B has another training of this run ({difference});"
        " tracking.project=NAME sends this one to another project"
    )
    return SyncResult(run.init_arguments["name"], message, False)


def _find_difference(server_run: Any, run: WandbRunData) -> str | None:
    """Return how the last step that the server and the record share differs, or None.

    It differs if the run was trained again by other code, or with other hardware, after its first
    training had been sent: each step depends on all earlier ones, so the last one is enough.
    """
    shared_steps = [step for step in run.steps if step <= int(server_run.lastHistoryStep)]
    if not shared_steps:
        return None
    step = shared_steps[-1]
    scan = server_run.scan_history(min_step=step, max_step=step + 1, use_cache=False)
    sent = {key: value for server_row in scan for key, value in server_row.items()}
    for row in run.rows:
        if int(row[ITERATION]) != step:
            continue
        for key, value in row.items():
            # the server's table is a file, and its columns may have another order
            if key in sent and not isinstance(value, dict) and sent[key] != value:
                return f"{key} differs at iteration {step}"
    return None


def _collect_tables(rows: list[Row]) -> dict[tuple[Any, str], dict[str, list[Any]]]:
    """Return the tables among the values of the rows, by iteration and key."""
    tables = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, dict):
                tables[int(row[ITERATION]), key] = value
    return tables


def _is_table_path(path: str) -> bool:
    """Return whether the server's path is safe: a file of this name is written locally."""
    return path.startswith(f"{TABLES_DIR}/") and ".." not in path


def _encode_table(table: dict[str, list[Any]]) -> bytes:
    """Return the bytes that wandb writes for a table; the name of the file is their checksum."""
    rows = [list(row) for row in zip(*table.values(), strict=True)]
    return json.dumps({"columns": [*table], "data": rows}, separators=(",", ":")).encode()


@contextmanager
def connect(tracking: Tracking, root: Path) -> Iterator[Server]:
    """Connect to W&B, to send the records under a root.

    Raises:
        WandbError: there is no valid key, tracking is disabled, or the server does not answer.
        OSError: the record root cannot be written.
    """
    if tracking.mode == "disabled":
        raise WandbError(
            "tracking.mode: 'disabled', so nothing is sent; allowed: offline, online, auto"
        )
    try:
        check_credentials()
    except WandbError as error:
        raise WandbError(f"{error}; nothing is lost, the records are complete") from None
    with exclusive_session(
        tracking, root, "sync", "another process is sending these records"
    ) as process:
        yield Server(process, tracking, root)


@contextmanager
def exclusive_session(
    tracking: Tracking, root: Path, purpose: str, conflict: str
) -> Iterator[WandbProcess]:
    """Start wandb for one process per record root and purpose.

    Args:
        tracking: the timeout of wandb's calls.
        root: the record root.
        purpose: the name of the lock, "sync" or "pull".
        conflict: the error message if another process has the same purpose.

    Raises:
        WandbError: wandb cannot be started, or another process holds the lock.
        OSError: the record root cannot be written.
    """
    make_folder(root / "wandb")
    lock = root / "wandb" / f".{purpose}.lock"
    scratch = scratch_folder(root, purpose)
    try:
        with hold(lock, LOCK_TIMEOUT_S), wandb_session(scratch, tracking.init_timeout) as process:
            yield process
    except LockTimeout:
        raise WandbError(f"{root}: {conflict}") from None
