"""The norm of a gradient over the blocks, a row a family, a column a moment of the training, a line a depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import FAMILIES, depth_style
from degradation.metrics import ITERATION

LEAST = 1e-14  # what is smaller is drawn there


def draw(table: pd.DataFrame, ax: Axes, depths: list[int], column: str) -> Axes:
    """`table`: rows of one family and iteration; `column`: the norm.

    The place of a block is its share of the way from input to output.
    """
    for index, depth in enumerate(depths):
        part = table[table["depth"] == depth]
        if part.empty:
            continue
        norms = part.pivot_table(index="block", columns="seed", values=column).clip(lower=LEAST)
        place = norms.index / max(int(norms.index.max()), 1)
        style = depth_style(index, len(depths))
        ax.plot(place, 10 ** np.log10(norms).mean(axis=1), linewidth=2, **style)
        ax.fill_between(
            place, norms.min(axis=1), norms.max(axis=1), alpha=0.15, color=style["color"], lw=0
        )
    ax.set_yscale("log")
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["first", "", "last"])
    return ax


def plot(table: pd.DataFrame, column: str, label: str) -> Figure:
    """All families and moments on one scale."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    moments = table.drop_duplicates(ITERATION).sort_values(ITERATION)
    depths = sorted(int(depth) for depth in table["depth"].unique())
    canvas = Figure(
        figsize=(max(2.7 * len(moments), 6), 2.9 * len(families) + 0.8), layout="constrained"
    )
    axes = canvas.subplots(len(families), len(moments), sharex=True, sharey=True, squeeze=False)
    for row, family in zip(axes, families, strict=True):
        for ax, (_, moment) in zip(row, moments.iterrows(), strict=True):
            draw(
                table[(table["family"] == family) & (table[ITERATION] == moment[ITERATION])],
                ax,
                depths,
                column,
            )
        row[0].set_ylabel(f"{family}\n{label}")
    for ax, moment in zip(axes[0], moments["moment"], strict=True):
        ax.set_title(moment)
    for ax in axes[-1]:
        ax.set_xlabel("block")
        for tick, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
            tick.set_horizontalalignment(side)
    handles = [
        Line2D([], [], linewidth=2, label=f"{depth} layers", **depth_style(index, len(depths)))
        for index, depth in enumerate(depths)
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return canvas
