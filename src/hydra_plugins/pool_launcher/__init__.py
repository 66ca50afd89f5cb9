"""A Hydra launcher: a process a job on one machine, handed out over slots of cores or GPUs.

The modules with a leading underscore are not scanned by Hydra, which would execute them a second time and so make two
classes of each.
"""

from hydra_plugins.pool_launcher._pool import Job, Pool, Result, Stopped
from hydra_plugins.pool_launcher._progress import Display, duration, report_progress, tell
from hydra_plugins.pool_launcher._slots import Slot, slots, visible_gpus

__all__ = [
    "Display",
    "Job",
    "Pool",
    "Result",
    "Slot",
    "Stopped",
    "duration",
    "report_progress",
    "slots",
    "tell",
    "visible_gpus",
]
