"""W&B as a mirror of what is on disk: it may fail at any time, and training goes on.

What W&B lacks in the end is sent from the record by degradation.tracking.sync.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from degradation.config import Tracking
from degradation.records.locks import LockTimeout
from degradation.tracking.wandb_process import WandbError, WandbProcess, session
from degradation.tracking.wandb_run import Mode, WandbRun, has_key, scratch_folder

log = logging.getLogger(__name__)
SendRow = Callable[[dict[str, Any]], None]

LATER = "`make sync` sends it later"


class _Mirror:
    """A run of W&B, or none any more: the first failure is told, once, and ends the mirroring."""

    def __init__(self) -> None:
        self.run: WandbRun | None = None
        self.told = False

    def start(
        self, held: WandbProcess, tracking: Tracking, root: Path, identity: dict[str, Any]
    ) -> None:
        online = tracking.mode == "online" or (tracking.mode == "auto" and has_key())
        modes: list[Mode] = ["online", "offline"] if online else ["offline"]
        for mode in modes:
            try:
                if self.told:
                    held.restart()
                self.run = WandbRun(held, tracking, root, mode, identity)
                return
            except WandbError as error:
                self.tell("W&B (%s) does not answer: %s; %s", mode, error, LATER)

    def send(self, row: dict[str, Any]) -> None:
        if self.run is not None:
            self.attempt(lambda run: run.add(row))

    def attempt(self, what: Callable[[WandbRun], None]) -> None:
        if self.run is None:
            return
        try:
            what(self.run)
        except WandbError as error:
            self.tell(
                "W&B stopped mirroring (%s); the record on disk is whole, and %s", error, LATER
            )
            self.run = None

    def tell(self, message: str, *values: object) -> None:
        log.log(logging.DEBUG if self.told else logging.WARNING, message, *values)
        self.told = True


@contextmanager
def mirror(
    tracking: Tracking,
    root: Path,
    identify: Callable[[], dict[str, Any]],
    rows: Iterable[dict[str, Any]],
) -> Iterator[SendRow]:
    """A function that sends a row to W&B. `rows`, those of an earlier attempt, are sent first.

    `identify()` gives wandb.init's id, name, group, job_type, tags and config. What the server has already is not sent
    twice. The first failure is told once and ends the mirroring. An exception inside the `with` marks the W&B run as
    failed.
    """
    if tracking.mode == "disabled":
        yield lambda _: None
        return
    mirrored = _Mirror()
    with ExitStack() as stack:
        try:
            identity = identify()
            held = stack.enter_context(
                session(scratch_folder(root, identity["id"]), tracking.init_timeout)
            )
            mirrored.start(held, tracking, root, identity)
        except (OSError, WandbError, LockTimeout) as error:
            mirrored.tell(
                "W&B cannot be started (%s); the record on disk is whole, and %s", error, LATER
            )
        for row in rows:
            mirrored.send(row)
        code = 1
        try:
            yield mirrored.send
            mirrored.attempt(
                WandbRun.flush
            )  # where training failed, the last iteration may not be whole
            code = 0
        finally:
            mirrored.attempt(lambda run: run.finish(code))


def mirror_analysis(
    tracking: Tracking,
    root: Path,
    identify: Callable[[], dict[str, Any]],
    tables: dict[str, Any],
    figures: dict[str, Path],
) -> None:
    """The report's tables (pandas frames) and figures (PNG files) as one W&B run of job type `analysis`."""
    with mirror(tracking, root, identify, []) as send:
        send({name: partial(_table, frame) for name, frame in tables.items()} | figures)


def _table(frame: Any) -> Any:
    import wandb

    return wandb.Table(dataframe=frame)
