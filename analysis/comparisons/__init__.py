"""Comparisons across conditions: what changes with one factor besides family, depth and seed.

Which comparisons a report has follows from the runs themselves: every key of the configuration that
varies is a factor (`analysis.factors`), so a user's own sweep is compared as those of the paper
are. A module of this package that defines

    FACTOR: PaperFactor

adds claims of the paper about one key. Such an addition therefore takes one file.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from analysis.columns import FINISHED_STATES
from analysis.comparisons import construction
from analysis.comparisons.base import Comparison, PaperFactor
from analysis.comparisons.factor_comparison import compare_values
from analysis.conditions import find_varying_keys
from analysis.factors import find_factors
from analysis.figures.layout import describe_seeds
from analysis.frame import Frame

__all__ = ["Comparison", "compare_conditions"]


def compare_conditions(frame: Frame, margins: Mapping[str, float]) -> list[Comparison]:
    """Return all comparisons that these runs allow.

    `margins` has the margin of the claims for each data set, in points of training error.
    """
    keys = find_varying_keys(frame.runs)
    paper_factors = _collect_paper_factors()
    comparisons = []
    for factor in find_factors(frame):
        comparison = compare_values(factor, paper_factors.get(factor.key), margins)
        comparisons.append(_add_seeds(comparison, frame, keys))
    if not keys:
        constructed = construction.build(frame, margins[frame.runs["data"].iloc[0]])
        if constructed is not None:
            comparisons.append(_add_seeds(constructed, frame, keys))
    return comparisons


def _add_seeds(comparison: Comparison, frame: Frame, keys: list[str]) -> Comparison:
    """Add the number of seeds of the finished runs to each caption."""
    finished_runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES])]
    seeds = describe_seeds(finished_runs, keys)
    figures = {
        stem: (figure, f"{caption} {seeds}")
        for stem, (figure, caption) in comparison.figures.items()
    }
    return replace(comparison, figures=figures)


def _collect_paper_factors() -> dict[str, PaperFactor]:
    """Return what the modules of this package add to the comparison of a key, by key."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    factors = [module.FACTOR for module in modules if hasattr(module, "FACTOR")]
    return {factor.key: factor for factor in factors}
