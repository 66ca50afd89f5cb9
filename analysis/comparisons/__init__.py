"""Comparisons across conditions: what changes with one factor besides family, depth and seed.

Which comparisons a report has follows from the runs themselves, so a user's own sweep has them
too. A module of this package is a comparison if it defines

    POSITION: int                                    its place in the report
    build(frame, keys, margin) -> Comparison | None  None if it does not apply to these runs

where `keys` are the configuration keys that differ between the runs, such as `config.optim.lr`. A
new comparison therefore takes one file.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from analysis.columns import FINISHED_STATES
from analysis.comparisons.base import Comparison
from analysis.conditions import find_varying_keys
from analysis.figures.layout import describe_seeds
from analysis.frame import Frame

__all__ = ["Comparison", "compare_conditions"]


def compare_conditions(frame: Frame, margin: float) -> list[Comparison]:
    """Return all comparisons that these runs allow. `margin` is in points of training error."""
    keys = find_varying_keys(frame.runs)
    comparisons = []
    for module in _import_modules():
        comparison = module.build(frame, keys, margin)
        if comparison is not None:
            comparisons.append(_add_seeds(comparison, frame, keys))
    return comparisons


def _add_seeds(comparison: Comparison, frame: Frame, keys: Sequence[str]) -> Comparison:
    """Add the number of seeds of the finished runs to each caption."""
    finished_runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES])]
    seeds = describe_seeds(finished_runs, keys)
    figures = {
        stem: (figure, f"{caption} {seeds}")
        for stem, (figure, caption) in comparison.figures.items()
    }
    return replace(comparison, figures=figures)


def _import_modules() -> list[ModuleType]:
    """Return the modules that define a comparison, in the order of a report."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    comparisons = [module for module in modules if hasattr(module, "POSITION")]
    return sorted(comparisons, key=lambda module: module.POSITION)
