"""Correlation of gradients against the distance of their inputs, a line a depth; its start against depth."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures import bands, mean_interval
from analysis.figures.style import CHANCE, FAMILIES, depth_style
from degradation.metrics import ITERATION

FARTHEST = 0.3  # of a line's length: beyond it little happens
SHIFT = 0.06  # families stand side by side at each depth


def draw(table: pd.DataFrame, ax: Axes, depths: list[int]) -> Axes:
    """`table`: rows of one family and iteration. At distance 0 the correlation is 1."""
    for index, depth in enumerate(depths):
        part = table[(table["depth"] == depth) & (table["distance"] <= FARTHEST)]
        if part.empty:
            continue
        lines = part.pivot_table(index="distance", columns="seed", values="correlation")
        bands.draw(lines, ax, depth_style(index, len(depths)))
    ax.axhline(0, **CHANCE)
    ax.set_xlim(0, FARTHEST)
    return ax


def plot(table: pd.DataFrame, nearest: pd.DataFrame) -> Figure:
    """`nearest`: a row a run at initialisation. All families and moments on one scale, the runs' numbers beside."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    moments = table.drop_duplicates(ITERATION).sort_values(ITERATION)
    depths = sorted(int(depth) for depth in table["depth"].unique())
    canvas = Figure(
        figsize=(4.2 * len(families) + 4.4, 2.9 * len(moments) + 0.8), layout="constrained"
    )
    left, right = canvas.subfigures(1, 2, width_ratios=[4.2 * len(families), 4.4], squeeze=False)[0]
    grid = left.subplots(len(moments), len(families), sharex=True, sharey=True, squeeze=False)
    for row, (_, moment) in zip(grid, moments.iterrows(), strict=True):
        at_moment = table[table[ITERATION] == moment[ITERATION]]
        for ax, family in zip(row, families, strict=True):
            draw(at_moment[at_moment["family"] == family], ax, depths)
        row[0].set_ylabel(f"{moment['moment']}\ncorrelation of gradients")
    for ax, family in zip(grid[0], families, strict=True):
        ax.set_title(family)
    for ax in grid[-1]:
        ax.set_xlabel("distance of the inputs (lengths of the line)")
    handles = [
        Line2D([], [], linewidth=2, label=f"{depth} layers", **depth_style(index, len(depths)))
        for index, depth in enumerate(depths)
    ]
    handles.append(Line2D([], [], label="white noise", **CHANCE))
    left.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    ax = right.subplots()
    for index, family in enumerate(families):
        groups = {int(str(depth)): part["correlation"].tolist() for depth, part in
                  nearest[nearest["family"] == family].groupby("depth")}  # fmt: skip
        style = FAMILIES[family] | {"label": family}
        mean_interval.draw(groups, ax, depths, SHIFT * (2 * index - len(families) + 1), style)
    ax.axhline(0, **CHANCE)
    ax.set_ylim(grid[0][0].get_ylim())
    ax.set_title("at initialisation, smallest distance")
    ax.set_ylabel("correlation of gradients")
    right.legend(loc="outside lower center", ncols=len(families), frameon=False)
    return canvas
