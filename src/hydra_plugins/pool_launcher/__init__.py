"""A Hydra launcher for one machine: one process per job, over slots of cores or GPUs."""

from hydra_plugins.pool_launcher._gpus import Gpu, list_visible_gpus
from hydra_plugins.pool_launcher._mps import has_mps_daemon
from hydra_plugins.pool_launcher._pool import Pool
from hydra_plugins.pool_launcher._progress import Reporter
from hydra_plugins.pool_launcher._slots import Slot, find_slots, list_slots

__all__ = [
    "Gpu",
    "Pool",
    "Reporter",
    "Slot",
    "find_slots",
    "has_mps_daemon",
    "list_slots",
    "list_visible_gpus",
]
