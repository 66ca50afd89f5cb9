"""The norm of a gradient at every block.

One row of panels per family, one column per point in training, one line per depth.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    list_depths,
    list_families,
    list_time_points,
    make_depth_handles,
)
from analysis.figures.marks import CLIPPED
from analysis.figures.mean_interval import draw_curves
from analysis.figures.style import depth_style
from analysis.plain_text import capitalise_first
from degradation.metrics import ITERATION

SMALLEST = 1e-14  # smaller norms are drawn here
CAPTION = (
    "Norm of dE/dx at the input of each block: one row per family, one column per point in "
    "training, one line per depth. The backward pass runs from the "
    "right, where the loss is, to the left, where the image is. On the logarithmic scale a "
    "straight line means a constant factor per block."
)
WEIGHTS_CAPTION = (
    "The same for the weights: norm of dE/dW over the convolutions of each block, which sets the "
    "size of an SGD step."
)


def draw(table: pd.DataFrame, ax: Axes, depths: list[int], column: str) -> Axes:
    """Draw the norm against the block's position, one line per depth, on a logarithmic scale.

    `table`: the probe's rows of one family and iteration. `column`: the norm to draw. Positions
    are fractions of the way from the first block (0) to the last (1), so depths can be compared.
    """
    for index, depth in enumerate(depths):
        rows = table[table["depth"] == depth]
        if rows.empty:
            continue
        norms = rows.pivot_table(index="block", columns="seed", values=column)
        style = depth_style(index, len(depths))
        if (norms < SMALLEST).any(axis=None):
            style |= {"label": CLIPPED}
        norms = norms.clip(lower=SMALLEST)
        norms.index = norms.index / max(int(norms.index.max()), 1)
        draw_curves(norms, ax, style, geometric=True)
    ax.set_yscale("log")
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["first", "", "last"])
    return ax


def plot(table: pd.DataFrame, column: str, label: str) -> Figure:
    """Return the figure: all families and points in training on a shared scale.

    `table`: rows of the probe `gradient_flow`. `column`: the norm to draw. `label`: its axis label.
    """
    families = list_families(table)
    depths = list_depths(table)
    time_points = list_time_points(table)
    size = (min(max(2.7 * len(time_points), 6), MAX_WIDTH), 2.6 * len(families) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(families), len(time_points), sharex=True, sharey=True, squeeze=False)
    for row, family in zip(axes, families, strict=True):
        family_rows = table[table["family"] == family]
        for ax, iteration in zip(row, time_points[ITERATION], strict=True):
            draw(family_rows[family_rows[ITERATION] == iteration], ax, depths, column)
        row[0].set_ylabel(f"{family} networks\n{label}")
    for ax, time_point in zip(axes[0], time_points["time_point"], strict=True):
        ax.set_title(time_point)
    for ax in axes[-1]:
        ax.set_xlabel("block")
    for ax in axes.flat:
        ax.xaxis.set_tick_params(labelbottom=True)
        for tick, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
            tick.set_horizontalalignment(side)
    add_legend(figure, make_depth_handles(depths))
    figure.suptitle(f"{capitalise_first(label)} at each block")
    return figure
