"""Standard deviations of layer responses (He et al. 2015, figure 7), and their means by depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.family_pairs import FAMILY_PAIRS
from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    add_legend_from,
    list_depths,
    list_families,
    make_depth_handles,
    widen_gaps,
)
from analysis.figures.mean_interval import draw_curves, draw_over_depth
from analysis.figures.style import FAMILY_STYLES, REFERENCE_STYLE, depth_style
from analysis.grouped_values import group_values

CAPTION = (
    "Standard deviation of each 3x3 layer's response at the end of training, as in figure 7 of He "
    "et al. 2015. Top: layers in order, starting at the input. Bottom: the same values sorted, "
    "largest first. One line per depth. Where BN follows each layer, every layer "
    "starts at 1 (dotted), so the distance from that line shows what training has changed. Right: "
    "the mean over a run's layers against depth."
)
WIDE_RANGE = 10.0  # ratio of largest to smallest value above which the scale is logarithmic
SMALLEST = 1e-6  # on a logarithmic scale, smaller values are drawn here
BN_START = 1.0  # BN's learned scale at initialisation, and so the standard deviation after it
PANEL_WIDTH, SIDE_WIDTH = 3.2, 3.6  # inches
YLABEL = "standard deviation\nof the response"


def draw(table: pd.DataFrame, ax: Axes, depths: list[int], by_magnitude: bool) -> Axes:
    """Draw the standard deviations over the layers, one line per depth.

    `table`: rows of the probe `responses` of one family at one time point. `by_magnitude`: sort
    each run's layers, largest first.
    """
    for index, depth in enumerate(depths):
        rows = table[table["depth"] == depth]
        if rows.empty:
            continue
        layers = rows.pivot_table(index="layer", columns="seed", values="deviation")
        if by_magnitude:
            layers = _sort_each_run(layers)
        draw_curves(layers, ax, depth_style(index, len(depths)))
    ax.axhline(BN_START, **REFERENCE_STYLE)
    return ax


def has_wide_range(table: pd.DataFrame) -> bool:
    """Return whether the standard deviations of all rows need a logarithmic scale."""
    smallest = max(table["deviation"].min(), SMALLEST)
    return bool(table["deviation"].max() > WIDE_RANGE * smallest)


def _sort_each_run(layers: pd.DataFrame) -> pd.DataFrame:
    """Sort every column, largest first, NaN last; number the rows from 1."""
    descending = -np.sort(-layers.to_numpy(), axis=0)
    return pd.DataFrame(descending, index=range(1, len(layers) + 1))


def plot(table: pd.DataFrame, means: pd.DataFrame) -> Figure:
    """Return the figure: layers on the left, all on a shared scale; means over layers on the right.

    `table`: rows of the probe `responses` at the end of training. `means`: one row per run, with
    its mean `std` over layers.
    """
    is_wide = has_wide_range(table)
    if is_wide:
        table = table.assign(deviation=table["deviation"].clip(lower=SMALLEST))
    widths = [PANEL_WIDTH * len(list_families(table)), SIDE_WIDTH]
    figure = Figure(figsize=(min(sum(widths), MAX_WIDTH), 6.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=widths, squeeze=False)[0]
    _plot_layers(table, left, is_wide)
    _plot_means(means, right, list_families(table), list_depths(table), is_wide)
    widen_gaps(figure, horizontal=0.04, vertical=0.04)
    figure.suptitle("Standard deviation of each layer's response")
    return figure


def _plot_layers(table: pd.DataFrame, figure: SubFigure, is_wide: bool) -> None:
    """Draw one column per family: layers in order above, sorted by magnitude below."""
    families, depths = list_families(table), list_depths(table)
    grid = figure.subplots(2, len(families), sharex=True, sharey=True, squeeze=False)
    for column, family in zip(grid.T, families, strict=True):
        for ax, by_magnitude in zip(column, (False, True), strict=True):
            draw(table[table["family"] == family], ax, depths, by_magnitude)
            ax.set_yscale("log" if is_wide else "linear")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        column[0].set_title(f"{family} networks")
        column[0].set_xlabel("3x3 layer (1: next to the image)")
        column[1].set_xlabel("3x3 layers, largest response first")
    for ax in grid.flat:
        ax.xaxis.set_tick_params(labelbottom=True)
    for row in grid:
        row[0].set_ylabel(YLABEL)
    grid[0, 0].set_xlim(left=0.5)  # layers start at 1
    start = Line2D([], [], label="BN at initialisation", **REFERENCE_STYLE)
    add_legend(figure, [*make_depth_handles(depths), start])


def _plot_means(
    means: pd.DataFrame, figure: SubFigure, families: list[str], depths: list[int], is_wide: bool
) -> None:
    """Draw all families above; below, only the families with shortcuts, on their own scale.

    The change of these may be too small for the common scale.
    """
    residual = {pair.residual for pair in FAMILY_PAIRS}
    with_shortcuts = [family for family in families if family in residual]
    panels = [families]
    if with_shortcuts and len(families) > 1:
        panels.append(with_shortcuts)
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for ax, panel in zip(axes, panels, strict=True):
        for index, family in enumerate(panel):
            groups = group_values(means, family, "std")
            style = FAMILY_STYLES[family] | {"label": family}
            draw_over_depth(groups, ax, depths, (index, len(panel)), style)
        ax.set_ylabel(YLABEL)
        ax.ticklabel_format(axis="y", useOffset=False)
    axes[0].set_title("mean over all layers")
    axes[0].set_yscale("log" if is_wide else "linear")
    if len(panels) > 1:
        axes[1].set_title(f"{' and '.join(with_shortcuts)} only, own scale")
    add_legend_from(figure, axes[0])
