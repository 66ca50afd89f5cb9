"""The loss around trained networks: contours, surfaces, lines (Li et al. 2018, figures 1, 5)."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    list_depths,
    list_families,
    make_depth_handles,
    widen_gaps,
)
from analysis.figures.style import TEXT_COLORS, depth_style

CONTOURS_CAPTION = (
    "Loss around the trained networks, drawn as log10 of the loss in nats: one row per family, one "
    "column per depth; the cross is the trained network."
)
SURFACES_CAPTION = (
    "The same data drawn as surfaces, all from one viewpoint. Height and colour are log10 of the "
    "loss in nats, so one unit up is ten times the loss; the horizontal axes are the two "
    "directions."
)
LINES_CAPTION = (
    "Loss (logarithmic) and training error along the first direction, for all measured networks: "
    "one row per family, one line per network, one line style per depth. The trained network is at "
    "0."
)
COLORMAP = "viridis"
CROSS_COLOR = "#D55E00"
LEVELS = 16
MAX_SIDE, COLORBAR_WIDTH = 4.0, 1.3  # inches
SMALLEST = 1e-5  # nats; a smaller loss is drawn at this value
MAX_ABOVE = 0.02  # fraction of the points that may lie above the scale: outliers
AXIS_LABELS = ("along the first direction", "along the second direction")

Limits = tuple[float, float]  # log10 of the loss at the lower and upper end of the scale


def compute_scale_limits(table: pd.DataFrame) -> Limits:
    """Return the ends of a scale that all networks share: log10 of the loss in nats.

    The lower end is the smallest loss; at most 2 % of the points exceed the upper end. Both
    are rounded outwards to quarters of a decade.
    """
    loss = table["loss"].dropna().clip(lower=SMALLEST)
    if loss.empty:
        return -1.0, 0.0  # nothing is drawn
    low = math.floor(4 * math.log10(loss.min())) / 4
    high = math.ceil(4 * math.log10(loss.quantile(1 - MAX_ABOVE))) / 4
    return low, max(high, low + 0.25)


def pivot_square(table: pd.DataFrame) -> pd.DataFrame:
    """Return the loss of one network's square: one row per y, one column per x."""
    return table.pivot(index="y", columns="x", values="loss")


