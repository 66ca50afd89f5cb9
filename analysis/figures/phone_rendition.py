"""A figure for a phone: its panels below each other, as wide as the screen.

The wide figure, scaled down to a phone's width, would have text of a third of its size.
"""

import copy
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from analysis.figures.layout import add_legend

WIDTH = 4.2  # inches: on a screen of 390 CSS pixels, text of 11 points is 13 pixels high
PANEL_HEIGHT, LEGEND_HEIGHT = 3.0, 0.4  # inches
STACKED_HEIGHT = 2.2  # inches of each of several panels: more would hide what follows them
COLOR_BAR = "<colorbar>"  # the label that matplotlib gives to the axes of one
MAX_PANELS = 6  # more would be a long way to scroll
UPRIGHT = 90  # degrees


def draw_for_phone(figure: Figure) -> Figure | None:
    """Return a narrow copy of a figure, or None if its panels are too many or not of one kind.

    A colour bar is left out if every cell of the maps shows its value.

    `figure`: one whose layout is still constrained and that has no footer yet.
    """
    panels, others = _split_axes(figure)
    if len(panels) > MAX_PANELS or any(ax.get_label() != COLOR_BAR for ax in others):
        return None
    if others and not all(_has_numbers(ax) for ax in panels):
        return None
    narrow = copy.deepcopy(figure)
    panels, bars = _split_axes(narrow)
    for bar in bars:
        bar.remove()
    height = PANEL_HEIGHT if len(panels) == 1 else STACKED_HEIGHT * len(panels)
    narrow.set_size_inches(WIDTH, height + LEGEND_HEIGHT)
    _stack(panels)
    entries = [entry for legend in figure.legends for entry in _list_entries(legend)]
    narrow.legends.clear()
    add_legend(narrow, entries)
    narrow.draw_without_rendering()
    for ax in narrow.axes:
        if _has_touching_labels(ax):
            ax.tick_params(axis="x", labelrotation=UPRIGHT)
    return narrow


def _split_axes(figure: Figure) -> tuple[list[Axes], list[Axes]]:
    """Return the panels of a grid, and the other axes, such as a colour bar."""
    panels = [
        ax for ax in figure.axes if ax.get_subplotspec() is not None and ax.get_label() != COLOR_BAR
    ]
    return panels, [ax for ax in figure.axes if ax not in panels]


def _has_numbers(ax: Axes) -> bool:
    """Return whether a panel is a map in whose cells their values are printed."""
    sizes = [np.size(np.asarray(image.get_array())) for image in ax.images]
    return 0 < sum(sizes) <= len(ax.texts)


def _stack(panels: list[Axes]) -> None:
    """Put the panels below each other; each gets the labels that only the first of a row had."""
    figure = panels[0].get_figure()
    assert figure is not None  # every panel belongs to a figure
    grid = figure.add_gridspec(len(panels), 1)
    label = panels[0].get_ylabel()
    for row, ax in enumerate(panels):
        ax.set_subplotspec(grid[row, 0])
        ax.tick_params(axis="y", labelleft=True)
        ax.set_ylabel(ax.get_ylabel() or label)


def _list_entries(legend: Legend) -> list[Artist]:
    """Return the entries of a legend as artists from which another legend can be made."""
    entries = []
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        if handle is not None:
            entry = copy.copy(handle)
            entry.set_label(text.get_text())
            entries.append(entry)
    return entries


def _has_touching_labels(ax: Axes) -> bool:
    """Return whether two labels of the horizontal axis overlap."""
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    return any(box.overlaps(other) for box, other in pairwise(boxes))
