"""What the launchers of a sweep share, wherever its jobs run.

The modules with a leading underscore are not scanned by Hydra, which would execute them a second time and so make two
classes of each.
"""

from hydra_plugins.sweep_launcher._display import Display, format_duration
from hydra_plugins.sweep_launcher._launcher import (
    Job,
    JobFailed,
    Result,
    Stopped,
    SweepLauncher,
    import_function,
)
from hydra_plugins.sweep_launcher._process import record_signals, redirect_output

__all__ = [
    "Display",
    "Job",
    "JobFailed",
    "Result",
    "Stopped",
    "SweepLauncher",
    "format_duration",
    "import_function",
    "record_signals",
    "redirect_output",
]
