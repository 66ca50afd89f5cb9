"""The Hydra side of the pool."""

import importlib
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, run_job, setup_globals
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from hydra_plugins.pool_launcher import Display, Job, Pool, Result, Slot, Stopped, duration, slots, visible_gpus

log = logging.getLogger(__name__)


@dataclass
class PoolConfig:
    """The launcher's keys; the values are in conf/hydra/launcher/pool.yaml."""

    _target_: str = "hydra_plugins.pool_launcher.launcher.PoolLauncher"
    slots: int | None = None
    slots_per_gpu: int = 1
    device: str = "cpu"
    threads: int = 1
    preload: list[str] = field(default_factory=list)
    # Dotted name of a function that gets a job's configuration and returns something with `label`, `work`, `settled`
    # (None where the job has to run, else why not) and `held` (a function: is another process at it now?). An exception
    # in it stops the sweep before anything has started.
    preflight: str | None = None
    grace: float = 20.0


ConfigStore.instance().store(group="hydra/launcher", name="pool_schema", node=PoolConfig, provider="pool_launcher")


class JobFailed(CompactHydraException):
    """A job's failure, in one line."""


class PoolLauncher(Launcher):
    """One process a job, over slots of cores or GPUs."""

    def __init__(self, preflight: str | None, preload: list[str], grace: float, **slot_options: Any) -> None:
        self.preflight = _function(preflight) if preflight else None
        self.preload, self.grace = preload, grace
        self.slot_options = slot_options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        if not job_overrides:
            raise CompactHydraException("the sweep is empty: a key has no value to sweep over; allowed: value1,value2")
        sweep_dir = Path(str(self.config.hydra.sweep.dir))
        started = time.monotonic()
        jobs: dict[int, Job] = {}  # position in the batch: job
        skipped: dict[int, str] = {}  # position: why
        for position, overrides in enumerate(job_overrides):
            index = initial_job_idx + position
            config = self._compose(list(overrides), index)
            label, work, held = " ".join(filter_overrides(overrides)), 1.0, _nobody
            if self.preflight is not None:
                admission = self.preflight(config)
                label, work, held = admission.label, admission.work, admission.held
                if admission.settled is not None:
                    skipped[position] = admission.settled
                    continue
            function = partial(_run, self.hydra_context, self.task_function, config, Singleton.get_state())
            file = sweep_dir / f"{label if self.preflight else index}.log"
            jobs[position] = Job(label, function, work, file, held)
        display = Display(len(job_overrides), done=len(skipped))
        places = self._slots()
        if jobs:
            before = f"{len(skipped)} of {len(job_overrides)} are settled already; " if skipped else ""
            display.say(f"{before}{len(jobs)} to run, {min(len(places), len(jobs))} at once")
        pool = Pool(places, self.preload, self.grace)
        try:
            results = dict(zip(jobs, pool.run(list(jobs.values()), display), strict=True))
        except Stopped as stopped:
            display.say(f"{stopped}: {display.done} of {display.total} done; the same command goes on from here")
            sys.exit(128 + stopped.signum)
        returns = [self._job_return(list(o), results.get(i)) for i, o in enumerate(job_overrides)]
        display.say(_summary(returns, list(skipped.values()), time.monotonic() - started))
        return returns

    def _slots(self) -> list[Slot]:
        given = self.slot_options
        for key in ("slots", "slots_per_gpu"):
            if given[key] is not None and given[key] < 1:
                raise CompactHydraException(f"hydra.launcher.{key}: {given[key]} is not allowed; allowed: 1 or more")
        gpus = visible_gpus() if given["device"] in ("auto", "cuda") else []
        places = slots(given["device"], given["slots"], given["slots_per_gpu"], given["threads"], gpus)
        if not places:
            raise CompactHydraException("device: 'cuda' is not there; allowed on this machine: auto, cpu")
        return places

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


def _function(dotted: str) -> Callable[[DictConfig], Any]:
    module, _, name = dotted.rpartition(".")
    function: Callable[[DictConfig], Any] = getattr(importlib.import_module(module), name)
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
    ran = [one for one in returns if one.status == JobStatus.COMPLETED and one._return_value is not None]
    values = Counter(str(one._return_value) for one in ran) + Counter(skipped)
    parts = [f"{count} {word}" for word, count in values.items() if count]
    return f"{len(returns)} runs: {', '.join([*parts, f'{failed} failed'])} in {duration(seconds)}"
