"""Correlation of gradients against the distance between their inputs.

Its value at the smallest distance is drawn against depth.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    list_depths,
    list_families,
    list_time_points,
    make_depth_handles,
    widen_gaps,
)
from analysis.figures.mean_interval import draw_curves, draw_over_depth
from analysis.figures.style import FAMILY_STYLES, REFERENCE_STYLE, depth_style
from analysis.grouped_values import group_values
from degradation.metrics import ITERATION

CAPTION = (
    "Left: correlation (cosine) of the gradients at two inputs against the distance between these "
    "inputs, as a fraction of the line from one image to another. One column per family, one row "
    "per point in training, one line per depth. A line that stays high means a "
    "gradient that changes slowly with its input. One that drops to 0 immediately behaves like "
    "white noise: the gradients have shattered. Pairs with a point whose gradient is zero are "
    "excluded. Right: the correlation at the smallest distance above 0, at initialisation, against "
    "depth."
)
FARTHEST = 0.3  # largest distance drawn, as a fraction of the line: little happens beyond it
PANEL_WIDTH, SIDE_WIDTH = 3.2, 3.6  # inches


def draw(table: pd.DataFrame, ax: Axes, depths: list[int]) -> Axes:
    """Draw the correlation against distance, one line per depth; at distance 0 it is 1.

    `table`: rows of the probe `shattering` of one family and iteration.
    """
    for index, depth in enumerate(depths):
        rows = table[(table["depth"] == depth) & (table["distance"] <= FARTHEST)]
        if rows.empty:
            continue
        curves = rows.pivot_table(index="distance", columns="seed", values="correlation")
        draw_curves(curves, ax, depth_style(index, len(depths)))
    ax.axhline(0, **REFERENCE_STYLE)
    ax.set_xlim(0, FARTHEST)
    ax.xaxis.set_major_locator(MultipleLocator(0.1))
    return ax


def plot(table: pd.DataFrame, nearest: pd.DataFrame) -> Figure:
    """Return the figure: correlation against distance, and one number per run beside it.

    All panels share one scale: one column per family, one row per point in training.

    `table`: rows of the probe `shattering`. `nearest`: one row per run, with its `correlation` at
    the smallest distance above 0, at initialisation.
    """
    families, time_points = list_families(table), list_time_points(table)
    widths = [PANEL_WIDTH * len(families), SIDE_WIDTH]
    figure = Figure(
        figsize=(min(sum(widths), MAX_WIDTH), 2.7 * len(time_points) + 0.8), layout="constrained"
    )
    left, right = figure.subfigures(1, 2, width_ratios=widths, squeeze=False)[0]
    limits = _plot_distances(table, left)
    ax = right.subplots()
    _draw_nearest(nearest, ax, families, list_depths(table))
    ax.set_ylim(limits)
    handles, _ = ax.get_legend_handles_labels()
    add_legend(right, handles, columns=1)  # as high as the other legend
    widen_gaps(figure, horizontal=0.07)
    figure.suptitle("How alike the gradients of two inputs are")
    return figure


def _plot_distances(table: pd.DataFrame, figure: SubFigure) -> tuple[float, float]:
    """Draw a panel per family and point in training; return their common vertical limits."""
    families = list_families(table)
    depths = list_depths(table)
    time_points = list_time_points(table)
    grid = figure.subplots(len(time_points), len(families), sharex=True, sharey=True, squeeze=False)
    for row, (_, time_point) in zip(grid, time_points.iterrows(), strict=True):
        at_time_point = table[table[ITERATION] == time_point[ITERATION]]
        for ax, family in zip(row, families, strict=True):
            draw(at_time_point[at_time_point["family"] == family], ax, depths)
        row[0].set_ylabel(f"{time_point['time_point']}\ncorrelation of gradients")
    for ax, family in zip(grid[0], families, strict=True):
        ax.set_title(f"{family} networks")
    for ax in grid.flat:
        ax.xaxis.set_tick_params(labelbottom=True)
    for ax in grid[-1]:
        ax.set_xlabel("distance between two inputs")
    noise = Line2D([], [], label="white noise", **REFERENCE_STYLE)
    add_legend(figure, [*make_depth_handles(depths), noise])
    limits: tuple[float, float] = grid[0][0].get_ylim()
    return limits


def _draw_nearest(nearest: pd.DataFrame, ax: Axes, families: list[str], depths: list[int]) -> None:
    """Draw the correlation at the smallest distance above 0 against depth, one line per family."""
    for index, family in enumerate(families):
        groups = group_values(nearest, family, "correlation")
        style = FAMILY_STYLES[family] | {"label": family}
        draw_over_depth(groups, ax, depths, (index, len(families)), style)
    ax.axhline(0, **REFERENCE_STYLE)
    ax.set_title("neighbouring inputs")
    ax.set_ylabel("correlation of gradients before training")
