"""The Hydra side of the pool."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException

from hydra_plugins.pool_launcher import Pool, Slot, list_slots, list_visible_gpus
from hydra_plugins.sweep_launcher import Display, Job, Result, SweepLauncher, import_function


@dataclass
class PoolConfig:
    """The launcher's keys; the values are in conf/hydra/launcher/pool.yaml."""

    _target_: str = "hydra_plugins.pool_launcher.launcher.PoolLauncher"
    slots: int | None = None
    slots_per_gpu: int = 1
    device: str = "cpu"
    threads: int = 1
    preload: list[str] = field(default_factory=list)
    preflight: str | None = None
    connect_progress: str | None = None
    grace: float = 20.0


ConfigStore.instance().store(
    group="hydra/launcher", name="pool_schema", node=PoolConfig, provider="pool_launcher"
)


class PoolLauncher(SweepLauncher):
    """One process a job, over slots of cores or GPUs."""

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
        self.preload, self.grace = preload, grace
        self.slot_options = slot_options

    def run(self, jobs: Sequence[Job], display: Display, settled: str) -> list[Result]:
        places = self._slots()
        display.say(f"{settled}{len(jobs)} to run, {min(len(places), len(jobs))} at once")
        return Pool(places, self.preload, self.grace, self.connect).run(jobs, display)

    def _slots(self) -> list[Slot]:
        given = self.slot_options
        for key in ("slots", "slots_per_gpu"):
            if given[key] is not None and given[key] < 1:
                raise CompactHydraException(
                    f"hydra.launcher.{key}: {given[key]} is not allowed; allowed: 1 or more"
                )
        gpus = list_visible_gpus() if given["device"] in ("auto", "cuda") else []
        places = list_slots(
            given["device"], given["slots"], given["slots_per_gpu"], given["threads"], gpus
        )
        if not places:
            raise CompactHydraException(
                "device: 'cuda' is not available; allowed on this machine: auto, cpu"
            )
        return places
