"""The base of all launchers: check every job, skip finished ones, run the rest, summarise."""

import importlib
import signal
import sys
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, run_job, setup_globals
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from hydra_plugins.sweep_launcher._curve import CurvePoint
from hydra_plugins.sweep_launcher._display import Display, format_duration, format_runs
from hydra_plugins.sweep_launcher._job_configs import JobConfigs


def _never_locked() -> bool:
    return False


@dataclass(frozen=True)
class Job:
    """One call that a launcher runs in a separate process."""

    label: str
    function: Callable[[], Any]
    work: float  # in the same unit for all jobs; the longest start first
    log: Path  # where the process's stdout and stderr go
    is_locked: Callable[[], bool] = _never_locked  # if another process runs it, it starts last
    point: CurvePoint | None = None  # where its error belongs
    memory_request: Any = None  # what its need of a GPU's memory follows from, or None
    overrides: tuple[str, ...] = ()  # those of its configuration, sorted


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    value: Any = None  # what its function returned
    error: str | None = None  # one line, or None if the job returned


@dataclass(frozen=True)
class Capacity:
    """How many jobs a launcher runs at once."""

    jobs: int | None  # None if only the cluster knows
    description: str


class JobFailed(CompactHydraException):
    """A job's failure, in one line."""

    is_reported = True  # the launcher has printed it already


class Stopped(Exception):
    """A signal has stopped the sweep.

    Args:
        signum: the signal
        consequence: what becomes of the jobs, appended to the message
    """

    def __init__(self, signum: int, consequence: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}{consequence}")
        self.signum = signum


class SweepLauncher(Launcher):
    """The base of every launcher.

    Args:
        preflight: the dotted name of a function, or None. It gets a job's configuration before
            any job starts, and returns an object with these attributes:

            - `label` and `work`, as in `Job`
            - `skip_reason`: None if the job has to run, otherwise why it is skipped
            - `is_locked`: a function that says whether another process runs the job now
            - `warning`: a line to print, or None
            - `curve_point`: the series, position and repetition of the job's error, such as
              ("plain", 56, 0), or None
            - `read_error`: a function that returns the error of a job that is skipped, in percent,
              or None
            - `memory_request`: what its need of a GPU's memory follows from, or None if unknown

            An exception in it stops the sweep.
    """

    def __init__(self, preflight: str | None) -> None:
        self.preflight = import_function(preflight) if preflight else None
        self.warnings: list[str] = []
        self.labels: set[str] = set()  # of the jobs that were checked
        self.finished: list[tuple[CurvePoint, Callable[[], float | None]]] = []

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store what Hydra passes before it calls `launch`."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config
        self.job_configs = JobConfigs(hydra_context.config_loader, config)

    @abstractmethod
    def find_capacity(self, memory_requests: Sequence[Any] = ()) -> Capacity:
        """Return how many jobs may run at once. Raises CompactHydraException.

        Args:
            memory_requests: those of the jobs, on which the number may depend
        """

    @abstractmethod
    def run(self, jobs: Sequence[Job], display: Display, skipped: str) -> list[Result]:
        """Run the jobs and return their results in order; print each failure when it happens.

        Args:
            jobs: those that have to run, at least one
            display: where to print and to count
            skipped: how many jobs are skipped, as the beginning of the first line; may be empty

        Raises:
            Stopped: a signal arrived.
        """

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run one job per list of overrides and return one JobReturn for each, as Hydra expects."""
        setup_globals()
        if not job_overrides:
            raise CompactHydraException(
                "the sweep is empty: a key has no value to sweep over; allowed: value1,value2"
            )
        started = time.monotonic()
        jobs, skip_reasons = self._check_jobs(job_overrides, initial_job_idx)
        display = Display(len(jobs) + len(skip_reasons), done=len(skip_reasons))
        for warning in self.warnings:
            display.print(warning)
        self.warnings.clear()
        if display.is_terminal():  # only there the errors are shown
            for point, read_error in self.finished:
                display.add_finished(point, read_error())
        try:
            results = self._run_jobs(jobs, display, len(skip_reasons))
        except Stopped as stopped:
            display.print(
                f"{stopped}: {display.done} of {display.total} runs done;"
                " run the same command again to continue"
            )
            sys.exit(128 + stopped.signum)
        returns = [
            _build_job_return(list(overrides), results.get(position))
            for position, overrides in enumerate(job_overrides)
        ]
        elapsed = time.monotonic() - started
        counted = [returns[position] for position in sorted([*jobs, *skip_reasons])]
        display.print(_summarise(counted, list(skip_reasons.values()), elapsed))
        errors = [result.error for result in results.values() if result.error is not None]
        if errors:
            raise JobFailed(errors[0])  # Hydra would print its own line before raising it
        return returns

    def _check_jobs(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> tuple[dict[int, Job], dict[int, str]]:
        """Return the jobs that have to run and the others' skip reasons, by position.

        A job that repeats an earlier one has neither, and is not counted.
        """
        jobs: dict[int, Job] = {}
        skip_reasons: dict[int, str] = {}
        for position, overrides in enumerate(job_overrides):
            checked = self._check_job(list(overrides), initial_job_idx + position)
            if isinstance(checked, Job):
                jobs[position] = checked
            elif checked is not None:
                skip_reasons[position] = checked
        return jobs, skip_reasons

    def _check_job(self, overrides: list[str], index: int) -> Job | str | None:
        """Return the job, or the reason to skip it, or None if it repeats an earlier one."""
        config = self._compose(overrides, index)
        own_overrides = filter_overrides(overrides)
        function = partial(
            _run_task, self.hydra_context, self.task_function, config, Singleton.get_state()
        )
        if self.preflight is None:
            label = " ".join(own_overrides)
            return Job(label, function, work=1.0, log=self.folder / f"{index}.log")
        spec = self.preflight(config)
        if spec.label in self.labels:
            return None
        self.labels.add(spec.label)
        if spec.warning is not None:
            self.warnings.append(f"{spec.label}: {spec.warning}")
        point = CurvePoint(*spec.curve_point) if spec.curve_point else None
        if spec.skip_reason is not None:
            if point is not None:
                self.finished.append((point, spec.read_error))
            return str(spec.skip_reason)
        log = self.folder / f"{spec.label}.log"
        return Job(
            spec.label,
            function,
            spec.work,
            log,
            is_locked=spec.is_locked,
            point=point,
            memory_request=spec.memory_request,
            overrides=tuple(sorted(own_overrides)),
        )

    def _run_jobs(
        self, jobs: dict[int, Job], display: Display, skipped_count: int
    ) -> dict[int, Result]:
        """Return the results by position. Raises Stopped."""
        if not jobs:
            return {}
        skipped = ""
        if skipped_count:
            skipped = f"{skipped_count} of {display.total} runs have nothing left to do; "
        results = self.run(list(jobs.values()), display, skipped)
        return dict(zip(jobs, results, strict=True))

    @property
    def folder(self) -> Path:
        """The sweep's folder, which holds its logs."""
        return Path(str(self.config.hydra.sweep.dir))

    def _compose(self, overrides: list[str], index: int) -> DictConfig:
        config = self.job_configs.compose(overrides)
        with open_dict(config):
            config.hydra.job.id = f"job_{index}"
            config.hydra.job.num = index
        return config


