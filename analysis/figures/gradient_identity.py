"""The two terms of the gradient at each block, and the shortcut's share of it against depth."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    add_legend_from,
    list_depths,
    list_time_points,
)
from analysis.figures.marks import SHAPE_CHANGE
from analysis.figures.mean_interval import draw_curves, draw_over_depth
from analysis.figures.style import FAMILY_STYLES
from analysis.grouped_values import group_values
from degradation.metrics import ITERATION

TERMS_CAPTION = (
    "The two terms of `dE/dx_l` at each block of the networks with shortcuts: through the "
    "shortcut (`S^T M g`) and through the convolutions (`F'^T M g`), where `g` is `dE/dx_(l+1)`; "
    "pre-activation blocks have no mask `M`. Each norm is relative to that of `dE/dx_l`. The two "
    "vectors add up to `dE/dx_l`, but their norms need not add up to 1, because the vectors are "
    "rarely parallel. One column per depth, one row per point in training. "
    "Where the shortcut's line is higher, the larger part of the gradient arrives without "
    "having passed through the block's convolutions."
)
SHARE_CAPTION = (
    "The shortcut's share of the gradient, mean over a network's blocks, against depth. "
    "At 0 the whole gradient passes through the convolutions of each block, "
    "at 1 the whole gradient comes through the shortcuts. An increasing line means that in a "
    "deeper network, the convolutions of a single block change the gradient less."
)
MAX_DEPTHS = 3  # largest number of columns
SHAPE_CHANGE_STYLE: dict[str, Any] = {"color": "0.87", "lw": 0}
MAX_MARKED_BLOCKS = 11  # lines over more blocks have no markers


def _term_styles(family: str) -> dict[str, dict[str, Any]]:
    """Return label and line style of each term, by its column in the probe's table."""
    return {
        "by_shortcut": {
            "label": "through the shortcut, $S^T M g$",
            "color": FAMILY_STYLES[family]["color"],
            "linestyle": "-",
        },
        "by_convolutions": {
            "label": "through the convolutions, $F'^T M g$",
            "color": "0.25",
            "linestyle": "--",
        },
    }


def draw(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the norms of both terms against the block number, counted from 1.

    The norms are relative to that of the gradient.

    `table`: rows of the probe `identity` of one family, depth and iteration, of the form `block`.
    """
    gradient = table["gradient"].astype(float)
    for column, style in _term_styles(str(table["family"].iloc[0])).items():
        relative = table[column].astype(float) / gradient  # NaN where the gradient is 0
        runs = table.assign(relative=relative)
        norms = runs.pivot(index="block", columns="run_id", values="relative")
        norms.index = norms.index + 1
        marker = "." if len(norms) <= MAX_MARKED_BLOCKS else ""
        draw_curves(norms, ax, style | {"marker": marker})
    for block in table.loc[table["shape_change"].astype(bool), "block"].unique():
        ax.axvspan(block + 0.5, block + 1.5, zorder=0, label=SHAPE_CHANGE, **SHAPE_CHANGE_STYLE)
    ax.set_xlim(0.5, table["block"].max() + 1.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return ax


def _select_first_and_last(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row each for the first and the last time point.

    Returns a single row if there is only one.
    """
    time_points = list_time_points(table)
    return time_points.iloc[[0, -1]] if len(time_points) > 1 else time_points


def plot_terms(table: pd.DataFrame) -> Figure:
    """Return the figure of both terms, on a shared scale.

    Columns: the shallowest, a middle and the deepest depth. Rows: the first and the last time
    point. `table`: rows of the probe `identity` of one family.
    """
    table = table[table["form"] == "block"]
    depths, time_points = list_depths(table), _select_first_and_last(table)
    if len(depths) > MAX_DEPTHS:
        depths = [depths[0], depths[len(depths) // 2], depths[-1]]
    size = (min(max(4.4 * len(depths), 6), MAX_WIDTH), 2.6 * len(time_points) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(time_points), len(depths), sharex="col", sharey=True, squeeze=False)
    for row, (_, time_point) in zip(axes, time_points.iterrows(), strict=True):
        at_time_point = table[table[ITERATION] == time_point[ITERATION]]
        for ax, depth in zip(row, depths, strict=True):
            rows = at_time_point[at_time_point["depth"] == depth]
            if len(rows):
                draw(rows, ax)
        row[0].set_ylabel(f"{time_point['time_point']}\nnorm relative to $dE/dx_l$")
    for ax, depth in zip(axes[0], depths, strict=True):
        ax.set_title(f"{depth} layers")
    for ax in axes.flat:
        ax.xaxis.set_tick_params(labelbottom=True)
    for ax in axes[-1]:
        ax.set_xlabel("block $l$ (1: next to the image)")
    axes[0, 0].set_ylim(bottom=0)
    family = str(table["family"].iloc[0])
    add_legend(figure, _legend_handles(family))
    figure.suptitle(f"The two parts of the gradient at each block of {family} networks")
    return figure


def _legend_handles(family: str) -> list[Line2D | Patch]:
    terms = [Line2D([], [], linewidth=2, **style) for style in _term_styles(family).values()]
    return [*terms, Patch(label="the block changes the shape", **SHAPE_CHANGE_STYLE)]


def plot_share(values: pd.DataFrame, family: str) -> Figure:
    """Return the figure of the shortcut's share against depth, at the first and last time points.

    `values`: one row per run and time point, with the column `shortcut_share`. The first time point
    is grey, the last one has the family's colour.
    """
    depths, time_points = list_depths(values), _select_first_and_last(values)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = figure.subplots()
    for index, (_, time_point) in enumerate(time_points.iterrows()):
        at_time_point = values[values[ITERATION] == time_point[ITERATION]]
        groups = group_values(at_time_point, family, "shortcut_share")
        style = FAMILY_STYLES[family] | {"label": str(time_point["time_point"])}
        if index == 0 and len(time_points) > 1:
            style |= {"color": "0.45", "linestyle": ":"}
        draw_over_depth(groups, ax, depths, (index, len(time_points)), style)
    ax.set_ylim(min(0.0, float(values["shortcut_share"].min())), 1)
    ax.set_ylabel("the shortcut's share of $dE/dx_l$,\nmean over blocks")
    add_legend_from(figure, ax)
    figure.suptitle(f"The shortcut's share of the gradient, {family} networks")
    return figure
