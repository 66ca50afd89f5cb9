"""Test error after lesions: against the number of deleted or swapped blocks, and block by block."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    format_chance_label,
    list_depths,
    list_families,
    make_depth_handles,
    widen_gaps,
)
from analysis.figures.marks import CHANCE, DELETED_SHAPE_CHANGE, MEAN_LINE, RUN
from analysis.figures.mean_interval import draw_curves
from analysis.figures.style import FAMILY_STYLES, REFERENCE_STYLE, TEXT_COLORS, depth_style

CAPTION = (
    "Test error after blocks were deleted (top) and after pairs of blocks were swapped (bottom), "
    "against their number as a fraction of the shape-preserving blocks. At 0 the network is "
    "intact. Within a run, the random sets of blocks are averaged "
    "first. All panels share one scale. A jump at the left edge means that "
    "the network fails as soon as one block is deleted; a gentle slope means that each deletion "
    "costs only a little. In a stage with few blocks, a swap can undo the previous one."
)
SINGLE_CAPTION = (
    "Test error after a single block was deleted, against the position of that block: one row per "
    "family, one column per depth. The dashed line is the mean error of the intact networks."
)
# kind: row label, axis label
KINDS = {
    "delete": ("blocks deleted", "fraction of shape-preserving blocks deleted"),
    "swap": ("blocks swapped", "swaps per shape-preserving block"),
}
TICKS = 6  # at most so many intervals between ticks of a narrow panel
INTACT_STYLE: dict[str, Any] = {"color": "0.35", "linestyle": "--", "linewidth": 1}


def draw(errors: pd.DataFrame, ax: Axes, depths: list[int]) -> Axes:
    """Draw the test error (percent) against the fraction of blocks, one line per depth.

    `errors`: one row per run and number of blocks, of one family, of one kind of lesion and of the
    intact networks; columns `share` and `error`.
    """
    for index, depth in enumerate(depths):
        rows = errors[errors["depth"] == depth]
        if rows.empty:
            continue
        curves = rows.pivot_table(index="share", columns="seed", values="error")
        draw_curves(curves, ax, depth_style(index, len(depths)))
    return ax


def draw_single_deletions(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the test error (percent) against the deleted block, counted from 1.

    `table`: rows of the probe `lesions` of one family and depth, with the column `changes_shape`.
    """
    color = FAMILY_STYLES[table["family"].iloc[0]]["color"]
    deletions = table[(table["kind"] == "delete") & (table["number"] == 1)]
    means = deletions.groupby("block")["error"].mean()
    label = MEAN_LINE if deletions["seed"].nunique() > 1 else None
    ax.plot(means.index + 1, means, color=color, linewidth=1.5, label=label)
    for changes_shape, marker, size, label in (
        (False, ".", 14, RUN),
        (True, "x", 34, DELETED_SHAPE_CHANGE),
    ):
        rows = deletions[deletions["changes_shape"].astype(bool) == changes_shape]
        if rows.empty:
            continue
        marks: dict[str, Any] = {"marker": marker, "s": size, "linewidths": 1.2, "label": label}
        ax.scatter(rows["block"] + 1, rows["error"], color=color, **marks)
    ax.axhline(table.loc[table["kind"] == "none", "error"].mean(), **INTACT_STYLE)
    return ax


def plot(errors: pd.DataFrame, chance: float) -> Figure:
    """Return the figure: one row per kind of lesion, one column per family, on a shared scale.

    `errors`: see `draw`, for all kinds and families. `chance`: error of guessing, in percent.
    """
    families, depths = list_families(errors), list_depths(errors)
    figure = Figure(
        figsize=(min(max(5.2 * len(families), 6.5), MAX_WIDTH), 6.4), layout="constrained"
    )
    axes = figure.subplots(len(KINDS), len(families), sharex=True, sharey=True, squeeze=False)
    for row, (kind, (row_label, axis_label)) in zip(axes, KINDS.items(), strict=True):
        kind_rows = errors[errors["kind"].isin(["none", kind])]
        for ax, family in zip(row, families, strict=True):
            draw(kind_rows[kind_rows["family"] == family], ax, depths)
            ax.axhline(chance, label=CHANCE, **REFERENCE_STYLE)
            ax.set_xlabel(axis_label)
            ax.xaxis.set_tick_params(labelbottom=True)
        row[0].set_ylabel(f"{row_label}\ntest error (%)")
    for ax, family in zip(axes[0], families, strict=True):
        ax.set_title(f"{family} networks", color=TEXT_COLORS[family])
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 100)
    handles = [*make_depth_handles(depths), _chance_handle(chance)]
    widen_gaps(figure, horizontal=0.06)
    add_legend(figure, handles, columns=min(len(handles), 4 * len(families)))
    figure.suptitle("Test error after blocks were deleted or swapped")
    return figure


def plot_single_deletions(table: pd.DataFrame, chance: float) -> Figure:
    """Return the figure: one row per family, one column per depth, on a shared scale.

    `table`: rows of the probe `lesions`, with the column `changes_shape`. `chance`: error of
    guessing, in percent.
    """
    families, depths = list_families(table), list_depths(table)
    size = (min(max(2.9 * len(depths), 6.5), MAX_WIDTH), 2.5 * len(families) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(families), len(depths), sharex="col", sharey=True, squeeze=False)
    for row, family in zip(axes, families, strict=True):
        family_rows = table[table["family"] == family]
        for ax, depth in zip(row, depths, strict=True):
            rows = family_rows[family_rows["depth"] == depth]
            if rows.empty:
                ax.text(0.5, 0.5, "no runs", transform=ax.transAxes, ha="center", color="0.4")
            else:
                draw_single_deletions(rows, ax)
            ax.axhline(chance, label=CHANCE, **REFERENCE_STYLE)
            ax.set_ylim(0, 100)
        row[0].set_ylabel(f"{family} networks\ntest error (%)", color=TEXT_COLORS[family])
    for ax in axes.flat:
        ax.xaxis.set_tick_params(labelbottom=True)
    for top, bottom, depth in zip(axes[0], axes[-1], depths, strict=True):
        top.set_title(f"{depth} layers")
        bottom.set_xlabel("deleted block")
        bottom.xaxis.set_major_locator(MaxNLocator(nbins=TICKS, integer=True))
        bottom.set_xlim(left=0.5)  # blocks start at 1
    has_means = bool(table.groupby(["family", "depth"])["seed"].nunique().max() > 1)
    add_legend(figure, _single_handles(chance, has_means), columns=3 if len(depths) < 4 else 5)
    figure.suptitle("Test error after a single block was deleted")
    return figure


def _single_handles(chance: float, has_means: bool) -> list[Line2D]:
    point: dict[str, Any] = {"color": "0.25", "linestyle": ""}
    handles = [
        Line2D([], [], marker=".", label="one run", **point),
        Line2D([], [], marker="x", label="one run, block that changes the shape", **point),
    ]
    if has_means:
        handles.append(Line2D([], [], color="0.25", linewidth=1.5, label="mean over seeds"))
    handles.append(Line2D([], [], label="intact (mean)" if has_means else "intact", **INTACT_STYLE))
    handles.append(_chance_handle(chance))
    return handles


def _chance_handle(chance: float) -> Line2D:
    return Line2D([], [], label=format_chance_label(chance), **REFERENCE_STYLE)
