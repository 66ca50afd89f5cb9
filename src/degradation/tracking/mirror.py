"""Mirror a run to W&B while it trains. The record on disk is authoritative; W&B may fail.

A failure of W&B never disturbs the training. It is logged once and ends the mirroring;
`degradation.tracking.sync` sends the rest later, from the record.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from degradation.config import Tracking
from degradation.records.locks import LockTimeout
from degradation.tracking.wandb_credentials import MissingKey, check_credentials
from degradation.tracking.wandb_process import WandbError, WandbProcess, wandb_session
from degradation.tracking.wandb_run import Mode, WandbRun, scratch_folder

log = logging.getLogger(__name__)
SendRow = Callable[[dict[str, Any]], None]

LATER = "`make sync` sends the rows later"


class _Mirror:
    """A W&B run, until the first failure ends it."""

    def __init__(self) -> None:
        self.run: WandbRun | None = None
        self.has_failed = False

    def select_modes(self, tracking: Tracking) -> list[Mode]:
        """Return the modes to try, in their order: online needs credentials."""
        if tracking.mode == "offline":
            return ["offline"]
        try:
            check_credentials()
        except MissingKey as error:
            if tracking.mode == "online":
                self.report_failure("W&B (online) cannot be used: %s; %s", error, LATER)
            return ["offline"]
        except WandbError as error:
            self.report_failure("W&B (online) cannot be used: %s; %s", error, LATER)
            return ["offline"]
        return ["online", "offline"]

    def start(
        self,
        process: WandbProcess,
        tracking: Tracking,
        root: Path,
        modes: list[Mode],
        init_arguments: dict[str, Any],
    ) -> None:
        """Start the run in the first of the modes that succeeds."""
        for mode in modes:
            try:
                if mode != modes[0]:
                    process.restart()
                self.run = WandbRun(process, tracking, root, mode, init_arguments)
                return
            except WandbError as error:
                self.report_failure("W&B (%s) does not answer: %s; %s", mode, error, LATER)

    def send(self, row: dict[str, Any]) -> None:
        """Send a row, if the mirroring has not ended."""
        self.attempt(lambda run: run.add(row))

    def attempt(self, action: Callable[[WandbRun], None]) -> None:
        """Apply an action to the run; a failure ends the mirroring."""
        if self.run is None:
            return
        try:
            action(self.run)
        except WandbError as error:
            self.report_failure(
                "W&B stopped mirroring (%s); the record on disk is complete, and %s", error, LATER
            )
            self.run = None

    def report_failure(self, message: str, *values: object) -> None:
        """Log the first failure as a warning, and later ones for debugging only."""
        log.log(logging.DEBUG if self.has_failed else logging.WARNING, message, *values)
        self.has_failed = True


@contextmanager
def mirror(
    tracking: Tracking,
    root: Path,
    build_init_arguments: Callable[[], dict[str, Any]],
    rows: Iterable[dict[str, Any]],
) -> Iterator[SendRow]:
    """Mirror a run to W&B inside a `with` block; an exception in the block marks it as failed.

    Args:
        tracking: mode, project, entity and timeout.
        root: the record root.
        build_init_arguments: returns id, name, group, job_type, tags and config for wandb.init. Its
            failures count as failures of W&B.
        rows: the rows of earlier attempts. Those that the server lacks are sent first.

    Yields:
        A function that sends a row. It never raises an error.
    """
    if tracking.mode == "disabled":
        yield lambda _: None
        return
    with ExitStack() as stack:
        wandb_mirror = _start(stack, tracking, root, build_init_arguments)
        for row in rows:
            wandb_mirror.send(row)
        exit_code = 1
        try:
            yield wandb_mirror.send
            # Only now: after a failed training, the rows of the last iteration may be incomplete.
            wandb_mirror.attempt(WandbRun.flush)
            exit_code = 0
        finally:
            wandb_mirror.attempt(lambda run: run.finish(exit_code))


def _start(
    stack: ExitStack,
    tracking: Tracking,
    root: Path,
    build_init_arguments: Callable[[], dict[str, Any]],
) -> _Mirror:
    """Start wandb, which the stack then ends, and the run. A failure of either is logged."""
    wandb_mirror = _Mirror()
    try:
        init_arguments = build_init_arguments()
        modes = wandb_mirror.select_modes(tracking)
        scratch = scratch_folder(root, init_arguments["id"])
        process = stack.enter_context(wandb_session(scratch, tracking.init_timeout))
        wandb_mirror.start(process, tracking, root, modes, init_arguments)
    except (OSError, WandbError, LockTimeout) as error:
        wandb_mirror.report_failure(
            "W&B cannot be started (%s); the record on disk is complete, and %s", error, LATER
        )
    return wandb_mirror


def mirror_analysis(
    tracking: Tracking,
    root: Path,
    build_init_arguments: Callable[[], dict[str, Any]],
    tables: dict[str, Any],
    figures: dict[str, Path],
) -> None:
    """Send the tables (pandas frames) and figures (PNG files) of a report as one W&B run."""
    with mirror(tracking, root, build_init_arguments, []) as send:
        lazy_tables = {name: partial(_build_table, frame) for name, frame in tables.items()}
        send(lazy_tables | figures)


def _build_table(frame: Any) -> Any:
    import wandb

    return wandb.Table(dataframe=frame)
