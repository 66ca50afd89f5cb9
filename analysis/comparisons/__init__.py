"""Comparisons across conditions: what changes with one factor besides family, depth and seed.

Which comparisons a report has follows from the runs themselves: every key of the configuration that
varies is a factor (`analysis.factors`), so a user's own sweep is compared as those of the paper
are. A module of this package adds claims of the paper about one key, or another figure, if it
defines

    KEY: str                   the key, such as `config.optim.lr`
    SECTION: FactorSection     how its comparison is presented, and what the paper claims

Such an addition therefore takes one file.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from analysis.claim import Claim
from analysis.comparisons import construction
from analysis.comparisons.base import Comparison, FactorSection
from analysis.comparisons.factor_comparison import build_section, compare_values, judge_factor
from analysis.factors import Factor, find_factors
from analysis.frame import Frame

__all__ = [
    "Comparison",
    "compare_conditions",
    "judge_each_comparison",
]


def compare_conditions(frame: Frame, margins: Mapping[str, float]) -> list[Comparison]:
    """Return all comparisons that these runs allow.

    `margins` has the margin of the claims for each data set, in points of training error.
    """
    comparisons = [
        compare_values(factor, section, margins) for factor, section in _list_factors(frame)
    ]
    if construction.applies_to(frame):
        comparisons.append(construction.build(frame, _select_margin(frame, margins)))
    return comparisons


def judge_each_comparison(
    frame: Frame, margins: Mapping[str, float]
) -> list[tuple[str, list[Claim]]]:
    """Return the title and the claims of each comparison, without drawing figures.

    `margins`: see `compare_conditions`.
    """
    judged = [
        (section.title, judge_factor(factor, section, margins))
        for factor, section in _list_factors(frame)
    ]
    if construction.applies_to(frame):
        claims = construction.judge(frame, _select_margin(frame, margins))
        judged.append((construction.TITLE, claims))
    return judged


def _list_factors(frame: Frame) -> list[tuple[Factor, FactorSection]]:
    """Return the factors of these runs, each with its section."""
    sections = _collect_sections()
    factors = find_factors(frame)
    return [(factor, sections.get(factor.key) or build_section(factor.key)) for factor in factors]


def _select_margin(frame: Frame, margins: Mapping[str, float]) -> float:
    """Return the margin of the first data set; with several, no claim is judged by it."""
    return margins[frame.runs["data"].iloc[0]]


def _collect_sections() -> dict[str, FactorSection]:
    """Return the sections that the modules of this package define, by key."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    return {module.KEY: module.SECTION for module in modules if hasattr(module, "SECTION")}
