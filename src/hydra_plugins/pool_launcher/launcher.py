"""The pool as a Hydra launcher: its keys and its choice of slots."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException

from hydra_plugins.pool_launcher import Pool, Slot, find_slots, has_mps_daemon
from hydra_plugins.sweep_launcher import (
    Capacity,
    Display,
    Job,
    Result,
    SweepLauncher,
    import_function,
)


@dataclass
class PoolConfig:
    """The launcher's keys; conf/hydra/launcher/pool.yaml explains them and holds their values."""

    _target_: str = "hydra_plugins.pool_launcher.launcher.PoolLauncher"
    slots: int | None = None
    slots_per_gpu: int | None = None
    device: str = "cpu"
    threads: int = 1
    count_gpus: str | None = None
    count_fitting: str | None = None
    preload: list[str] = field(default_factory=list)
    preflight: str | None = None
    connect_progress: str | None = None
    grace: float = 20.0


ConfigStore.instance().store(
    group="hydra/launcher", name="pool_schema", node=PoolConfig, provider="pool_launcher"
)


class PoolLauncher(SweepLauncher):
    """Runs jobs on this machine, one process per job."""

    def __init__(
        self,
        preflight: str | None,
        connect_progress: str | None,
        preload: list[str],
        grace: float,
        **slot_options: Any,
    ) -> None:
        super().__init__(preflight)
        self.connect = import_function(connect_progress) if connect_progress else None
        self.preload = preload
        self.grace = grace
        self.slot_options = slot_options

    def run(self, jobs: Sequence[Job], display: Display, skipped: str) -> list[Result]:
        """Run the jobs on the slots of this machine. Raises Stopped."""
        slots = self.find_slots([job.memory_request for job in jobs])
        at_once = min(len(slots), len(jobs))
        sharing = _describe_sharing(slots[:at_once])
        display.print(f"{skipped}{len(jobs)} to run, {at_once} at once{sharing}")
        return Pool(slots, self.preload, self.grace, self.connect).run(jobs, display)

    def find_capacity(self, memory_requests: Sequence[Any] = ()) -> Capacity:
        """Return the number of slots of this machine. Raises CompactHydraException."""
        slots = self.find_slots(memory_requests)
        return Capacity(len(slots), f"on this machine{_describe_sharing(slots)}")

    def find_slots(self, memory_requests: Sequence[Any] = ()) -> list[Slot]:
        """Return at least one slot. Raises CompactHydraException.

        Args:
            memory_requests: those of all jobs; without one of them, a GPU gets one slot by default
        """
        options = self.slot_options
        for key in ("slots", "slots_per_gpu"):
            if options[key] is not None and options[key] < 1:
                raise CompactHydraException(
                    f"hydra.launcher.{key}: {options[key]} is not allowed; allowed: 1 or more"
                )
        slots = find_slots(
            options["device"],
            options["slots"],
            options["slots_per_gpu"],
            options["threads"],
            options["count_gpus"],
            options["count_fitting"],
            () if None in memory_requests else memory_requests,
        )
        if not slots:
            raise CompactHydraException(
                "device: 'cuda' is not available; allowed on this machine: auto, cpu"
            )
        return slots


def _describe_sharing(slots: Sequence[Slot]) -> str:
    """Return how many jobs share a GPU and what that means, to follow another text; may be empty.

    If the number of slots is limited, some GPUs may be shared by one job fewer.
    """
    gpus = Counter(tuple(slot.environment.items()) for slot in slots)
    per_gpu = max(gpus.values())
    if not slots[0].environment:
        return ""  # cores
    if per_gpu == 1:
        return ", 1 on each GPU"
    if has_mps_daemon():
        return f", {per_gpu} on each GPU, which NVIDIA MPS lets compute at the same time"
    return f", {per_gpu} on each GPU, which slows each of them: without NVIDIA MPS they take turns"
