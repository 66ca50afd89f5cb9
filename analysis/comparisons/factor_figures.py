"""The figures of a factor: error against its values, error against depth, and a section's own."""

from itertools import islice

from analysis.comparisons.base import FactorSection
from analysis.condition_labels import name_key
from analysis.factors import Factor, Stratum
from analysis.figures import depth_by_value, error_vs_factor
from analysis.figures.layout import list_depths
from analysis.figures.marks import describe_marks
from analysis.figures.matplotlib_import import Figure
from analysis.file_names import list_suffixes
from analysis.frame import Frame
from degradation.counting import format_count

MAX_PANELS = 48  # panels of a figure

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
    suffixes = list_suffixes([stratum.label for stratum in factor.strata])
    for stratum, suffix in zip(factor.strata, suffixes, strict=True):
        where = f" Here: {stratum.label}." if stratum.label else ""
        figure = section.plot(stratum.frame)
        caption = f"{section.plot_caption}{where} {describe_marks(figure)}".rstrip()
        figures[f"{section.name}{suffix}"] = (figure, caption)
    return figures


def _plot_values(factor: Factor, section: FactorSection, has_own: bool) -> Figures:
    """Return the figure of the error against the factor: a panel per stratum and depth."""
    frames: dict[str, Frame] = {}
    panels = undrawn = 0
    for stratum in factor.strata:
        depths = len(list_depths(stratum.frame.runs))
        if frames and panels + depths > MAX_PANELS:
            undrawn += depths
        else:
            frames[stratum.label] = stratum.frame
            panels += depths
    figure = error_vs_factor.plot(frames, factor.key, section.axis)
    stem = f"{section.name}-lines" if has_own else section.name
    caption = f"{section.caption} {describe_marks(figure)}{_note_undrawn(undrawn)}"
    return {stem: (figure, caption)}


def _plot_depths(factor: Factor, section: FactorSection) -> Figures:
    """Return the figure of the error against depth: a panel per stratum and value."""
    groups = []
    panels = undrawn = 0
    for stratum in factor.strata:
        titled = _title_panels(stratum)
        drawn = dict(islice(titled.items(), MAX_PANELS - panels))
        panels += len(drawn)
        undrawn += len(titled) - len(drawn)
        if drawn:
            groups.append(drawn)
    name = name_key(factor.key)
    figure = depth_by_value.plot(groups, f"Training error against depth, by {name}")
    caption = (
        f"Training error of the last iteration against depth, by {name}. {describe_marks(figure)}"
        f"{_note_undrawn(undrawn)}"
    )
    return {f"{section.name}-against-depth": (figure, caption)}


def _title_panels(stratum: Stratum) -> dict[str, Frame]:
    """Return the runs at each value of the factor, by the title of their panel."""
    frames = {}
    for value, condition in stratum.conditions.items():
        title = ", ".join(filter(None, (stratum.labels[value], stratum.label)))
        frames[title] = condition.frame
    return frames


def _note_undrawn(panels: int) -> str:
    """Return a sentence for the caption if some panels are not drawn."""
    if not panels:
        return ""
    undrawn = format_count(panels, "further panel is", "further panels are")
    return f" {undrawn} not drawn; the table has the numbers."
