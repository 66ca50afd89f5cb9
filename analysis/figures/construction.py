"""Training error of plain networks, and of constructed ones before and after training."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import TRAINING_ERROR, TRAINING_ERROR_AT_START
from analysis.figures.depth_axis import apply_depth_axis, choose_depth_axis
from analysis.figures.layout import (
    add_legend_from,
    draw_chance,
    list_depths,
    set_percent_axis,
)
from analysis.figures.mean_interval import ERROR_RANGE, draw_means, draw_runs, print_mean
from analysis.figures.style import FAMILY_STYLES
from analysis.finished_runs import select_finished
from analysis.frame import Frame, group_by_depth
from analysis.summary import compute_interval

UNTRAINED_STYLE: dict[str, Any] = {"color": "0.25", "linestyle": ":", "marker": "D"}
# label, family, column of the frame, style
LINES = (
    ("plain, from scratch", "plain", TRAINING_ERROR, FAMILY_STYLES["plain"]),
    ("constructed, before training", "constructed", TRAINING_ERROR_AT_START, UNTRAINED_STYLE),
    ("constructed, after training", "constructed", TRAINING_ERROR, FAMILY_STYLES["constructed"]),
)


def draw(frame: Frame, ax: Axes, families: tuple[str, ...]) -> Axes:
    """Draw training error (percent) against depth: points are runs, with 95 % intervals."""
    runs = select_finished(frame.runs)
    axis = choose_depth_axis(list_depths(frame.runs), ax)
    for index, (label, family, column, style) in enumerate(LINES):
        if family not in families:
            continue
        x_positions, intervals = [], []
        for depth, group in group_by_depth(runs[runs[column].notna()], family).items():
            x = axis.separate(depth, index, len(LINES), ax)
            interval = compute_interval(group, column)
            errors = group[column].tolist()
            draw_runs([x] * len(errors), errors, ax, style["color"])
            if family == "plain":
                print_mean(family, x, interval, ax)
            x_positions.append(x)
            intervals.append(interval)
        draw_means(x_positions, intervals, ax, style | {"label": label}, ERROR_RANGE)
    return apply_depth_axis(axis, ax)


def plot(frame: Frame) -> Figure:
    """Return the figure: all networks on the left, the constructed ones enlarged on the right."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw(frame, left, ("plain", "constructed"))
    draw(frame, right, ("constructed",))
    left.set_title("plain and constructed networks")
    right.set_title("constructed networks only, enlarged")
    draw_chance(left, frame.runs["chance"])
    set_percent_axis(left, f"training error ({frame.error_kind}, %)", -4)
    right.set_ylabel(f"training error ({frame.error_kind}, %)")
    top = right.get_ylim()[1]
    right.set_ylim(-0.05 * top, top)
    add_legend_from(figure, left)
    figure.suptitle("Training error of plain and of constructed networks")
    return figure
