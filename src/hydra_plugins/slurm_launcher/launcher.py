"""The Hydra side of SLURM: a job array of the runs that have something to do."""

import contextlib
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException
from omegaconf import OmegaConf

from hydra_plugins.slurm_launcher._job import Resumable
from hydra_plugins.slurm_launcher._queue import waiting_or_running
from hydra_plugins.sweep_launcher import (
    Display,
    Job,
    Result,
    Stopped,
    SweepLauncher,
    record_signals,
)

POLL = 2.0  # seconds
EARLY = 30  # seconds that SLURM's signal may come before it is due: it looks at the time so often (its manual says 60)
LATE = 15.0  # seconds that a shared file system may take to show a result
FILES = ".submitit"  # below the sweep's folder: a folder a job, with what submitit writes
RAISED = re.compile(r"^(\w+\.)+\w+: ")  # how the last line of a traceback begins
GENERAL = (
    "name",
    "timeout_min",
    "cpus_per_task",
    "gpus_per_node",
    "mem_gb",
)  # that submitit knows of every cluster


@dataclass
class SlurmConfig:
    """The launcher's keys; the values are in conf/hydra/launcher/slurm.yaml. null leaves it to the cluster."""

    _target_: str = "hydra_plugins.slurm_launcher.launcher.SlurmLauncher"
    preflight: str | None = None
    wait: bool = True
    name: str = "sweep"
    timeout_min: int = 60
    signal_delay_s: int = 120
    array_parallelism: int = 256
    cpus_per_task: int | None = 1
    gpus_per_node: int | None = None
    mem_gb: float | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    setup: list[str] | None = None
    additional_parameters: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(
    group="hydra/launcher", name="slurm_schema", node=SlurmConfig, provider="slurm_launcher"
)


class SlurmLauncher(SweepLauncher):
    """One SLURM job a job. The process that waits for them may end without harm, and be started again."""

    def __init__(self, preflight: str | None, wait: bool, **resources: Any) -> None:
        super().__init__(preflight)
        self.wait = wait
        plain = {
            key: OmegaConf.to_container(v) if OmegaConf.is_config(v) else v
            for key, v in resources.items()
        }
        given = {key: value for key, value in plain.items() if value is not None}
        self.limit, self.warning = resources["timeout_min"], resources["signal_delay_s"]
        self.resources = {
            key if key in GENERAL else f"slurm_{key}": value for key, value in given.items()
        }

    def run(self, jobs: Sequence[Job], display: Display, settled: str) -> list[Result]:
        self._check_time()
        submitted = self._queued_before(jobs)
        new = [job for job in jobs if job.label not in submitted]
        if new:
            submitted |= self._submit(new)
        before = f"{len(jobs) - len(new)} in the queue already; " if len(new) < len(jobs) else ""
        display.say(f"{settled}{before}{len(new)} submitted; this process may end, the jobs go on")
        for job in new:
            display.say(f"{job.label}: job {submitted[job.label].job_id} (log: {job.log})")
        if not self.wait:
            return [Result("submitted") for _ in jobs]
        with record_signals() as stopped:
            return _Watch(jobs, submitted, display, stopped).results()

    def _check_time(self) -> None:
        """A job that is told that its time is over before it has begun would be killed by that."""
        latest = 60 * self.limit - EARLY - 1
        if not 1 <= self.warning <= latest:
            raise CompactHydraException(
                f"hydra.launcher.signal_delay_s: {self.warning} is not allowed; allowed: 1 to {latest} with a limit of"
                f" {self.limit} min, since SLURM may send the signal {EARLY} s early"
            )

    def _submit(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """submitit's job by label; each has its log under its label."""
        import submitit

        folder = self.folder.resolve()
        try:
            executor = submitit.AutoExecutor(folder / FILES / "%j", cluster="slurm")
            executor.update_parameters(**self.resources, stderr_to_stdout=True)
            with executor.batch():
                submitted = [executor.submit(Resumable(job.function)) for job in jobs]
        except (RuntimeError, ValueError, submitit.core.utils.FailedJobError) as error:
            told = (
                str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            )
            raise CompactHydraException(f"hydra/launcher=slurm: {told}") from None
        for job, one in zip(jobs, submitted, strict=True):
            with contextlib.suppress(FileNotFoundError):
                job.log.unlink()
            job.log.symlink_to(os.path.relpath(one.paths.stdout, job.log.resolve().parent))
        return dict(zip((job.label for job in jobs), submitted, strict=True))

    def _queued_before(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """Those that an earlier start of the sweep has submitted and that are not over, by label."""
        import submitit

        folder = self.folder.resolve() / FILES
        ids = {
            job.label: Path(os.readlink(job.log)).parent.name
            for job in jobs
            if job.log.is_symlink()
        }
        there = waiting_or_running(ids.values())
        if there is None:
            raise CompactHydraException(
                "hydra/launcher=slurm: squeue does not answer; nothing was submitted"
            )
        return {
            label: submitit.SlurmJob(folder / "%j", number)
            for label, number in ids.items()
            if number in there
        }


class _Watch:
    """Waits for jobs, and tells what becomes of each."""

    def __init__(
        self, jobs: Sequence[Job], submitted: dict[str, Any], display: Display, stopped: list[int]
    ) -> None:
        self.jobs, self.submitted, self.display, self.stopped = jobs, submitted, display, stopped
        self.found: dict[str, Result] = {}
        self.gone: dict[str, float] = {}  # label: since when SLURM knows nothing of it
        self.running: set[str] = set()

    def results(self) -> list[Result]:
        """In the order of the jobs. Raises Stopped."""
        for index, job in enumerate(self.jobs):
            self.display.work_total += job.work
            self.display.begun(index, job.work)
        while len(self.found) < len(self.jobs):
            self._look()
            self.display.draw()
            if self.stopped:
                raise Stopped(
                    self.stopped[0], "; the jobs that were submitted go on (scancel ends them)"
                )
            if len(self.found) < len(self.jobs):
                time.sleep(POLL)
        return [self.found[job.label] for job in self.jobs]

    def _look(self) -> None:
        left = {
            job.label: self.submitted[job.label] for job in self.jobs if job.label not in self.found
        }
        queue = waiting_or_running(one.job_id for one in left.values())
        for index, job in enumerate(self.jobs):
            if job.label not in left:
                continue
            result = self._result(
                job.label, left[job.label], there=queue is None or left[job.label].job_id in queue
            )
            if result is None:
                continue
            self.found[job.label] = result
            self.display.ended(index, failed=result.error is not None)
            if result.error is not None:
                self.display.failure(job.label, result.error, job.log)

    def _result(self, label: str, job: Any, there: bool) -> Result | None:
        """None while the job is not over."""
        outcome, value = (
            job._get_outcome_and_result() if job.paths.result_pickle.exists() else ("", None)
        )
        if outcome == "success":
            return Result(value)
        if there:  # an error is of an attempt that SLURM has stopped to requeue it
            self.gone.pop(label, None)
            return None
        if outcome:
            return Result(error=RAISED.sub("", str(value).strip().splitlines()[-1]))
        if time.monotonic() - self.gone.setdefault(label, time.monotonic()) < LATE:
            return None
        return Result(error=f"job {job.job_id} was ended by SLURM or a signal, and left no result")
