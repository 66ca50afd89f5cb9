"""The figures of a factor: error against its values, error against depth, and a section's own."""

from collections.abc import Sequence

from analysis.comparisons.base import CAPTION_SUFFIX, FactorSection
from analysis.condition_labels import name_key
from analysis.factors import Factor, Stratum
from analysis.figures import depth_by_value, error_vs_factor
from analysis.figures.layout import list_depths
from analysis.figures.matplotlib_import import Figure
from analysis.frame import Frame

MAX_PANELS = 48  # panels of a figure; further strata are in the claims and the table only

Figures = dict[str, tuple[Figure, str]]  # file stem: (figure, caption)


def plot_factor(factor: Factor, section: FactorSection) -> Figures:
    """Return all figures of a factor, each with its caption."""
    figures = _plot_own(factor, section)
    return figures | _plot_values(factor, section, bool(figures)) | _plot_depths(factor, section)


def _plot_own(factor: Factor, section: FactorSection) -> Figures:
    """Return the section's own figure of each stratum, if it has one."""
    if section.plot is None:
        return {}
    figures = {}
    for number, stratum in enumerate(factor.strata, start=1):
        suffix = "" if len(factor.strata) == 1 else f"-{number}"
        where = f" Here: {stratum.label}." if stratum.label else ""
        figures[f"{section.name}{suffix}"] = (
            section.plot(stratum.frame),
            section.plot_caption + where,
        )
    return figures


def _plot_values(factor: Factor, section: FactorSection, has_own: bool) -> Figures:
    """Return the figure of the error against the factor: a panel per stratum and depth."""
    panel_counts = [len(list_depths(stratum.frame.runs)) for stratum in factor.strata]
    strata = _select_drawn(factor, panel_counts)
    frames = {stratum.label: stratum.frame for stratum in strata}
    figure = error_vs_factor.plot(frames, factor.key, section.axis)
    stem = f"{section.name}-lines" if has_own else section.name
    return {stem: (figure, section.caption + _count_rest(factor, strata))}


def _plot_depths(factor: Factor, section: FactorSection) -> Figures:
    """Return the figure of the error against depth: a panel per stratum and value."""
    panel_counts = [len(stratum.conditions) for stratum in factor.strata]
    strata = _select_drawn(factor, panel_counts)
    figure = depth_by_value.plot([_title_panels(stratum) for stratum in strata])
    caption = (
        f"Training error of the last iteration against depth, by {name_key(factor.key)}."
        f" {CAPTION_SUFFIX} Crosses are diverged runs, which count as chance error."
    )
    return {f"{section.name}-against-depth": (figure, caption + _count_rest(factor, strata))}


def _title_panels(stratum: Stratum) -> dict[str, Frame]:
    """Return the runs at each value of the factor, by the title of their panel."""
    frames = {}
    for value, condition in stratum.conditions.items():
        title = ", ".join(filter(None, (stratum.labels[value], stratum.label)))
        frames[title] = condition.frame
    return frames


def _select_drawn(factor: Factor, panel_counts: Sequence[int]) -> list[Stratum]:
    """Return the strata that a figure has room for: the first ones, and at least one."""
    strata: list[Stratum] = []
    panels = 0
    for stratum, count in zip(factor.strata, panel_counts, strict=True):
        panels += count
        if strata and panels > MAX_PANELS:
            break
        strata.append(stratum)
    return strata


def _count_rest(factor: Factor, drawn: Sequence[Stratum]) -> str:
    """Return a sentence for the caption if some strata are not drawn."""
    rest = len(factor.strata) - len(drawn)
    if rest == 0:
        return ""
    return f" Not drawn: {rest} further combinations of the other keys, which the table has."
