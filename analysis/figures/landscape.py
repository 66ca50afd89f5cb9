"""The loss around the trained nets: contours, surfaces and a line (Li et al. 2018, figures 1 and 5)."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import FAMILIES, TEXT, depth_style

COLOURS = "viridis"
LEVELS = 16
LEAST = 1e-5  # nats; a loss below it is drawn there
HIGHEST = 0.02  # share of the points that may be above the scale, so that a few do not take it all
AXES = ("along the first direction", "along the second")


def limits_of(table: pd.DataFrame) -> tuple[float, float]:
    """log10 of the scale's ends, common to all nets: the least loss, and one that few points are above."""
    loss = table["loss"].dropna().clip(lower=LEAST)
    if loss.empty:
        return -1.0, 0.0  # nothing will be drawn
    low = math.floor(4 * math.log10(loss.min())) / 4
    high = math.ceil(4 * math.log10(loss.quantile(1 - HIGHEST))) / 4
    return low, max(high, low + 0.25)


def square_of(table: pd.DataFrame) -> pd.DataFrame:
    """One net's loss: a row a y, a column an x."""
    return table.pivot(index="y", columns="x", values="loss")


def grid_of(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One net's square: x, y and log10 of the loss, a row a y; masked where it is not finite."""
    grid = square_of(table).astype(float)
    loss = np.ma.masked_invalid(grid)
    return *np.meshgrid(grid.columns, grid.index), np.ma.log10(np.ma.maximum(loss, LEAST))


def draw(table: pd.DataFrame, ax: Axes, limits: tuple[float, float]) -> Axes:
    """`table`: the square of one net. `limits`: log10 of the loss at the scale's ends."""
    x, y, height = grid_of(table)
    levels, clipped = np.linspace(*limits, LEVELS + 1), np.ma.clip(height, *limits)
    ax.contourf(x, y, clipped, levels=levels, cmap=COLOURS)
    ax.contour(
        x, y, clipped, levels=levels[1:-1], colors="white", linewidths=0.6, linestyles="solid"
    )
    ax.plot([0], [0], marker="+", color="#D55E00", markersize=9, markeredgewidth=2)
    ax.set_aspect("equal")
    ax.grid(visible=False)
    return ax


def draw_surface(table: pd.DataFrame, ax: Any, limits: tuple[float, float]) -> Any:
    """`table`: the square of one net; heights are cut at the scale's ends. `ax`: with three axes."""
    x, y, height = grid_of(table)
    clipped = np.ma.clip(height, *limits).filled(np.nan)
    fine: dict[str, Any] = {"rstride": 1, "cstride": 1, "linewidth": 0.2, "edgecolor": "0.3"}
    ax.plot_surface(x, y, clipped, cmap=COLOURS, norm=Normalize(*limits), **fine)
    ax.set_zlim(*limits)
    ax.view_init(elev=32, azim=-60)
    ax.tick_params(labelsize=8, pad=-2)
    ax.set(
        xticks=[table["x"].min(), 0, table["x"].max()],
        yticks=[table["y"].min(), 0, table["y"].max()],
    )
    return ax


def draw_line(table: pd.DataFrame, ax: Axes, column: str, depths: list[int]) -> Axes:
    """`table`: the lines of one family; a line a net."""
    for _, part in table.groupby("run_id"):
        depth = int(part["depth"].iloc[0])
        ordered = part.sort_values("x")
        values = ordered[column].clip(lower=LEAST) if column == "loss" else ordered[column]
        ax.plot(
            ordered["x"], values, linewidth=1.6, **depth_style(depths.index(depth), len(depths))
        )
    return ax


def plot_contours(table: pd.DataFrame, limits: tuple[float, float]) -> Figure:
    """Contours: a row a family, a column a depth."""
    canvas, axes, families, depths = _panels(table)
    for row, family in zip(axes, families, strict=True):
        for ax, depth in zip(row, depths, strict=True):
            if len(part := table[(table["family"] == family) & (table["depth"] == depth)]):
                draw(part, ax, limits)
            else:
                ax.set_axis_off()
        row[0].set_ylabel(f"{family}\n{AXES[1]}", color=TEXT[family])
    for ax in axes[-1]:
        ax.set_xlabel(AXES[0])
    _bar(canvas, axes, limits)
    return canvas


def plot_surfaces(table: pd.DataFrame, limits: tuple[float, float]) -> Figure:
    canvas, axes, families, depths = _panels(table, projection="3d")
    for row, family in zip(axes, families, strict=True):
        for ax, depth in zip(row, depths, strict=True):
            if len(part := table[(table["family"] == family) & (table["depth"] == depth)]):
                draw_surface(part, ax, limits)
            else:
                ax.set_axis_off()
        row[0].text2D(
            -0.02,
            0.5,
            family,
            transform=row[0].transAxes,
            rotation=90,
            va="center",
            color=TEXT[family],
        )
    _bar(canvas, axes, limits)
    return canvas


def plot_lines(table: pd.DataFrame) -> Figure:
    """A row a family; loss and error beside one another, all rows on one scale."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    depths = sorted(int(depth) for depth in table["depth"].unique())
    canvas = Figure(figsize=(11, 2.9 * len(families) + 0.8), layout="constrained")
    axes = canvas.subplots(len(families), 2, sharex=True, sharey="col", squeeze=False)
    for row, family in zip(axes, families, strict=True):
        for ax, column in zip(row, ("loss", "error"), strict=True):
            draw_line(table[table["family"] == family], ax, column, depths)
        row[0].set_yscale("log")
        row[0].set_ylabel(f"{family}\nloss, nats", color=TEXT[family])
        row[1].set_ylabel("training error, %")
        row[1].set_ylim(0, 100)
    for ax in axes[-1]:
        ax.set_xlabel("along the first direction, in units of the weights' norm")
    handles = [
        Line2D([], [], linewidth=2, label=f"{depth} layers", **depth_style(index, len(depths)))
        for index, depth in enumerate(depths)
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return canvas


def _panels(
    table: pd.DataFrame, projection: str | None = None
) -> tuple[Figure, Any, list[str], list[int]]:
    """A panel a family (rows) and depth (columns), the depths as titles."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    depths = sorted(int(depth) for depth in table["depth"].unique())
    canvas = Figure(
        figsize=(min(3.1 * len(depths) + 1.2, 15), 3 * len(families) + 0.5), layout="constrained"
    )
    flat = projection is None
    axes = canvas.subplots(
        len(families),
        len(depths),
        squeeze=False,
        sharex=flat,
        sharey=flat,
        subplot_kw={"projection": projection},
    )
    for ax, depth in zip(axes[0], depths, strict=True):
        ax.set_title(f"{depth} layers")
    return canvas, axes, families, depths


def _bar(canvas: Figure, axes: Any, limits: tuple[float, float]) -> None:
    colours = ScalarMappable(Normalize(*limits), colormaps[COLOURS])
    canvas.colorbar(
        colours, ax=axes.ravel().tolist(), label="log10 of the loss", shrink=0.8, extend="max"
    )
