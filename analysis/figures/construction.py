"""Training error of plain networks, and of constructed ones before and after training."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import FINISHED_STATES, TRAINING_ERROR, TRAINING_ERROR_AT_START
from analysis.figures.layout import (
    add_legend_from,
    annotate_beside,
    compute_offset,
    draw_chance,
    list_depths,
    set_depth_axis,
    set_percent_axis,
)
from analysis.figures.mean_interval import draw_means, draw_runs
from analysis.figures.style import FAMILY_STYLES, TEXT_COLORS
from analysis.frame import Frame, group_by_depth
from analysis.summary import compute_interval

UNTRAINED_STYLE: dict[str, Any] = {"color": "0.25", "linestyle": ":", "marker": "D"}
# label, family, column of the frame, style
LINES = (
    ("plain, from scratch", "plain", TRAINING_ERROR, FAMILY_STYLES["plain"]),
    ("constructed, before training", "constructed", TRAINING_ERROR_AT_START, UNTRAINED_STYLE),
    ("constructed, after training", "constructed", TRAINING_ERROR, FAMILY_STYLES["constructed"]),
)
LINE_SPACING = 0.12  # horizontal spacing between lines at one depth; depths are 1 apart


def draw(frame: Frame, ax: Axes, families: tuple[str, ...]) -> Axes:
    """Draw training error (percent) against depth: points are runs, with 95 % intervals."""
    runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES])]
    depths = list_depths(frame.runs)
    for index, (label, family, column, style) in enumerate(LINES):
        if family not in families:
            continue
        x_positions, intervals = [], []
        for depth, group in group_by_depth(runs[runs[column].notna()], family).items():
            x = depths.index(depth) + compute_offset(index, len(LINES), LINE_SPACING)
            interval = compute_interval(group, column)
            errors = group[column].tolist()
            draw_runs([x] * len(errors), errors, ax, style["color"])
            if family == "plain":
                text, point = f"{interval.mean:.1f}", (x, interval.mean)
                annotate_beside(text, point, ax, (-6, 7), TEXT_COLORS[family], ha="right")
            x_positions.append(x)
            intervals.append(interval)
        draw_means(x_positions, intervals, ax, style | {"label": label})
    return set_depth_axis(ax, depths)


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
    right.set_ylim(-0.05 * top, top)  # an interval's lower end may be far below 0
    add_legend_from(figure, left)
    return figure
