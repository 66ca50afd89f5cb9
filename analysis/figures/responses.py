"""Figure 7 of He et al. 2015: layer responses in order and sorted, a line a depth; the runs' means against depth."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from analysis.figures import bands, mean_interval
from analysis.figures.style import CHANCE, FAMILIES, depth_style

SHIFT = 0.06  # families stand side by side at each depth
WIDE = 10.0  # largest over smallest: from there on the scale is logarithmic
LEAST = 1e-6  # what is smaller is drawn there on a logarithmic scale


def draw(table: pd.DataFrame, ax: Axes, depths: list[int], by_magnitude: bool) -> Axes:
    """`table`: rows of one family at one moment; with `by_magnitude` each run's layers are sorted, largest first."""
    for index, depth in enumerate(depths):
        part = table[table["depth"] == depth]
        if part.empty:
            continue
        layers = part.pivot_table(index="layer", columns="seed", values="deviation")
        if by_magnitude:
            ordered = -np.sort(-layers.to_numpy(), axis=0)  # what is not known is last
            layers = pd.DataFrame(ordered, index=range(1, len(layers) + 1))
        bands.draw(layers, ax, depth_style(index, len(depths)))
    ax.axhline(1, **CHANCE)
    return ax


def plot(table: pd.DataFrame, means: pd.DataFrame) -> Figure:
    """`table`: layers at the end; `means`: a row a run. All families on one scale, beside them the runs' means."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    depths = sorted(int(depth) for depth in table["depth"].unique())
    wide = table["deviation"].max() > WIDE * max(table["deviation"].min(), LEAST)
    canvas = Figure(figsize=(4.4 * len(families) + 4.8, 6.6), layout="constrained")
    left, right = canvas.subfigures(1, 2, width_ratios=[4.4 * len(families), 4.8], squeeze=False)[0]
    grid = left.subplots(2, len(families), sharex=True, sharey=True, squeeze=False)
    if wide:
        table = table.assign(deviation=table["deviation"].clip(lower=LEAST))
    for column, family in zip(grid.T, families, strict=True):
        for ax, by_magnitude in zip(column, (False, True), strict=True):
            draw(table[table["family"] == family], ax, depths, by_magnitude)
            ax.set_yscale("log" if wide else "linear")
        column[0].set_title(family)
        column[0].set_xlabel("3x3 layer, in order (the picture's first)")
        column[1].set_xlabel("3x3 layer, sorted by magnitude")
    for row in grid:
        row[0].set_ylabel("standard deviation\nof the response")
    handles = [
        Line2D([], [], linewidth=2, label=f"{depth} layers", **depth_style(index, len(depths)))
        for index, depth in enumerate(depths)
    ]
    handles.append(Line2D([], [], label="BN's start", **CHANCE))
    left.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    _beside(right, means, families, depths, wide)
    return canvas


def _beside(
    right: SubFigure, means: pd.DataFrame, families: list[str], depths: list[int], wide: bool
) -> None:
    """All families above, below those with shortcuts alone: their fall may be too small for the common scale."""
    shown = [families, [family for family in families if not family.startswith("plain")]]
    shown = shown if shown[1] and len(families) > 1 else shown[:1]
    axes = right.subplots(len(shown), 1, squeeze=False)[:, 0]
    for ax, group in zip(axes, shown, strict=True):
        for index, family in enumerate(group):
            part = means[means["family"] == family].groupby("depth")["deviation"]
            groups = {int(str(depth)): values.tolist() for depth, values in part}
            style = FAMILIES[family] | {"label": family}
            mean_interval.draw(groups, ax, depths, SHIFT * (2 * index - len(group) + 1), style)
        ax.set_ylabel("standard deviation\nof the response")
        ax.ticklabel_format(axis="y", useOffset=False)
    axes[0].set_title("mean over a run's layers")
    axes[0].set_yscale("log" if wide else "linear")
    if len(shown) > 1:
        axes[1].set_title(f"the same, {' and '.join(shown[1])} alone (own scale)")
    handles, labels = axes[0].get_legend_handles_labels()
    right.legend(handles, labels, loc="outside lower center", ncols=len(families), frameon=False)
