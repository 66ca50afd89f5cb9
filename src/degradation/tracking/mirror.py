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
from degradation.tracking.wandb_identity import build_report_arguments
from degradation.tracking.wandb_process import (
    CORRECTION,
    WandbError,
    WandbProcess,
    WandbRefusal,
    wandb_session,
)
from degradation.tracking.wandb_run import Mode, WandbRun, scratch_folder

log = logging.getLogger(__name__)
SendRow = Callable[[dict[str, Any]], None]

RESEND_ROWS = "`make sync` sends the rows"
RESEND_REPORT = "`make report` sends the report"


class _Mirror:
    """A W&B run, until the first failure ends it.

    Attributes:
        resend: the command that later sends what a failure lost, for messages.
    """

    def __init__(self, resend: str) -> None:
        self.resend = resend
        self.run: WandbRun | None = None
        self.has_failed = False

    def select_modes(self, tracking: Tracking) -> list[Mode]:
        """Return the modes to try, in their order: online needs credentials."""
        if tracking.mode == "offline":
            return ["offline"]
        try:
            check_credentials()
        except WandbError as error:
            if tracking.mode == "online" or not isinstance(error, MissingKey):
                self.report_failure(
                    f"W&B (online) cannot be used: {error}; afterwards {self.resend}"
                )
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
            except WandbRefusal as error:
                problem = f"W&B ({mode}) refuses the run: {error}"
                self.report_failure(f"{problem}; {CORRECTION}, then {self.resend}")
            except WandbError as error:
                problem = f"W&B ({mode}) does not answer: {error}"
                self.report_failure(f"{problem}; {self.resend} later")

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
            problem = f"W&B stopped mirroring ({error}); the record on disk is complete"
            if isinstance(error, WandbRefusal):
                self.report_failure(f"{problem}; {CORRECTION}, then {self.resend}")
            else:
                self.report_failure(f"{problem}, and {self.resend} later")
            self.run = None

    def report_failure(self, message: str) -> None:
        """Log the first failure as a warning, and later ones for debugging only."""
        log.log(logging.DEBUG if self.has_failed else logging.WARNING, "%s", message)
        self.has_failed = True


@contextmanager
def mirror(
    tracking: Tracking,
    root: Path,
    build_init_arguments: Callable[[], dict[str, Any]],
    rows: Iterable[dict[str, Any]],
    resend: str = RESEND_ROWS,
) -> Iterator[SendRow]:
    """Mirror a run to W&B inside a `with` block; an exception in the block marks it as failed.

    Args:
        tracking: mode, project, entity and timeout.
        root: the record root.
        build_init_arguments: returns id, name, group, job_type, tags and config for wandb.init. Its
            failures count as failures of W&B.
        rows: the rows of earlier attempts. Those that the server lacks are sent first.
        resend: the command that later sends what a failure lost, for messages.

    Yields:
        A function that sends a row. It never raises an error.
    """
    if tracking.mode == "disabled":
        yield lambda _: None
        return
    with ExitStack() as stack:
        wandb_mirror = _Mirror(resend)
        _start(wandb_mirror, stack, tracking, root, build_init_arguments)
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
    wandb_mirror: _Mirror,
    stack: ExitStack,
    tracking: Tracking,
    root: Path,
    build_init_arguments: Callable[[], dict[str, Any]],
) -> None:
    """Start wandb, which the stack then ends, and the run. A failure of either is logged."""
    try:
        init_arguments = build_init_arguments()
        modes = wandb_mirror.select_modes(tracking)
        scratch = scratch_folder(root, init_arguments["id"])
        process = stack.enter_context(wandb_session(scratch, tracking.init_timeout))
        wandb_mirror.start(process, tracking, root, modes, init_arguments)
    except (OSError, WandbError, LockTimeout) as error:
        problem = f"W&B cannot be started ({error}); the record on disk is complete"
        wandb_mirror.report_failure(f"{problem}, and {wandb_mirror.resend} later")


def mirror_analysis(
    tracking: Tracking,
    root: Path,
    name: str,
    tables: dict[str, Any],
    figures: dict[str, Path],
) -> None:
    """Send the tables (pandas frames) and figures (PNG files) of a report as one W&B run.

    Args:
        tracking: mode, project, entity and timeout.
        root: the record root.
        name: the name of the report.
        tables, figures: what is sent, by the names under which W&B shows it.
    """

    def identify() -> dict[str, Any]:
        return build_report_arguments(name, root)

    with mirror(tracking, root, identify, [], RESEND_REPORT) as send:
        lazy_tables = {name: partial(_build_table, frame) for name, frame in tables.items()}
        send(lazy_tables | figures)


def _build_table(frame: Any) -> Any:
    import wandb

    return wandb.Table(dataframe=frame)
