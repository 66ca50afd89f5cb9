"""Paths by length: how many, what one carries, what all carry (Veit et al. 2016, figure 6)."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.depth_axis import apply_depth_axis, choose_depth_axis
from analysis.figures.layout import MAX_WIDTH, add_legend, list_depths, list_families, widen_gaps
from analysis.figures.marks import RUN
from analysis.figures.mean_interval import draw_curves
from analysis.probes import END, INITIALISATION

CAPTION = (
    "Paths through the deepest residual network by their length, at initialisation and at the end "
    "of training. Number of paths: how many of the 2^n paths have that length, "
    "as a fraction of all. What one path carries: the norm of its gradient, on a logarithmic "
    "scale; a falling line means that the convolutions shrink the gradient, a rising one that they "
    "amplify it. What all paths of a length carry: the norm of the sum of their gradients, as a "
    "fraction of their total, with the effective lengths as vertical lines and the number of paths "
    "in grey; a curve to the left of the grey one means that short paths carry the gradient. All "
    "depths: the effective length divided by n."
)
COUNT, HALF = "fraction of all paths", "$n/2$, the mean length"  # entries of the legend
COUNT_STYLE: dict[str, Any] = {"color": "0.55", "linewidth": 1.5}
HALF_STYLE: dict[str, Any] = {"color": "0.25", "linestyle": ":", "linewidth": 1.5}
EFFECTIVE_STYLE: dict[str, Any] = {"linestyle": (0, (5, 2, 1, 2)), "linewidth": 1.5}
# Two time points of one family differ in colour, line style and marker.
TIME_POINT_STYLES: dict[str, dict[str, Any]] = {
    INITIALISATION: {"color": "#E69F00", "linestyle": "--", "marker": "^"},
    END: {"color": "#0072B2", "linestyle": "-", "marker": "o"},
}


def draw(table: pd.DataFrame, ax: Axes, column: str, markers: bool = False) -> Axes:
    """Draw the mean of `column` over runs against path length, with the range over runs.

    `table`: rows of the probe `paths` of one family, depth and time point. `markers`: mark each
    length, for a quantity that is measured at some lengths only.
    """
    time_point = table["time_point"].iloc[0]
    style = TIME_POINT_STYLES[time_point] | {"label": time_point, "markersize": 5}
    if not markers:
        style["marker"] = ""
    curves = table.pivot_table(index="length", columns="run_id", values=column)
    return draw_curves(curves, ax, style)


def draw_effective_lengths(lengths: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the effective length divided by n against depth: one point per run, means as lines.

    `lengths`: one row per run and time point, of one family, with `effective` and `blocks` (n).
    """
    axis = choose_depth_axis(list_depths(lengths), ax)
    for time_point, style in TIME_POINT_STYLES.items():
        rows = lengths[lengths["time_point"] == time_point].dropna(subset="effective")
        fractions = rows["effective"] / rows["blocks"]
        means = fractions.groupby(rows["depth"]).mean()
        line = {key: style[key] for key in ("color", "linestyle")} | {"label": time_point}
        ax.plot([axis.positions[depth] for depth in means.index], means, **line)
        marks: dict[str, Any] = {"color": style["color"], "marker": style["marker"], "label": RUN}
        ax.scatter(rows["depth"].map(axis.positions), fractions, s=28, **marks)
    ax.axhline(0.5, **HALF_STYLE)
    apply_depth_axis(axis, ax)
    ax.set_ylim(0, 1)
    ax.set_title("all depths")
    ax.set_ylabel("effective length / $n$")
    return ax


def plot(table: pd.DataFrame, lengths: pd.DataFrame) -> Figure:
    """Return the figure: two rows per family, with two panels each.

    Three panels show the deepest network by path length, the fourth the effective length at all
    depths. `table`: rows of the probe `paths`. `lengths`: see `draw_effective_lengths`.
    """
    families = list_families(table)
    figure = Figure(figsize=(MAX_WIDTH, 6.6 * len(families) + 0.5), layout="constrained")
    axes = figure.subplots(2 * len(families), 2).reshape(len(families), 4)
    for row, family in zip(axes, families, strict=True):
        family_rows = lengths[lengths["family"] == family]
        rows = table[(table["family"] == family) & table["time_point"].isin(TIME_POINT_STYLES)]
        deepest = rows["depth"].max()
        rows = _add_shares(rows[rows["depth"] == deepest])
        _draw_by_length(rows, family_rows[family_rows["depth"] == deepest], row[:3])
        draw_effective_lengths(family_rows, row[3])
        row[0].set_title(f"{family}, {deepest} layers: number of paths")
    widen_gaps(figure, vertical=0.07)
    add_legend(figure, _order_handles(axes[0][2]), columns=3)
    figure.suptitle("Paths of the gradient by their length")
    return figure


def _order_handles(ax: Axes) -> list[Artist]:
    """Return the legend's entries so that three columns have two each that belong together."""
    handles, labels = ax.get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    order = [COUNT, HALF]
    for time_point in TIME_POINT_STYLES:
        order += [time_point, _name_effective(time_point)]
    return [by_label[label] for label in order if label in by_label]


def _name_effective(time_point: str) -> str:
    return f"effective length, {time_point}"


def _add_shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the column `share`: each length's norm over the sum of a run's norms at one time point.

    NaN if a norm is not finite, or all are zero.
    """
    norms = rows.groupby(["run_id", "time_point"])["sum_gradient"]
    totals = norms.transform(_sum_or_nan)
    return rows.assign(share=rows["sum_gradient"] / totals.where(totals > 0))


def _sum_or_nan(norms: pd.Series) -> float:
    """Return the sum, or NaN if a norm is NaN."""
    return float(norms.sum(skipna=False))


def _draw_by_length(rows: pd.DataFrame, lengths: pd.DataFrame, axes: Sequence[Axes]) -> None:
    """Draw three panels by path length: number of paths, one path's norm, all paths' norms.

    `rows`: the rows of one family and depth, with `share`. `lengths`: the effective lengths of its
    runs.
    """
    count, single, total = axes
    n = int(rows["length"].max())
    paths = rows.groupby("length")["paths"].first()
    for ax in (count, total):
        ax.plot(paths.index, paths / paths.sum(), label=COUNT, **COUNT_STYLE)
    for time_point in TIME_POINT_STYLES:
        at_time_point = rows[rows["time_point"] == time_point]
        if at_time_point.empty:
            continue
        sampled = at_time_point.dropna(subset="path_gradient")
        if not sampled.empty:
            draw(sampled, single, "path_gradient", markers=True)
        if at_time_point["share"].notna().any():
            draw(at_time_point, total, "share")
        effective = lengths.loc[lengths["time_point"] == time_point, "effective"].mean()
        style = EFFECTIVE_STYLE | {"color": TIME_POINT_STYLES[time_point]["color"]}
        if not math.isnan(effective):
            total.axvline(effective, label=_name_effective(time_point), **style)
    for ax in axes:
        ax.axvline(n / 2, label=HALF, **HALF_STYLE)
        ax.set_xlim(0, n)
        ax.set_xlabel("path length (blocks)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    count.set_ylabel("fraction of all paths")
    single.set_title("what one path carries")
    single.set_ylabel("norm of one path's $dE/dx$")
    single.set_yscale("log")
    total.set_title("what all paths of a length carry")
    total.set_ylabel("fraction of the total norm of $dE/dx$")
    highest = max(count.get_ylim()[1], total.get_ylim()[1])
    for ax in (count, total):
        ax.set_ylim(0, highest)
