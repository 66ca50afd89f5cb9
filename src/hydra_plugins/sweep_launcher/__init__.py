"""The base of the launchers pool, slurm and ray: everything that is the same for all.

Hydra scans plugin packages and executes every module whose name has no leading underscore a second
time, which would define each class twice. So the code is in modules with a leading underscore.
"""

from hydra_plugins.sweep_launcher._curve import CurvePoint
from hydra_plugins.sweep_launcher._display import Display, format_duration, format_runs
from hydra_plugins.sweep_launcher._launcher import (
    Capacity,
    Job,
    JobFailed,
    Result,
    Stopped,
    SweepLauncher,
    import_function,
)
from hydra_plugins.sweep_launcher._process import record_signals, redirect_output, summarise_error

__all__ = [
    "Capacity",
    "CurvePoint",
    "Display",
    "Job",
    "JobFailed",
    "Result",
    "Stopped",
    "SweepLauncher",
    "format_duration",
    "format_runs",
    "import_function",
    "record_signals",
    "redirect_output",
    "summarise_error",
]
