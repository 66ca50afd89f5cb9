"""A launcher asks of each job whether there is anything to do, runs the rest in its way, tells what became of all."""

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

from hydra_plugins.sweep_launcher._display import Display, format_duration


@dataclass(frozen=True)
class Job:
    label: str
    function: Callable[[], Any]
    work: float  # in one unit for all jobs: longest first, and the estimate of the time left
    log: Path  # takes the process's stdout and stderr
    is_locked: Callable[[], bool] = lambda: (
        False
    )  # is somebody else at it? Then the other jobs go first


@dataclass(frozen=True)
class Result:
    value: Any = None
    error: str | None = None  # one line; None where the job returned


class JobFailed(CompactHydraException):
    """A job's failure, in one line."""


class Stopped(Exception):
    """The sweep was asked to stop by a signal; `told` says what became of its jobs."""

    def __init__(self, signum: int, told: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}{told}")
        self.signum = signum


class SweepLauncher(Launcher):
    """`preflight`: the dotted name of a function that gets a job's configuration and returns something with `label`,
    `work`, `skip_reason` (None where the job has to run, else why not), `is_locked` (a function: is another process at it now?)
    and `warning` (None, or a line to be told). An exception in it stops the sweep before anything has started.
    """

    def __init__(self, preflight: str | None) -> None:
        self.preflight = import_function(preflight) if preflight else None
        self.warnings: list[str] = []

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    @abstractmethod
    def run(self, jobs: Sequence[Job], display: Display, settled: str) -> list[Result]:
        """Results in the order of the jobs, failures told as they happen. `settled`: a text, why they are not more.

        Raises Stopped.
        """

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        setup_globals()
        if not job_overrides:
            raise CompactHydraException(
                "the sweep is empty: a key has no value to sweep over; allowed: value1,value2"
            )
        started = time.monotonic()
        jobs: dict[int, Job] = {}  # position in the batch: job
        skipped: dict[int, str] = {}  # position: why
        for position, overrides in enumerate(job_overrides):
            job = self._job(list(overrides), initial_job_idx + position)
            if isinstance(job, str):
                skipped[position] = job
            else:
                jobs[position] = job
        display = Display(len(job_overrides), done=len(skipped))
        for warning in self.warnings:
            display.say(warning)
        settled = f"{len(skipped)} of {len(job_overrides)} are settled already; " if skipped else ""
        try:
            results = (
                dict(zip(jobs, self.run(list(jobs.values()), display, settled), strict=True))
                if jobs
                else {}
            )
        except Stopped as stopped:
            display.say(
                f"{stopped}: {display.done} of {display.total} done; the same command goes on from here"
            )
            sys.exit(128 + stopped.signum)
        returns = [self._job_return(list(o), results.get(i)) for i, o in enumerate(job_overrides)]
        display.say(_summary(returns, list(skipped.values()), time.monotonic() - started))
        return returns

    @property
    def folder(self) -> Path:
        """Of the sweep: its logs."""
        return Path(str(self.config.hydra.sweep.dir))

    def _job(self, overrides: list[str], index: int) -> Job | str:
        """The job, or why there is nothing to do."""
        config = self._compose(overrides, index)
        label, work, held = " ".join(filter_overrides(overrides)), 1.0, _nobody
        if self.preflight is not None:
            admission = self.preflight(config)
            label, work, held = admission.label, admission.work, admission.is_locked
            if admission.warning is not None:
                self.warnings.append(f"{label}: {admission.warning}")
            if admission.skip_reason is not None:
                return str(admission.skip_reason)
        function = partial(
            _run, self.hydra_context, self.task_function, config, Singleton.get_state()
        )
        return Job(
            label, function, work, self.folder / f"{label if self.preflight else index}.log", held
        )

    def _compose(self, overrides: list[str], index: int) -> DictConfig:
        config = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.id = f"job_{index}"
            config.hydra.job.num = index
        return config

    def _job_return(self, overrides: list[str], result: Result | None) -> JobReturn:
        """`result` is None for a job that the preflight took out."""
        job_return = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
        if result is not None:
            failed = result.error is not None
            job_return.status = JobStatus.FAILED if failed else JobStatus.COMPLETED
            job_return.return_value = JobFailed(result.error) if failed else result.value
        return job_return


def _nobody() -> bool:
    return False


def import_function(dotted: str) -> Callable[..., Any]:
    """Import and return the function with a dotted name, as `package.module.function`."""
    module, _, name = dotted.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _run(context: HydraContext, task: TaskFunction, config: DictConfig, state: Any) -> Any:
    """In the job's process: what Hydra's own launcher does in its own."""
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


def _summary(returns: list[JobReturn], skipped: list[str], seconds: float) -> str:
    """Such as `30 runs: 28 done, 2 diverged, 0 failed in 5 min 47 s`."""
    failed = sum(one.status == JobStatus.FAILED for one in returns)
    ran = [
        one
        for one in returns
        if one.status == JobStatus.COMPLETED and one._return_value is not None
    ]
    values = Counter(str(one._return_value) for one in ran) + Counter(skipped)
    parts = [f"{count} {word}" for word, count in values.items() if count]
    return f"{len(returns)} runs: {', '.join([*parts, f'{failed} failed'])} in {format_duration(seconds)}"
