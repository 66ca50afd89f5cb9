"""Test error after lesions: against how many blocks were deleted or swapped, and over the one that was deleted."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.figures import bands
from analysis.figures.style import CHANCE, FAMILIES, TEXT, chance_label, depth_style

KINDS = {"delete": ("deleted", "blocks deleted"), "swap": ("swapped", "swaps of two blocks")}
INTACT: dict[str, Any] = {"color": "0.35", "linestyle": "--", "linewidth": 1}


def draw(errors: pd.DataFrame, ax: Axes, depths: list[int]) -> Axes:
    """`errors`: one family's, of one kind and intact: `share`, `error` in percent. A line a depth, a band of runs."""
    for index, depth in enumerate(depths):
        part = errors[errors["depth"] == depth]
        if part.empty:
            continue
        runs = part.pivot_table(index="share", columns="seed", values="error")
        bands.draw(runs, ax, depth_style(index, len(depths)))
    return ax


def draw_alone(table: pd.DataFrame, ax: Axes) -> Axes:
    """`table`: rows of one family and depth. Every run is a point, crosses are blocks that change the shape."""
    style = FAMILIES[table["family"].iloc[0]]
    single = table[(table["kind"] == "delete") & (table["number"] == 1)]
    means = single.groupby("block")["error"].mean()
    ax.plot(means.index + 1, means, color=style["color"], linewidth=1.5)
    for changes, marker, size in ((False, ".", 14), (True, "x", 34)):
        part = single[single["changes_shape"].astype(bool) == changes]
        ax.scatter(
            part["block"] + 1,
            part["error"],
            color=style["color"],
            marker=marker,
            s=size,
            linewidths=1.2,
        )
    ax.axhline(table.loc[table["kind"] == "none", "error"].mean(), **INTACT)
    return ax


def plot(errors: pd.DataFrame, chance: float) -> Figure:
    """A row a kind of lesion, a column a family, one scale. `chance`: error in percent."""
    families = [family for family in FAMILIES if family in set(errors["family"])]
    depths = sorted(int(depth) for depth in errors["depth"].unique())
    canvas = Figure(figsize=(max(5.2 * len(families), 6.5), 6.8), layout="constrained")
    axes = canvas.subplots(len(KINDS), len(families), sharex=True, sharey=True, squeeze=False)
    for row, (kind, (word, counted)) in zip(axes, KINDS.items(), strict=True):
        for ax, family in zip(row, families, strict=True):
            part = errors[(errors["family"] == family) & errors["kind"].isin(["none", kind])]
            draw(part, ax, depths)
            ax.axhline(chance, **CHANCE)
            ax.set_xlabel(f"{counted} / blocks that keep the shape")
            ax.xaxis.set_tick_params(labelbottom=True)
        row[0].set_ylabel(f"{word}\ntest error, %")
    for ax, family in zip(axes[0], families, strict=True):
        ax.set_title(f"{family} nets", color=TEXT[family])
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 100)
    handles = [
        Line2D([], [], linewidth=2, label=f"{depth} layers", **depth_style(index, len(depths)))
        for index, depth in enumerate(depths)
    ]
    handles.append(Line2D([], [], label=chance_label(chance), **CHANCE))
    canvas.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 4 * len(families)),
        frameon=False,
    )
    return canvas


def plot_single_deletions(table: pd.DataFrame, chance: float) -> Figure:
    """A row a family, a column a depth, one scale. `table`: with `changes_shape`."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    depths = sorted(int(depth) for depth in table["depth"].unique())
    canvas = Figure(
        figsize=(min(max(2.9 * len(depths), 6.5), 15), 2.8 * len(families) + 0.8),
        layout="constrained",
    )
    axes = canvas.subplots(len(families), len(depths), sharex="col", sharey=True, squeeze=False)
    for row, family in zip(axes, families, strict=True):
        for ax, depth in zip(row, depths, strict=True):
            part = table[(table["family"] == family) & (table["depth"] == depth)]
            if part.empty:
                ax.text(0.5, 0.5, "no run", transform=ax.transAxes, ha="center", color="0.4")
            else:
                draw_alone(part, ax)
            ax.axhline(chance, **CHANCE)
            ax.set_ylim(0, 100)
        row[0].set_ylabel(f"{family}\ntest error, %", color=TEXT[family])
    for top, bottom, depth in zip(axes[0], axes[-1], depths, strict=True):
        top.set_title(f"{depth} layers")
        bottom.set_xlabel("block that is deleted")
        bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    dots: dict[str, Any] = {"color": "0.25", "linestyle": ""}
    handles = [
        Line2D([], [], marker=".", label="a run", **dots),
        Line2D([], [], marker="x", label="a run, block that changes the shape", **dots),
        Line2D([], [], color="0.25", linewidth=1.5, label="mean over seeds"),
        Line2D([], [], label="intact (mean)", **INTACT),
        Line2D([], [], label=chance_label(chance), **CHANCE),
    ]
    canvas.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3 if len(depths) < 4 else 5,
        frameon=False,
    )
    return canvas
