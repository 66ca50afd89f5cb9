"""Means over seeds and their spread: the only place where figures draw them.

A per-run value is drawn as one point per run, with the mean of each group of runs and its 95 %
Student-t confidence interval. Per-run curves are drawn as the mean curve, with a band from the
lowest run to the highest.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.estimates import Interval
from analysis.figures.depth_axis import apply_depth_axis, choose_depth_axis
from analysis.figures.marks import (
    CUT_INTERVAL,
    GEOMETRIC_BAND,
    INTERVAL,
    JOINED_MEANS,
    MEAN_BAND,
    PRINTED_MEAN,
    PRINTED_RUN,
    RUN,
)
from analysis.figures.mean_labels import ABOVE, BELOW, print_beside
from analysis.figures.style import TEXT_COLORS
from analysis.statistics import student_interval

POINT_STYLE: dict[str, Any] = {"s": 20, "alpha": 0.6, "linewidths": 0.6, "zorder": 3, "label": RUN}
ERROR_RANGE = (0.0, 100.0)  # an error lies between these
UNBOUNDED = (-math.inf, math.inf)


def draw_runs(x_positions: Sequence[float], values: Sequence[float], ax: Axes, color: Any) -> Axes:
    """Draw one point per run."""
    ax.scatter(x_positions, values, color=color, **POINT_STYLE)
    return ax


def draw_means(
    x_positions: Sequence[float],
    intervals: Sequence[Interval],
    ax: Axes,
    style: Mapping[str, Any],
    possible: tuple[float, float] = UNBOUNDED,
) -> Axes:
    """Draw the means of groups of runs, joined by a line, and each interval as an error bar.

    `style`: the style of the line and its markers. A group of one run has no interval and no bar.
    `possible`: the lowest and the highest value that exists; bars end there.
    """
    means = [interval.mean for interval in intervals]
    ax.plot(x_positions, means, **{"linewidth": 2, "markersize": 6, **style})
    bounded = [index for index, interval in enumerate(intervals) if interval.n > 1]
    if not bounded:
        return ax
    ends = np.array([(intervals[index].low, intervals[index].high) for index in bounded])
    drawn_ends = ends.clip(*possible)
    centres = np.array(means)[bounded]
    bars = ax.errorbar(
        np.array(x_positions)[bounded],
        centres,
        [centres - drawn_ends[:, 0], drawn_ends[:, 1] - centres],
        fmt="none",
        ecolor=style["color"],
        capsize=4,
        linewidth=1.2,
    )
    for bar in bars.lines[2]:
        bar.set_label(INTERVAL if np.array_equal(ends, drawn_ends) else CUT_INTERVAL)
    if len(x_positions) > 1:
        for bar_end in bars.lines[1]:
            bar_end.set_label(JOINED_MEANS)
    return ax


def print_mean(family: str, x: float, interval: Interval, ax: Axes) -> None:
    """Print a mean beside its marker, where there is room: if possible above it or below it.

    Plain networks above, others below, since the error of the latter is usually the lower one. What
    is printed of a single run is its error, and no mean.
    """
    directions = ABOVE if family.startswith("plain") else BELOW
    mark = PRINTED_MEAN if interval.n > 1 else PRINTED_RUN
    color = TEXT_COLORS[family]
    print_beside(f"{interval.mean:.1f}", (x, interval.mean), ax, color, directions, mark)


def draw_over_depth(
    groups: Mapping[int, Sequence[float]],
    ax: Axes,
    depths: Sequence[int],
    place: tuple[int, int],
    style: Mapping[str, Any],
) -> Axes:
    """Draw a per-run value against depth: points, means and 95 % confidence intervals.

    `groups`: the runs' values by depth; those that are not finite are not drawn. `depths`: all
    depths of the axis. `place`: (index, count) of what is drawn side by side at one depth.
    """
    axis = choose_depth_axis(depths, ax)
    x_positions, intervals = [], []
    for depth, values in groups.items():
        finite = [value for value in values if np.isfinite(value)]
        if not finite:
            continue
        x = axis.separate(depth, *place, ax)
        draw_runs([x] * len(finite), finite, ax, style["color"])
        x_positions.append(x)
        intervals.append(student_interval(finite))
    draw_means(x_positions, intervals, ax, style)
    return apply_depth_axis(axis, ax)


def draw_curves(
    curves: pd.DataFrame, ax: Axes, style: Mapping[str, Any], geometric: bool = False
) -> Axes:
    """Draw the mean of several runs' curves, with a band from the lowest run to the highest.

    The curve of a single run has no band. `curves`: one column per run, indexed by the horizontal
    axis. `geometric`: draw the geometric mean, for positive values on a logarithmic axis.
    """
    mean = 10 ** np.log10(curves).mean(axis=1) if geometric else curves.mean(axis=1)
    ax.plot(curves.index, mean, **{"linewidth": 2, **style})
    if curves.shape[1] == 1:
        return ax
    lowest, highest = curves.min(axis=1), curves.max(axis=1)
    label = GEOMETRIC_BAND if geometric else MEAN_BAND
    ax.fill_between(
        curves.index, lowest, highest, alpha=0.15, color=style["color"], lw=0, label=label
    )
    return ax