def compute_heights(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y and log10 of the loss of one network's square, each with one row per y.

    The third is a masked array: masked where the loss is not finite.
    """
    grid = pivot_square(table).astype(float)
    x, y = np.meshgrid(grid.columns, grid.index)
    loss = np.ma.masked_invalid(grid)
    return x, y, np.ma.log10(np.ma.maximum(loss, SMALLEST))


def draw(table: pd.DataFrame, ax: Axes, limits: Limits) -> Axes:
    """Draw the contours of one network's square. `limits`: see `compute_scale_limits`."""
    x, y, height = compute_heights(table)
    clipped_height = np.ma.clip(height, *limits)
    levels = np.linspace(*limits, LEVELS + 1)
    ax.contourf(x, y, clipped_height, levels=levels, cmap=COLORMAP)
    lines: dict[str, Any] = {"colors": "white", "linewidths": 0.6, "linestyles": "solid"}
    ax.contour(x, y, clipped_height, levels=levels[1:-1], **lines)
    ax.plot([0], [0], marker="+", color=CROSS_COLOR, markersize=9, markeredgewidth=2)
    ax.set_aspect("equal")
    _set_ticks(table, ax)
    ax.grid(visible=False)
    return ax


def draw_surface(table: pd.DataFrame, ax: Any, limits: Limits) -> Any:
    """Draw one network's square as a surface, cut off at the ends of the scale.

    `ax`: Axes with the projection "3d". `limits`: see `compute_scale_limits`.
    """
    x, y, height = compute_heights(table)
    clipped_height = np.ma.clip(height, *limits).filled(np.nan)
    mesh: dict[str, Any] = {"rstride": 1, "cstride": 1, "linewidth": 0.2, "edgecolor": "0.3"}
    ax.plot_surface(x, y, clipped_height, cmap=COLORMAP, norm=Normalize(*limits), **mesh)
    ax.set_zlim(*limits)
    ax.view_init(elev=32, azim=-60)
    ax.tick_params(labelsize=8, pad=-2)
    _set_ticks(table, ax)
    return ax


def _set_ticks(table: pd.DataFrame, ax: Any) -> None:
    """Set ticks at the network and at the borders of its square."""
    ax.set_xticks([table["x"].min(), 0, table["x"].max()])
    ax.set_yticks([table["y"].min(), 0, table["y"].max()])


def draw_lines(table: pd.DataFrame, ax: Axes, column: str, depths: list[int]) -> Axes:
    """Draw `column` along the first direction, one line per network.

    `table`: the lines of one family. `column`: `loss` (nats) or `error` (percent).
    """
    for _, points in table.groupby("run_id"):
        depth = int(points["depth"].iloc[0])
        ordered_points = points.sort_values("x")
        values = ordered_points[column]
        if column == "loss":
            values = values.clip(lower=SMALLEST)
        style = depth_style(depths.index(depth), len(depths))
        ax.plot(ordered_points["x"], values, linewidth=1.6, **style)
    return ax


def plot_contours(table: pd.DataFrame, limits: Limits) -> Figure:
    """Return the figure of contours: one row per family, one column per depth.

    `table`: the square of one network per family and depth. `limits`: see `compute_scale_limits`.
    """
    figure, axes = _make_panels(table)
    lowest: dict[int, Axes] = {}  # the last panel of each depth
    for row, family in zip(axes, list_families(table), strict=True):
        drawn = []
        for ax, depth in zip(row, list_depths(table), strict=True):
            points = table[(table["family"] == family) & (table["depth"] == depth)]
            if points.empty:
                ax.set_axis_off()
                continue
            draw(points, ax, limits)
            drawn.append(ax)
            lowest[depth] = ax
        label = f"{family} networks\n{AXIS_LABELS[1]}"
        drawn[0].set_ylabel(label, color=TEXT_COLORS[family])
    for ax in lowest.values():
        ax.set_xlabel(AXIS_LABELS[0])
        ax.xaxis.set_tick_params(labelbottom=True)
    _add_colorbar(figure, axes, limits)
    figure.suptitle("Loss around the trained networks")
    return figure


def plot_surfaces(table: pd.DataFrame, limits: Limits) -> Figure:
    """Return the figure of surfaces, laid out as by `plot_contours`."""
    figure, axes = _make_panels(table, projection="3d")
    for row, family in zip(axes, list_families(table), strict=True):
        for ax, depth in zip(row, list_depths(table), strict=True):
            points = table[(table["family"] == family) & (table["depth"] == depth)]
            if len(points):
                draw_surface(points, ax, limits)
            else:
                ax.set_axis_off()
        label: dict[str, Any] = {"rotation": 90, "va": "center", "color": TEXT_COLORS[family]}
        row[0].text2D(-0.02, 0.5, f"{family} networks", transform=row[0].transAxes, **label)
    _add_colorbar(figure, axes, limits)
    figure.suptitle("Loss around the trained networks")
    return figure


def plot_lines(table: pd.DataFrame) -> Figure:
    """Return the figure: loss and error side by side, one row per family.

    Each column has a shared scale.

    `table`: the lines of all networks.
    """
    families, depths = list_families(table), list_depths(table)
    figure = Figure(figsize=(MAX_WIDTH, 2.6 * len(families) + 0.8), layout="constrained")
    axes = figure.subplots(len(families), 2, sharex=True, sharey="col", squeeze=False)
    for row, family in zip(axes, families, strict=True):
        for ax, column in zip(row, ("loss", "error"), strict=True):
            draw_lines(table[table["family"] == family], ax, column, depths)
        row[0].set_yscale("log")
        row[0].set_ylabel(f"{family} networks\nloss (nats)", color=TEXT_COLORS[family])
        row[1].set_ylabel("training error (%)")
        row[1].set_ylim(0, 100)
    for ax in axes.flat:
        ax.xaxis.set_tick_params(labelbottom=True)
    for ax in axes[-1]:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
        ax.set_xlabel("along the first direction (in weights' norms)")
    add_legend(figure, make_depth_handles(depths))
    figure.suptitle("Loss and error along a line through the trained networks")
    return figure


def _make_panels(table: pd.DataFrame, projection: str | None = None) -> tuple[Figure, Any]:
    """Return a figure and its Axes: one row per family, one column per depth."""
    families, depths = list_families(table), list_depths(table)
    side = min(MAX_SIDE, (MAX_WIDTH - COLORBAR_WIDTH) / len(depths))
    size = (side * len(depths) + COLORBAR_WIDTH, (side - 0.2) * len(families) + 0.5)
    figure = Figure(figsize=size, layout="compressed")
    widen_gaps(figure, horizontal=0.06, vertical=0.02)
    is_flat = projection is None
    axes = figure.subplots(
        len(families),
        len(depths),
        squeeze=False,
        sharex=is_flat,
        sharey=is_flat,
        subplot_kw={"projection": projection},
    )
    for ax, depth in zip(axes[0], depths, strict=True):
        ax.set_title(f"{depth} layers")
    return figure, axes


def _add_colorbar(figure: Figure, axes: Any, limits: Limits) -> None:
    colors = ScalarMappable(Normalize(*limits), colormaps[COLORMAP])
    panels = axes.ravel().tolist()
    figure.colorbar(colors, ax=panels, label="log10 of the loss (nats)", extend="max")
