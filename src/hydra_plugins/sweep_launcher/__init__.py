"""What the launchers of a sweep share, wherever its jobs run.

The modules with a leading underscore are not scanned by Hydra, which would execute them a second time and so make two
classes of each.
"""

from hydra_plugins.sweep_launcher._display import Display, duration
from hydra_plugins.sweep_launcher._launcher import (
    Job,
    JobFailed,
    Result,
    Stopped,
    SweepLauncher,
    import_function,
)
from hydra_plugins.sweep_launcher._process import noted_signals, output_to

__all__ = [
    "Display",
    "Job",
    "JobFailed",
    "Result",
    "Stopped",
    "SweepLauncher",
    "duration",
    "import_function",
    "noted_signals",
    "output_to",
]
