"""Comparisons across conditions: what changes with one factor besides family, depth and seed.

Which comparisons a report has follows from the runs themselves, so a sweep of the user's own has
them too. Each module of this package except `base` defines one comparison:

    ORDER: int                                 where it stands in a report, lowest first
    build(frame, keys, margin) -> Comparison | None

`keys` are the configuration keys that differ between the runs, such as `config.optim.lr`; `build`
returns None for runs that it does not apply to. A new comparison costs its one file.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from analysis.comparisons.base import Comparison
from analysis.conditions import find_varying_keys
from analysis.frame import Frame

__all__ = ["Comparison", "compare_conditions"]


def compare_conditions(frame: Frame, margin: float) -> list[Comparison]:
    """Return all comparisons that these runs allow. `margin` is in points of training error."""
    keys = find_varying_keys(frame.runs)
    comparisons = [module.build(frame, keys, margin) for module in _import_modules()]
    return [comparison for comparison in comparisons if comparison is not None]


def _import_modules() -> list[ModuleType]:
    """Return the modules that define a comparison, in the order of a report."""
    names = [module.name for module in iter_modules(__path__) if module.name != "base"]
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return sorted(modules, key=lambda module: module.ORDER)
