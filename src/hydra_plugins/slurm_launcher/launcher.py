"""SLURM as a Hydra launcher: a job array of the unfinished runs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException
from omegaconf import OmegaConf

from hydra_plugins.slurm_launcher._job import Resumable
from hydra_plugins.slurm_launcher._queue import list_unfinished
from hydra_plugins.slurm_launcher._watch import Watch
from hydra_plugins.sweep_launcher import (
    Capacity,
    Display,
    Job,
    Result,
    SweepLauncher,
    record_signals,
)

# SLURM checks time limits periodically, so its warning may come this many seconds early (its manual
# says up to 60)
SIGNAL_EARLY_S = 30
SUBMITIT_FOLDER = ".submitit"  # in the sweep's folder: one folder per job, written by submitit
GENERAL_KEYS = (
    "name",
    "timeout_min",
    "cpus_per_task",
    "gpus_per_node",
    "mem_gb",
)  # keys of submitit


@dataclass
class SlurmConfig:
    """The launcher's keys; conf/hydra/launcher/slurm.yaml explains them and holds their values."""

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
    """Submits one SLURM job per job, and waits for them unless `wait` is off.

    The waiting process can be stopped safely: the same command waits for its jobs again.
    """

    def __init__(self, preflight: str | None, wait: bool, **resources: Any) -> None:
        super().__init__(preflight)
        self.wait = wait
        self.time_limit_min = resources["timeout_min"]
        self.signal_delay_s = resources["signal_delay_s"]
        self.array_parallelism: int = resources["array_parallelism"]
        self.resources: dict[str, Any] = {}  # submitit's parameters
        for key, value in resources.items():
            if value is None:
                continue  # the cluster decides
            name = key if key in GENERAL_KEYS else f"slurm_{key}"
            is_config = OmegaConf.is_config(value)
            self.resources[name] = OmegaConf.to_container(value) if is_config else value

    def find_capacity(self, _memory_requests: Sequence[Any] = ()) -> Capacity:
        """Return the most jobs that the array lets run at once; the queue may run fewer."""
        return Capacity(self.array_parallelism, "at most, in the SLURM array")

    def run(self, jobs: Sequence[Job], display: Display, skipped: str) -> list[Result]:
        """Submit the jobs that are not in the queue yet, and wait for all jobs. Raises Stopped."""
        self._check_signal_delay()
        submitted = self._find_queued(jobs)
        new_jobs = [job for job in jobs if job.label not in submitted]
        if new_jobs:
            submitted |= self._submit(new_jobs)
        queued_count = len(jobs) - len(new_jobs)
        queued = f"{queued_count} already in the queue; " if queued_count else ""
        display.print(
            f"{skipped}{queued}{len(new_jobs)} submitted; the jobs continue if this process ends"
        )
        for job in new_jobs:
            display.print(f"{job.label}: job {submitted[job.label].job_id} (log: {job.log})")
        if not self.wait:
            return [Result("submitted") for _ in jobs]
        with record_signals() as signals:
            return Watch(jobs, submitted, display, signals).wait_for_results()

    def _check_signal_delay(self) -> None:
        """Raise CompactHydraException if the warning could come before the job has begun.

        Such a signal would end the job.
        """
        latest = 60 * self.time_limit_min - SIGNAL_EARLY_S - 1
        if not 1 <= self.signal_delay_s <= latest:
            raise CompactHydraException(
                f"hydra.launcher.signal_delay_s: {self.signal_delay_s} is not allowed; allowed: 1"
                f" to {latest} with a time limit of {self.time_limit_min} min, since SLURM may send"
                f" the signal {SIGNAL_EARLY_S} s early"
            )

    def _submit(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """Submit the jobs as one array, and link each log; return submitit's jobs by label."""
        import submitit

        folder = self.folder.resolve()
        try:
            executor = submitit.AutoExecutor(folder / SUBMITIT_FOLDER / "%j", cluster="slurm")
            executor.update_parameters(**self.resources, stderr_to_stdout=True)
            with executor.batch():
                submitted = [executor.submit(Resumable(job.function)) for job in jobs]
        except (RuntimeError, ValueError, submitit.core.utils.FailedJobError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise CompactHydraException(f"hydra/launcher=slurm: {lines[-1]}") from None
        slurm_jobs = {}
        for job, slurm_job in zip(jobs, submitted, strict=True):
            job.log.unlink(missing_ok=True)
            target = os.path.relpath(slurm_job.paths.stdout, job.log.resolve().parent)
            _overrides_file(job).write_text(_list_overrides(job), encoding="utf-8")
            job.log.symlink_to(target)
            slurm_jobs[job.label] = slurm_job
        return slurm_jobs

    def _find_queued(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """Return submitit's jobs, by label, that an earlier command has queued and that remain.

        They are found by their logs: each is a link into a folder named by the SLURM id. A job with
        other overrides, such as another record root, is not the same although its label may be.
        """
        import submitit

        ids = {}
        for job in jobs:
            if job.log.is_symlink() and _read_overrides(job) == _list_overrides(job):
                ids[job.label] = Path(os.readlink(job.log)).parent.name
        unfinished = list_unfinished(ids.values())
        if unfinished is None:
            raise CompactHydraException(
                "hydra/launcher=slurm: squeue does not answer, and nothing was submitted; try again"
            )
        folder = self.folder.resolve() / SUBMITIT_FOLDER
        return {
            label: submitit.SlurmJob(folder / "%j", job_id)
            for label, job_id in ids.items()
            if job_id in unfinished
        }


def _overrides_file(job: Job) -> Path:
    """Return the file beside the link to a job's log that says which job was submitted."""
    return job.log.with_name(f"{job.log.name}.overrides")


def _list_overrides(job: Job) -> str:
    return "".join(f"{override}\n" for override in job.overrides)


def _read_overrides(job: Job) -> str | None:
    """Return the overrides of the job that was submitted last, or None if they are not known."""
    try:
        return _overrides_file(job).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
