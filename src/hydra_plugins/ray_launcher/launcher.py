"""Ray as a Hydra launcher: one task per job, each in a separate process."""

import importlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException

from hydra_plugins.ray_launcher._task import run_task
from hydra_plugins.sweep_launcher import (
    Capacity,
    Display,
    Job,
    Result,
    Stopped,
    SweepLauncher,
    format_runs,
    record_signals,
    summarise_error,
)

POLL_INTERVAL_S = 0.5
CONNECT_TIMEOUT_S = 10.0


@dataclass
class RayConfig:
    """The launcher's keys; conf/hydra/launcher/ray.yaml explains them and holds their values."""

    _target_: str = "hydra_plugins.ray_launcher.launcher.RayLauncher"
    preflight: str | None = None
    address: str = "auto"
    num_cpus: float = 1
    num_gpus: float = 0
    max_retries: int = 0
    grace: float = 20.0


ConfigStore.instance().store(
    group="hydra/launcher", name="ray_schema", node=RayConfig, provider="ray_launcher"
)


class RayLauncher(SweepLauncher):
    """Runs jobs on a Ray cluster.

    The nodes must share a file system and have this project installed at the same path.
    """

    def __init__(self, preflight: str | None, address: str, grace: float, **options: Any) -> None:
        super().__init__(preflight)
        self.address = address
        self.grace = grace
        self.options = options  # options of each Ray task, for example num_cpus

    def find_capacity(self, _memory_requests: Sequence[Any] = ()) -> Capacity:
        """Return that the cluster's size is unknown, since nothing is connected to it yet."""
        return Capacity(None, "the size of the Ray cluster is unknown")

    def run(self, jobs: Sequence[Job], display: Display, skipped: str) -> list[Result]:
        """Run the jobs as tasks of the cluster. Raises Stopped."""
        ray = _connect(self.address)
        try:
            resources = ray.cluster_resources()
            cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
            display.print(f"{skipped}{len(jobs)} to run on Ray ({cpus:g} CPUs, {gpus:g} GPUs)")
            tasks = self._start_tasks(ray, jobs, display)
            return self._wait_for_results(ray, jobs, tasks, display)
        finally:
            ray.shutdown()

    def _start_tasks(self, ray: Any, jobs: Sequence[Job], display: Display) -> dict[Any, int]:
        """Queue one task per job, the longest first, and return each task's job index."""
        start_task = ray.remote(max_calls=1, **self.options)(run_task)  # one process per job
        self.folder.mkdir(parents=True, exist_ok=True)
        tasks: dict[Any, int] = {}
        display.running_label = "queued or running"
        display.queue_jobs([job.work for job in jobs])
        for index in sorted(range(len(jobs)), key=lambda index: -jobs[index].work):
            job = jobs[index]
            task = start_task.remote(job.function, os.getcwd(), str(job.log.resolve()))
            tasks[task] = index
            display.start_job(index, job.label)
        return tasks

    def _wait_for_results(
        self, ray: Any, jobs: Sequence[Job], tasks: dict[Any, int], display: Display
    ) -> list[Result]:
        """Return the results in the order of the jobs. Raises Stopped."""
        results: dict[int, Result] = {}
        with record_signals() as signals:
            while len(results) < len(jobs):
                pending = [task for task, index in tasks.items() if index not in results]
                ended, _ = ray.wait(pending, timeout=POLL_INTERVAL_S)
                for task in ended:
                    index = tasks[task]
                    result = _get_result(ray, task)
                    results[index] = result
                    display.end_job(index, failed=result.error is not None)
                    if result.error is not None:
                        display.print_failure(jobs[index].label, result.error, jobs[index].log)
                display.draw()
                if signals:
                    pending = [task for task, index in tasks.items() if index not in results]
                    self._stop(ray, pending, display)
                    raise Stopped(signals[0])
        return [results[index] for index in range(len(jobs))]

    def _stop(self, ray: Any, tasks: Sequence[Any], display: Display) -> None:
        """Interrupt every task as Ctrl-C does, and give them `grace` seconds to save their state.

        Tasks that still run then end with the connection.
        """
        runs = format_runs(len(tasks))
        display.print(f"stopping {runs}; those in progress save a checkpoint first")
        for task in tasks:
            ray.cancel(task)
        if tasks:
            ray.wait(list(tasks), num_returns=len(tasks), timeout=self.grace)


def _connect(address: str) -> Any:
    """Connect to a cluster and return the module ray. Raises CompactHydraException."""
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise CompactHydraException(
            "hydra/launcher=ray: Ray is not installed; run"
            " .venv/bin/pip install -c constraints.txt -e '.[ray]'"
        ) from None
    try:
        _check_reachable(address)
        ray.init(
            address=address, log_to_driver=False, logging_level="error", configure_logging=False
        )
    except Exception as error:  # the exceptions for a wrong address vary
        raise CompactHydraException(
            f"hydra.launcher.address: {address!r}: {summarise_error(error)};"
            " allowed: auto, or the address of a running cluster (ray start --head)"
        ) from None
    return ray


def _check_reachable(address: str) -> None:
    """Raise OSError if nothing answers at a host:port; Ray itself would retry for minutes."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if separator and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()


def _get_result(ray: Any, task: Any) -> Result:
    """Return the result of an ended task."""
    try:
        result: Result = ray.get(task)
    except ray.exceptions.RayError as error:  # the process, its node or the cluster is gone
        first_line = " ".join(str(error).split("\n")[0].split())
        return Result(error=f"its process was lost ({type(error).__name__}: {first_line})")
    return result
