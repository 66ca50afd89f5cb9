"""Means over seeds and their spread: the only place where figures draw them.

A per-run value is drawn as one point per run, with the mean of each group of runs and its 95 %
Student-t confidence interval. Per-run curves are drawn as the mean curve, with a band from the
lowest run to the highest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.layout import annotate_beside, set_depth_axis
from analysis.figures.style import TEXT_COLORS
from analysis.statistics import Interval, student_interval

POINT_STYLE: dict[str, Any] = {"s": 20, "alpha": 0.6, "linewidths": 0.6, "zorder": 3}


def draw_runs(x_positions: Sequence[float], values: Sequence[float], ax: Axes, color: Any) -> Axes:
    """Draw one point per run."""
    ax.scatter(x_positions, values, color=color, **POINT_STYLE)
    return ax


def draw_means(
    x_positions: Sequence[float], intervals: Sequence[Interval], ax: Axes, style: Mapping[str, Any]
) -> Axes:
    """Draw the means of groups of runs, joined by a line, and each interval as an error bar.

    `style`: the style of the line and its markers. A group of one run has no interval and no bar.
    """
    means = [interval.mean for interval in intervals]
    ax.plot(x_positions, means, **{"linewidth": 2, "markersize": 6, **style})
    bounded = [index for index, interval in enumerate(intervals) if interval.n > 1]
    if bounded:
        below = [intervals[index].mean - intervals[index].low for index in bounded]
        above = [intervals[index].high - intervals[index].mean for index in bounded]
        ax.errorbar(
            [x_positions[index] for index in bounded],
            [means[index] for index in bounded],
            [below, above],
            fmt="none",
            ecolor=style["color"],
            capsize=4,
            linewidth=1.2,
        )
    return ax


def print_mean(family: str, x: float, interval: Interval, ax: Axes) -> None:
    """Print a mean beside its marker.

    Plain networks to the upper left, others to the lower right, so that they do not collide where
    both errors are near zero.
    """
    text = f"{interval.mean:.1f}"
    color = TEXT_COLORS[family]
    if family.startswith("plain"):
        annotate_beside(text, (x, interval.mean), ax, (-6, 7), color, ha="right")
    else:
        annotate_beside(text, (x, interval.mean), ax, (5, -6), color, ha="left", va="top")


def draw_over_depth(
    groups: Mapping[int, Sequence[float]],
    ax: Axes,
    depths: Sequence[int],
    shift: float,
    style: Mapping[str, Any],
) -> Axes:
    """Draw a per-run value against depth: points, means and 95 % confidence intervals.

    `groups`: the runs' values by depth; those that are not finite are not drawn. `depths`: all
    depths of the axis, evenly spaced. `shift`: horizontal offset that separates the families.
    """
    x_positions, intervals = [], []
    for depth, values in groups.items():
        finite = [value for value in values if np.isfinite(value)]
        if not finite:
            continue
        x = depths.index(depth) + shift
        draw_runs([x] * len(finite), finite, ax, style["color"])
        x_positions.append(x)
        intervals.append(student_interval(finite))
    draw_means(x_positions, intervals, ax, style)
    return set_depth_axis(ax, depths)


def draw_curves(
    curves: pd.DataFrame, ax: Axes, style: Mapping[str, Any], geometric: bool = False
) -> Axes:
    """Draw the mean of several runs' curves, with a band from the lowest run to the highest.

    `curves`: one column per run, indexed by the horizontal axis. `geometric`: draw the geometric
    mean, for positive values on a logarithmic axis.
    """
    mean = 10 ** np.log10(curves).mean(axis=1) if geometric else curves.mean(axis=1)
    ax.plot(curves.index, mean, **{"linewidth": 2, **style})
    lowest, highest = curves.min(axis=1), curves.max(axis=1)
    ax.fill_between(curves.index, lowest, highest, alpha=0.15, color=style["color"], lw=0)
    return ax
