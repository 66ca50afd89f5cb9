"""What figures share besides their style: families and depths in order, axes and legends."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from analysis.figures.marks import CHANCE, LR_DROP
from analysis.figures.style import FAMILY_STYLES, LR_DROP_STYLE, REFERENCE_STYLE, depth_style
from analysis.figures.text_width import wrap
from degradation.metrics import ITERATION

POINTS_PER_INCH = 72
MAX_WIDTH = 10.0  # inches: a figure shown at this width has no text below 8 points
MAX_PERCENT = 105.0  # upper end of an error axis, with room for marks at 100 %
# Panels of a figure with several rows, in inches.
PANEL_WIDTH, PANEL_HEIGHT, MIN_WIDTH, LEGEND_HEIGHT = 4.4, 3.4, 7.0, 0.6
MAX_COLUMNS = 3
MAX_TEXT = 48  # characters of a label that is not the project's own
MAX_SENTENCE = 240  # characters of a title


def list_families(table: pd.DataFrame) -> list[str]:
    """Return the families in the column `family`, in the order of FAMILY_STYLES."""
    families = set(table["family"])
    return [family for family in FAMILY_STYLES if family in families]


def list_depths(table: pd.DataFrame) -> list[int]:
    """Return the depths in the column `depth` (layers), shallowest first."""
    return sorted(int(depth) for depth in table["depth"].unique())


def list_time_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per iteration at which the networks were probed, earliest first."""
    return table.drop_duplicates(ITERATION).sort_values(ITERATION)


def make_panels(counts: Sequence[int]) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its panels in groups, all with the same vertical axis.

    `counts`: the number of panels in each group. A group begins a new row, and continues in further
    rows if it has more than MAX_COLUMNS panels.
    """
    largest = max(counts)
    columns = math.ceil(largest / math.ceil(largest / MAX_COLUMNS))
    rows = [math.ceil(count / columns) for count in counts]
    width = min(max(PANEL_WIDTH * columns, MIN_WIDTH), MAX_WIDTH)
    size = (width, PANEL_HEIGHT * sum(rows) + LEGEND_HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(sum(rows), columns, sharey=True, squeeze=False)
    groups = []
    top = 0
    for count, height in zip(counts, rows, strict=True):
        panels = list(grid[top : top + height].flat)
        for unused in panels[count:]:
            unused.remove()
        groups.append(panels[:count])
        top += height
    return figure, groups


def set_percent_axis(ax: Axes, label: str, lowest: float) -> Axes:
    """Label the vertical axis of an error in percent.

    `lowest` may be below 0, to leave room for marks and numbers near 0; no tick is drawn there.
    """
    ax.set_ylabel(label)
    ax.autoscale(axis="y")  # a panel that shares the axis may have set its limits before
    ax.set_ylim(lowest, min(ax.get_ylim()[1], MAX_PERCENT))
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 100])
    return ax


def label_first_column(panels: Sequence[Axes], label: str, lowest: float) -> None:
    """Label the vertical axis of an error in percent in the first panel of each row.

    `lowest`: see `set_percent_axis`.
    """
    for ax in panels:
        position = ax.get_subplotspec()
        if position is not None and position.is_first_col():
            set_percent_axis(ax, label, lowest)


def set_panel_title(ax: Axes, text: str) -> None:
    """Set the title of a panel, in lines no wider than the panel."""
    font = FontProperties(size=rcParams["axes.titlesize"])
    ax.set_title("\n".join(wrap(show_text(text), font, measure_width(ax))))


def measure_width(ax: Axes) -> float:
    """Return the width of a panel in points, before constrained layout changes it a little."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # every panel belongs to a figure
    return float(POINTS_PER_INCH * ax.bbox.width / figure.dpi)


def show_text(text: str) -> str:
    """Return text from a configuration as a figure may show it: literally, and not too long."""
    shortened = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."
    encodable = shortened.encode(errors="backslashreplace").decode()
    return encodable.replace("$", r"\$")  # which would begin a formula


def show_sentence(text: str) -> str:
    """Return a sentence that may have texts from a configuration as a title may show it."""
    words = " ".join(show_text(word) for word in text.split())
    if len(words) <= MAX_SENTENCE:
        return words
    return f"{words[:MAX_SENTENCE].rpartition(' ')[0]} ..."


def widen_gaps(figure: Figure, horizontal: float = 0.0, vertical: float = 0.0) -> None:
    """Leave more room between the panels, so that their labels do not touch each other.

    `horizontal`, `vertical`: fractions of a panel's width and height.
    """
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)  # every figure of this package has it
    spaces = engine.get()
    engine.set(wspace=max(spaces["wspace"], horizontal), hspace=max(spaces["hspace"], vertical))


def draw_chance(ax: Axes, chances: pd.Series) -> Axes:
    """Draw the error of guessing as a horizontal line.

    `chances`: percent, one value per run. The largest is drawn; nothing if all are NaN.
    """
    known_chances = chances.dropna()
    if len(known_chances):
        ax.axhline(
            known_chances.max(), label=format_chance_label(known_chances.max()), **REFERENCE_STYLE
        )
    return ax


def format_chance_label(chance: float) -> str:
    """Return the legend's label of chance error, in percent.

    Four significant digits, because unbalanced classes give values such as 88.89 %.
    """
    return f"{CHANCE} ({chance:.4g} %)"


def draw_lr_drops(ax: Axes, milestones: Sequence[int]) -> Axes:
    """Draw a vertical line at each iteration at which the learning rate drops."""
    for milestone in milestones:
        ax.axvline(milestone, label=LR_DROP, **LR_DROP_STYLE)
    return ax


def make_depth_handles(depths: Sequence[int]) -> list[Line2D]:
    """Return one legend entry per depth, in the style of `style.depth_style`."""
    handles = []
    for index, depth in enumerate(depths):
        style = depth_style(index, len(depths))
        handles.append(Line2D([], [], linewidth=2, label=f"{depth} layers", **style))
    return handles


def add_legend(
    figure: Figure | SubFigure, handles: Sequence[Artist], columns: int | None = None
) -> None:
    """Put the legend below all panels, in as many columns as the figure is wide enough for.

    `columns`: at most so many.
    """
    for count in range(columns or max(len(handles), 1), 0, -1):
        legend = figure.legend(
            handles=list(handles), loc="outside lower center", ncols=count, frameon=False
        )
        extent = legend.get_window_extent()
        if count == 1 or extent.width <= figure.bbox.width:
            return
        legend.remove()


def add_legend_from(figure: Figure | SubFigure, ax: Axes) -> None:
    """Put a legend of the labelled artists of one panel below all panels, each label once."""
    add_legend(figure, _list_labelled([ax]))


def add_joint_legend(figure: Figure) -> None:
    """Put a legend of the labelled artists of all panels below them, each label once."""
    add_legend(figure, _list_labelled(figure.axes))


def _list_labelled(panels: Sequence[Axes]) -> list[Artist]:
    by_label: dict[str, Artist] = {}
    for ax in panels:
        handles, labels = ax.get_legend_handles_labels()
        for handle, label in zip(handles, labels, strict=True):
            by_label.setdefault(label, handle)
    return list(by_label.values())
