"""Pull the runs of a W&B project into records, with all rows of their histories.

W&B does not store the outcome of a run, so it is derived from the rows. A run that W&B calls
finished and that has the row of the last iteration is done. If it has fewer rows, it has diverged:
the mirror closes a run as finished in these two cases only. Any other run is unfinished, and a
later pull completes it.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from degradation.checksums import Row
from degradation.config import Tracking
from degradation.config.errors import quote
from degradation.metrics import ITERATION
from degradation.records.schema import State
from degradation.run_id import is_run_id
from degradation.tracking.pull_validation import InvalidPull, restore_metadata, restore_metrics
from degradation.tracking.pulled_record import (
    STAGING_DIR,
    RunContents,
    check_pull_root,
    find_difference,
    store,
)
from degradation.tracking.sync import exclusive_session, find_entity, open_api
from degradation.tracking.wandb_credentials import check_credentials
from degradation.tracking.wandb_process import WandbError, WandbProcess

RUNS_PER_PAGE = 200
# As many steps as rows are requested per page: with fewer rows than steps W&B would sample them.
STEPS_PER_PAGE = 10_000
# Each call has a time limit, so a call must not fetch more than a few pages.
ROWS_PER_CALL = 50
FINISHED = "finished"  # W&B's state of a run with exit status 0


@dataclass(frozen=True)
class PullResult:
    """The result of pulling one run.

    Attributes:
        run_id: the run.
        message: one line for the user.
        is_complete: the record now holds everything that W&B has.
        contents: what W&B has, if it is valid.
    """

    run_id: str
    message: str
    is_complete: bool
    contents: RunContents | None = None


@dataclass
class ProjectListing:
    """The runs of a W&B project.

    Attributes:
        copies: the W&B ids for each run id; several record roots may have mirrored the same run.
        rejected: runs that this project did not mirror.
    """

    copies: dict[str, list[str]] = field(default_factory=dict)
    rejected: list[PullResult] = field(default_factory=list)

    def select(self, run_ids: Iterable[str]) -> "ProjectListing":
        """Return the listing of these runs; those that W&B does not have are rejected."""
        wanted = list(run_ids)
        copies = {run_id: self.copies[run_id] for run_id in wanted if run_id in self.copies}
        missing = [
            PullResult(run_id, "rejected: W&B does not have it", False)
            for run_id in wanted
            if run_id not in copies
        ]
        return ProjectListing(copies, missing)


class Project:
    """The runs of a W&B project. Methods raise WandbError if the server does not answer."""

    def __init__(self, process: WandbProcess, tracking: Tracking, root: Path) -> None:
        self.process = process
        self.tracking = tracking
        self.root = root
        self.api = open_api(process, tracking)
        entity = process.call(lambda: find_entity(self.api, tracking))
        self.path = f"{entity}/{tracking.project}"

    def list_runs(self, group: str | None) -> ProjectListing:
        """List the project's trainings, or those of one group (the name of an experiment)."""
        filters = {"jobType": "train"}
        if group:
            filters["group"] = group
        listing = ProjectListing()
        for run in self._find_runs(filters):
            if _is_mirrored_training(run.name, run.id):
                listing.copies.setdefault(run.name, []).append(run.id)
                continue
            message = (
                f"rejected: its name, {quote(run.name)}, and its W&B id are not those of a run"
            )
            listing.rejected.append(PullResult(quote(run.id), message, False))
        sorted_copies = {
            run_id: sorted(listing.copies[run_id]) for run_id in sorted(listing.copies)
        }
        return ProjectListing(sorted_copies, listing.rejected)

    def _find_runs(self, filters: dict[str, str]) -> Iterator[Any]:
        """Yield the project's runs that pass the filters of wandb's `Api.runs`."""
        runs = self.process.call(lambda: self.api.runs(self.path, filters, per_page=RUNS_PER_PAGE))
        while True:
            run = self.process.call(lambda: next(runs, None))
            if run is None:
                return
            # wandb would hold each run that it has returned, and a project may have very many
            runs.objects[runs.index] = None
            yield run

    def pull(self, run_id: str, copies: Iterable[str]) -> PullResult:
        """Pull one run into its record.

        Of several copies, a finished one is preferred, then the one with the most rows.

        Args:
            run_id: the run.
            copies: its W&B ids, sorted.

        Raises:
            OSError: the record cannot be written.
            WandbError: the server does not answer, even after a restart of wandb.
        """
        valid: list[tuple[str, RunContents]] = []
        problems: list[str] = []
        for copy in copies:
            try:
                valid.append((copy, self._download(run_id, copy)))
            except InvalidPull as refusal:
                problems.append(f"{copy} rejected: {refusal}")
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                # wandb parses the server's replies without validating them first.
                reason = f"{type(error).__name__}: {error}"
                problems.append(f"{copy} rejected: it cannot be interpreted ({reason})")
            except WandbError as error:
                problems.append(f"{copy} not pulled: {error}")
                self.process.restart()
                self.api = open_api(self.process, self.tracking)
        if not valid:
            return PullResult(run_id, "; ".join(problems), False)
        valid.sort(key=_rank_copy)
        (_, best), *others = valid
        problems += _report_differences(best, others)
        message, is_complete = store(self.root, run_id, best, self.path)
        all_messages = "; ".join([message, *problems])
        return PullResult(run_id, all_messages, is_complete and not problems, best)

    def _download(self, run_id: str, copy: str) -> RunContents:
        """Return the contents of one W&B run. Raises InvalidPull and WandbError."""
        self.api.flush()
        run = self.process.call(lambda: self.api.run(f"{self.path}/{copy}"))
        sent_metadata = self.process.call(lambda: run.config)
        metadata = restore_metadata(run_id, sent_metadata)
        scan = self.process.call(
            lambda: run.scan_history(page_size=STEPS_PER_PAGE, use_cache=False)
        )
        sent_rows = _CountedRows(self._read_history(scan))
        metrics = restore_metrics(metadata["config"], sent_rows)
        if run.state != FINISHED:
            return RunContents(metadata, metrics, None)
        last_iteration = metadata["config"]["schedule"]["iterations"]
        if metrics and metrics[-1][ITERATION] == last_iteration:
            return RunContents(metadata, metrics, State.DONE)
        if sent_rows.count < int(run.historyLineCount or 0):
            counts = f"{sent_rows.count} of {run.historyLineCount}"
            raise InvalidPull(f"the server sent {counts} rows")
        return RunContents(metadata, metrics, State.DIVERGED)

    def _read_history(self, scan: Any) -> Iterator[Row]:
        rows = (row for row in scan)  # one iterator: wandb's scan restarts with each iter()
        while True:
            batch = self.process.call(lambda: list(islice(rows, ROWS_PER_CALL)))
            if not batch:
                return
            yield from batch


