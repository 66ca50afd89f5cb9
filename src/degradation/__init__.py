"""The interface for Python: train networks, load the records of runs, judge and draw them.

    import degradation

    run = degradation.train("plain", depth=20, iterations=100)
    runs = degradation.load_runs("runs", where="family == 'plain'")
    degradation.plot.error_against_depth(runs)
    degradation.verdicts(runs)

docs/python.md describes every name. A name is imported when it is first used (PEP 562): this
module is executed by every import of a submodule, so it must not import pandas, matplotlib or
torch, and the submodules, which the analysis imports, must not import the analysis.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "TrainedRun",
    "UserError",
    "grow",
    "load_curves",
    "load_probes",
    "load_runs",
    "measure_errors",
    "network",
    "plot",
    "train",
    "verdicts",
]

if TYPE_CHECKING:
    from analysis import plot
    from analysis.tables import load_curves, load_probes, load_runs
    from analysis.verdicts import verdicts
    from degradation.errors import UserError
    from degradation.interface.networks import grow, measure_errors, network
    from degradation.interface.trained_run import TrainedRun
    from degradation.interface.training import train
else:
    # name: the module that defines it; `plot` is itself a module
    _MODULES = {
        "TrainedRun": "degradation.interface.trained_run",
        "UserError": "degradation.errors",
        "grow": "degradation.interface.networks",
        "load_curves": "analysis.tables",
        "load_probes": "analysis.tables",
        "load_runs": "analysis.tables",
        "measure_errors": "degradation.interface.networks",
        "network": "degradation.interface.networks",
        "plot": "analysis",
        "train": "degradation.interface.training",
        "verdicts": "analysis.verdicts",
    }

    def __getattr__(name: str) -> Any:
        """Import a name of the interface when it is first used."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name == "plot":
            value = import_module("analysis.plot")
        else:
            value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the interface, for tab completion."""
        return list(__all__)
