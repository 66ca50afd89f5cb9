"""The shortcut's and the convolutions' term of dE/dx_l over the blocks, and the shortcut's share against depth."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.figures import mean_interval
from analysis.figures.style import FAMILIES
from degradation.metrics import ITERATION

COLUMNS = 3  # depths that are drawn
STRIP: dict[str, Any] = {"color": "0.87", "lw": 0}
SHIFT = 0.06  # moments stand side by side at each depth


def _terms(family: str) -> dict[str, dict[str, Any]]:
    """The column of each term with its label and style; the convolutions' is grey."""
    return {
        "by_shortcut": {
            "label": "by the shortcut, S^T M g",
            "color": FAMILIES[family]["color"],
            "linestyle": "-",
        },
        "by_convolutions": {
            "label": "through the convolutions, F'^T M g",
            "color": "0.25",
            "linestyle": "--",
        },
    }


def draw(table: pd.DataFrame, ax: Axes) -> Axes:
    """`table`: rows of one family, depth and iteration, form `block`. Blocks are counted from 1."""
    for column, style in _terms(str(table["family"].iloc[0])).items():
        relative = table[column].astype(float) / table["gradient"].astype(
            float
        )  # NaN where the gradient is 0
        runs = table.assign(relative=relative).pivot(
            index="block", columns="run_id", values="relative"
        )
        place = runs.index + 1
        ax.plot(
            place, runs.mean(axis=1), linewidth=2, marker="." if len(runs) < 12 else "", **style
        )
        ax.fill_between(
            place, runs.min(axis=1), runs.max(axis=1), alpha=0.2, color=style["color"], lw=0
        )
    for block in table.loc[table["shape_change"].astype(bool), "block"].unique():
        ax.axvspan(block + 0.5, block + 1.5, zorder=0, **STRIP)
    ax.set_xlim(0.5, table["block"].max() + 1.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return ax


def _first_and_last(table: pd.DataFrame) -> pd.DataFrame:
    """A row of each of the first and the last moment, of the one where there is one."""
    moments = table.drop_duplicates(ITERATION).sort_values(ITERATION)
    return moments.iloc[[0, -1]] if len(moments) > 1 else moments


def plot_terms(table: pd.DataFrame) -> Figure:
    """The shallowest, a middle and the deepest depth, at the first and the last moment, on one scale."""
    table = table[table["form"] == "block"]
    depths = sorted(int(depth) for depth in table["depth"].unique())
    if len(depths) > COLUMNS:
        depths = [depths[0], depths[len(depths) // 2], depths[-1]]
    moments = _first_and_last(table)
    canvas = Figure(
        figsize=(max(4.4 * len(depths), 6), 2.8 * len(moments) + 0.8), layout="constrained"
    )
    axes = canvas.subplots(len(moments), len(depths), sharex="col", sharey=True, squeeze=False)
    for row, (_, moment) in zip(axes, moments.iterrows(), strict=True):
        for ax, depth in zip(row, depths, strict=True):
            part = table[(table["depth"] == depth) & (table[ITERATION] == moment[ITERATION])]
            if len(part):
                draw(part, ax)
        row[0].set_ylabel(f"{moment['moment']}\nnorm relative to dE/dx_l")
    for ax, depth in zip(axes[0], depths, strict=True):
        ax.set_title(f"{depth} layers")
    for ax in axes[-1]:
        ax.set_xlabel("block l (1: next to the picture)")
    axes[0, 0].set_ylim(bottom=0)
    handles: list[Line2D | Patch] = [
        Line2D([], [], linewidth=2, **style)
        for style in _terms(str(table["family"].iloc[0])).values()
    ]
    handles.append(Patch(label="the block changes the shape", **STRIP))
    canvas.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return canvas


def plot_share(values: pd.DataFrame, family: str) -> Figure:
    """`values`: a row a run and moment. At initialisation in grey, at the last moment in the family's colour."""
    depths = sorted(int(depth) for depth in values["depth"].unique())
    moments = _first_and_last(values)
    canvas = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = canvas.subplots()
    for index, (_, moment) in enumerate(moments.iterrows()):
        part = values[values[ITERATION] == moment[ITERATION]]
        groups = {
            int(str(depth)): of["shortcut_share"].tolist() for depth, of in part.groupby("depth")
        }
        style = FAMILIES[family] | {"label": str(moment["moment"])}
        if index == 0 and len(moments) > 1:
            style |= {"color": "0.45", "linestyle": ":"}
        mean_interval.draw(groups, ax, depths, SHIFT * (2 * index - len(moments) + 1), style)
    ax.set_ylim(min(0.0, float(values["shortcut_share"].min())), 1)
    ax.set_ylabel("the shortcut's share of dE/dx_l,\nmean over blocks")
    canvas.legend(loc="outside lower center", ncols=2, frameon=False)
    return canvas
