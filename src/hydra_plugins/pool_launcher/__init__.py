"""A Hydra launcher for one machine: one process per job, over slots of cores or GPUs."""

from hydra_plugins.pool_launcher._pool import Pool
from hydra_plugins.pool_launcher._progress import Reporter
from hydra_plugins.pool_launcher._slots import Slot, list_slots, list_visible_gpus

__all__ = ["Pool", "Reporter", "Slot", "list_slots", "list_visible_gpus"]
