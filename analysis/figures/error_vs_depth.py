"""Error after the last iteration against depth: degradation and its fix in one figure."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import TRAINING_ERROR, is_percentage
from analysis.figures.depth_axis import apply_depth_axis, choose_depth_axis
from analysis.figures.layout import (
    add_legend_from,
    draw_chance,
    list_depths,
    list_families,
    set_percent_axis,
)
from analysis.figures.marks import DIVERGED, describe_marks, mark_equal_runs
from analysis.figures.mean_interval import ERROR_RANGE, UNBOUNDED, draw_means, draw_runs, print_mean
from analysis.figures.style import FAMILY_STYLES
from analysis.finished_runs import select_finished
from analysis.frame import Frame, group_by_depth
from analysis.summary import compute_interval
from degradation.metrics import TEST_ERROR
from degradation.records.schema import State

POSITION = 1
FILE_STEM = "error-against-depth"
LOWEST = -9  # percent: room below 0 for the printed means
CROSS_STYLE: dict[str, Any] = {
    "s": 50,
    "marker": "x",
    "alpha": 0.6,
    "linewidths": 2,
    "zorder": 3,
    "label": DIVERGED,
}


def draw(frame: Frame, ax: Axes, metric: str) -> Axes:
    """Draw one error against depth, with one line per family, from the runs that have finished.

    `metric`: the column of `frame.runs` that is drawn. The axis has every depth of the frame.
    """
    runs = select_finished(frame.runs)
    axis = choose_depth_axis(list_depths(frame.runs), ax)
    families = list_families(runs)
    for index, family in enumerate(families):
        x_positions, intervals = [], []
        for depth, group in group_by_depth(runs, family).items():
            x = axis.separate(depth, index, len(families), ax)
            interval = compute_interval(group, metric)
            _draw_group(group, x, ax, metric)
            mark_equal_runs(group[metric].tolist(), interval, ax)
            print_mean(family, x, interval, ax)
            x_positions.append(x)
            intervals.append(interval)
        is_averaged = any(interval.n > 1 for interval in intervals)
        style = FAMILY_STYLES[family] | {"label": f"{family} (mean)" if is_averaged else family}
        possible = ERROR_RANGE if is_percentage(metric) else UNBOUNDED
        draw_means(x_positions, intervals, ax, style, possible)
    if is_percentage(metric):
        draw_chance(ax, frame.runs["chance"])
    ax.set_title("Test error" if metric == TEST_ERROR else f"Training error ({frame.error_kind})")
    return apply_depth_axis(axis, ax)


def _draw_group(group: pd.DataFrame, x: float, ax: Axes, metric: str) -> None:
    """Draw the runs of one family and depth: points, and crosses for diverged runs."""
    color = FAMILY_STYLES[group["family"].iloc[0]]["color"]
    done = group.loc[group["state"] == State.DONE, metric].tolist()
    diverged = group.loc[group["state"] == State.DIVERGED, metric].tolist()
    draw_runs([x] * len(done), done, ax, color)
    if diverged:
        ax.scatter([x] * len(diverged), diverged, color=color, **CROSS_STYLE)


def applies_to(_frame: Frame) -> bool:
    """Return True: every condition has this figure."""
    return True


def describe(figure: Figure) -> str:
    """Return the caption."""
    subject = (
        "Error after the last iteration against depth: training error first, then test error, on "
        "a shared scale."
    )
    return f"{subject} {describe_marks(figure)}"


def plot(frame: Frame) -> Figure:
    """Return the figure: training error on the left, test error on the right, on a shared scale."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    draw(frame, left, TRAINING_ERROR)
    draw(frame, right, TEST_ERROR)
    set_percent_axis(left, "error after the last iteration (%)", LOWEST)
    add_legend_from(figure, left)
    figure.suptitle("Error after the last iteration against depth")
    return figure
