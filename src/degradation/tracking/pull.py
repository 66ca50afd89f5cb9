"""What W&B has of runs is brought back into records: whole histories, never sampled ones.

Of a run that W&B says is finished, fewer evaluations than its schedule has mean that it diverged: the mirror sends
nothing else of that. Other runs are not over, and are completed by a later pull.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from degradation.config import Tracking
from degradation.config.errors import quote
from degradation.durable_io import Row
from degradation.metrics import ITERATION
from degradation.records.schema import State
from degradation.tracking.pull_validation import (
    InvalidPull,
    Judge,
    description_of,
    is_run_id,
    metrics_of,
)
from degradation.tracking.pulled_record import STAGING, Contents, check_root, difference, keep
from degradation.tracking.sync import alone
from degradation.tracking.wandb_process import WandbError, WandbProcess
from degradation.tracking.wandb_run import NO_KEY, has_key

RUNS_A_PAGE = 200
STEPS_A_PAGE = 10_000  # as many rows are asked for, so none of a page is left out by sampling
ROWS_A_CALL = (
    50  # each call has a clock of its own; few enough that the pages of one call come in its time
)
FINISHED = "finished"  # W&B's word for an exit status of 0


@dataclass(frozen=True)
class Pulled:
    """What became of one run: lines, whether all of it is in the record, and what W&B has of it where that is sound."""

    run_id: str
    told: str
    whole: bool
    contents: Contents | None = None


@dataclass
class Listing:
    """The runs of a project: the W&B ids of each run id (those of several record roots), and what is no run of ours."""

    copies: dict[str, list[str]] = field(default_factory=dict)
    refused: list[Pulled] = field(default_factory=list)


class Project:
    """The runs of an entity and project. Its methods raise WandbError where the server does not answer."""

    def __init__(self, held: WandbProcess, tracking: Tracking, root: Path, judge: Judge) -> None:
        self.held, self.tracking, self.root, self.judge = held, tracking, root, judge
        self._connect()
        entity = tracking.entity or held.call(lambda: self.api.default_entity)
        self.path = f"{entity}/{tracking.project}"

    def _connect(self) -> None:
        import wandb

        self.api: Any = self.held.call(
            lambda: wandb.Api(timeout=max(1, round(self.tracking.init_timeout)))
        )

    def listing(self, group: str | None) -> Listing:
        """All runs of trainings, or those of one experiment. Only names are kept: a project may have many runs."""
        filters = {"jobType": "train"} | ({"group": group} if group else {})
        runs = self.held.call(lambda: self.api.runs(self.path, filters, per_page=RUNS_A_PAGE))
        found = Listing()
        while (run := self.held.call(lambda: next(runs, None))) is not None:
            runs.objects[runs.index] = None
            if not is_run_id(run.name) or not re.fullmatch(
                f"{run.name}-[0-9a-f]{{6}}", str(run.id)
            ):
                told = (
                    f"refused: its name, {quote(run.name)}, and its W&B id are not those of a run"
                )
                found.refused.append(Pulled(quote(run.id), told, False))
            else:
                found.copies.setdefault(run.name, []).append(run.id)
        return Listing(
            {name: sorted(found.copies[name]) for name in sorted(found.copies)}, found.refused
        )

    def pull(self, run_id: str, copies: Iterable[str]) -> Pulled:
        """Bring a run into its record. Raises OSError too."""
        sound: list[tuple[str, Contents]] = []
        problems: list[str] = []
        for copy in copies:
            try:
                sound.append((copy, self._contents(run_id, copy)))
            except InvalidPull as refused:
                problems.append(f"{copy} refused: {refused}")
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                problems.append(
                    f"{copy} refused: it makes no sense ({type(error).__name__}: {error})"
                )
            except WandbError as error:
                problems.append(f"{copy} not pulled: {error}")
                self.held.restart()
                self._connect()
        if not sound:
            return Pulled(run_id, "; ".join(problems), False)
        # those that are over first, then the longest; of equals the first by its W&B id
        sound.sort(key=lambda one: (one[1].outcome is None, -len(one[1].metrics)))
        (_, best), *others = sound
        for copy, contents in others:
            if contents.outcome is not None and (problem := difference(best, contents)):
                problems.append(f"{copy} is not the same and left out: {problem}")
        told, whole = keep(self.root, run_id, best, self.path)
        return Pulled(run_id, "; ".join([told, *problems]), whole and not problems, best)

    def _contents(self, run_id: str, copy: str) -> Contents:
        self.api.flush()
        run = self.held.call(lambda: self.api.run(f"{self.path}/{copy}"))
        config = self.held.call(lambda: run.config)
        description = description_of(run_id, config, self.judge)
        scan = self.held.call(lambda: run.scan_history(page_size=STEPS_A_PAGE, use_cache=False))
        rows = _Counted(self._rows(scan))
        metrics = metrics_of(description["config"], rows, self.judge)
        if run.state != FINISHED:
            return Contents(description, metrics, None)
        if metrics and metrics[-1][ITERATION] == description["config"]["schedule"]["iterations"]:
            return Contents(description, metrics, State.DONE)
        if rows.count < int(run.historyLineCount or 0):
            raise InvalidPull(f"the server gave {rows.count} of {run.historyLineCount} rows")
        return Contents(description, metrics, State.DIVERGED)

    def _rows(self, scan: Any) -> Iterator[Row]:
        rows = (row for row in scan)  # wandb's scan begins anew with each iter()
        while some := self.held.call(lambda: [*islice(rows, ROWS_A_CALL)]):
            yield from some


class _Counted:
    """Rows, and how many there were."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row


@contextmanager
def connect(tracking: Tracking, root: Path, judge: Judge) -> Iterator[Project]:
    """Raises WandbError, without a key or where no server answers, RecordError and OSError."""
    if tracking.mode == "disabled":
        raise WandbError(
            "tracking.mode: 'disabled', so it is not asked; allowed: offline, online, auto"
        )
    if not has_key():
        raise WandbError(NO_KEY)
    check_root(root)
    with alone(tracking, root, "pull", "another process is pulling into it") as held:
        shutil.rmtree(root / STAGING, ignore_errors=True)
        try:
            yield Project(held, tracking, root, judge)
        finally:
            shutil.rmtree(root / STAGING, ignore_errors=True)