def import_function(dotted_name: str) -> Callable[..., Any]:
    """Import and return the function with a dotted name, `package.module.function`."""
    module, _, name = dotted_name.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _run_task(context: HydraContext, task: TaskFunction, config: DictConfig, state: Any) -> Any:
    """Run a job in its own process, as Hydra's basic launcher does in the sweep's."""
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    returned = run_job(
        hydra_context=context,
        task_function=task,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key=None,
    )
    if isinstance(returned._return_value, BaseException):
        raise returned._return_value
    return returned.return_value


def _build_job_return(overrides: list[str], result: Result | None) -> JobReturn:
    """Return a job's outcome as Hydra expects it; `result` is None for a skipped job."""
    job_return = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    if result is None:
        return job_return
    if result.error is None:
        job_return.return_value = result.value
    else:
        job_return.status = JobStatus.FAILED
        job_return.return_value = JobFailed(result.error)
    return job_return


def _summarise(returns: list[JobReturn], skip_reasons: list[str], seconds: float) -> str:
    """Return the sweep's last line, for example

    `30 runs: 28 done, 2 diverged, 0 failed in 5 min 47 s`
    """
    failed = 0
    counts: Counter[str] = Counter()
    for job_return in returns:
        if job_return.status == JobStatus.FAILED:
            failed += 1
        elif job_return._return_value is not None:
            counts[str(job_return._return_value)] += 1
    counts.update(skip_reasons)
    parts = [f"{count} {outcome}" for outcome, count in counts.items()]
    parts.append(f"{failed} failed")
    return f"{format_runs(len(returns))}: {', '.join(parts)} in {format_duration(seconds)}"