def _is_mirrored_training(name: Any, wandb_id: Any) -> bool:
    """Return whether a W&B run has a run id as its name, and that and a root's token as its id."""
    return is_run_id(name) and re.fullmatch(f"{name}-[0-9a-f]{{6}}", str(wandb_id)) is not None


def _report_differences(best: RunContents, others: Iterable[tuple[str, RunContents]]) -> list[str]:
    """Return one line for each finished copy that differs from the best one."""
    problems = []
    for copy, contents in others:
        difference = find_difference(best, contents)
        if contents.outcome is not None and difference:
            problems.append(f"{copy} differs and is excluded: {difference}")
    return problems


def _rank_copy(copy: tuple[str, RunContents]) -> tuple[bool, int]:
    """Return a sort key: finished copies first, then those with more rows."""
    _, contents = copy
    return contents.outcome is None, -len(contents.metrics)


class _CountedRows:
    """An iterator over rows that counts them."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row


@contextmanager
def connect(tracking: Tracking, root: Path) -> Iterator[Project]:
    """Connect to a W&B project, to pull its runs into a record root.

    Raises:
        WandbError: there is no valid key, tracking is disabled, or the server does not answer.
        RecordError: the root holds runs that were trained, not pulled.
        OSError: the root cannot be written.
    """
    if tracking.mode == "disabled":
        raise WandbError(
            "tracking.mode: 'disabled', so W&B is not contacted; allowed: offline, online, auto"
        )
    check_credentials()
    check_pull_root(root)
    with exclusive_session(tracking, root, "pull", "another process is pulling into it") as process:
        shutil.rmtree(root / STAGING_DIR, ignore_errors=True)
        try:
            yield Project(process, tracking, root)
        finally:
            shutil.rmtree(root / STAGING_DIR, ignore_errors=True)
