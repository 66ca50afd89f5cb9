"""The Hydra side of Ray: a task a job, each in a process of its own."""

import importlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException

from hydra_plugins.ray_launcher._task import run_task
from hydra_plugins.sweep_launcher import (
    Display,
    Job,
    Result,
    Stopped,
    SweepLauncher,
    record_signals,
)

POLL = 0.5  # seconds
PATIENCE = 10.0  # seconds, with a cluster that does not answer


@dataclass
class RayConfig:
    """The launcher's keys; the values are in conf/hydra/launcher/ray.yaml."""

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
    """The nodes share a file system, and have this project installed in the same place."""

    def __init__(self, preflight: str | None, address: str, grace: float, **options: Any) -> None:
        super().__init__(preflight)
        self.address, self.grace, self.options = address, grace, options

    def run(self, jobs: Sequence[Job], display: Display, settled: str) -> list[Result]:
        ray = _connected(self.address)
        try:
            task = ray.remote(max_calls=1, **self.options)(run_task)  # a process runs one job
            self.folder.mkdir(parents=True, exist_ok=True)
            there = ray.cluster_resources()
            display.say(
                f"{settled}{len(jobs)} to run on Ray ({there.get('CPU', 0):g} CPUs, {there.get('GPU', 0):g} GPUs)"
            )
            refs: dict[Any, int] = {}  # reference: which job
            for index in sorted(range(len(jobs)), key=lambda one: -jobs[one].work):
                job = jobs[index]
                refs[task.remote(job.function, os.getcwd(), str(job.log.resolve()))] = index
                display.work_total += job.work
                display.begun(index, job.work)
            return self._results(ray, jobs, refs, display)
        finally:
            ray.shutdown()

    def _results(
        self, ray: Any, jobs: Sequence[Job], refs: dict[Any, int], display: Display
    ) -> list[Result]:
        found: dict[int, Result] = {}
        with record_signals() as stopped:
            while len(found) < len(jobs):
                waiting = [ref for ref, index in refs.items() if index not in found]
                ready, _ = ray.wait(waiting, timeout=POLL)
                for ref in ready:
                    index = refs[ref]
                    result = found[index] = _result(ray, ref)
                    display.ended(index, failed=result.error is not None)
                    if result.error is not None:
                        display.failure(jobs[index].label, result.error, jobs[index].log)
                display.draw()
                if stopped:
                    self._stop(
                        ray, [ref for ref, index in refs.items() if index not in found], display
                    )
                    raise Stopped(stopped[0])
        return [found[index] for index in range(len(jobs))]

    def _stop(self, ray: Any, refs: Sequence[Any], display: Display) -> None:
        """As Ctrl-C to every task, then `grace` seconds to save a checkpoint; what is left ends with the connection."""
        display.say(f"stopping {len(refs)} jobs; each that runs saves its checkpoint")
        for ref in refs:
            ray.cancel(ref)
        deadline = time.monotonic() + self.grace
        ray.wait(list(refs), num_returns=len(refs), timeout=max(0.0, deadline - time.monotonic()))


def _connected(address: str) -> Any:
    """Ray, connected to the cluster. Raises CompactHydraException."""
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise CompactHydraException(
            "hydra/launcher=ray: Ray is not installed: pip install '.[ray]'"
        ) from None
    try:
        _knock(address)
        ray.init(
            address=address, log_to_driver=False, logging_level="error", configure_logging=False
        )
    except Exception as error:  # ConnectionError, ValueError, RuntimeError: it depends on what is wrong with an address
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise CompactHydraException(
            f"hydra.launcher.address: {address!r}: {told}; allowed: auto, or the address of a running cluster"
            " (ray start --head)"
        ) from None
    return ray


def _knock(address: str) -> None:
    """Raises OSError where nobody answers: Ray would try for minutes."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if separator and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()


def _result(ray: Any, ref: Any) -> Result:
    try:
        result: Result = ray.get(ref)
    except ray.exceptions.RayError as error:  # the process, its node or the whole cluster is gone
        told = " ".join(str(error).split("\n")[0].split())
        return Result(error=f"its process was lost ({type(error).__name__}: {told})")
    return result
