"""Training error against one factor, such as the shortcut: one panel per depth."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.figures.layout import (
    add_legend_from,
    annotate_beside,
    compute_offset,
    draw_chance,
    list_depths,
    list_families,
    set_percent_axis,
)
from analysis.figures.mean_interval import draw_means, draw_runs
from analysis.figures.style import FAMILY_STYLES, TEXT_COLORS
from analysis.frame import Frame
from analysis.summary import compute_interval

FAMILY_SPACING = 0.16  # horizontal spacing between families at one value; values are 1 apart


def draw(frame: Frame, ax: Axes, key: str, depth: int, connected: bool) -> Axes:
    """Draw the training error (percent) of one depth, one line per family.

    `key`: the column of `frame.runs` that is the factor; its values are evenly spaced.
    `connected`: join the means of a family by a line, for a factor whose values have an order.
    """
    is_finished = frame.runs["state"].isin([*FINISHED_STATES])
    runs = frame.runs[is_finished & (frame.runs["depth"] == depth)]
    values = sort_values(frame.runs[key])
    for family in list_families(frame.runs):
        family_rows = runs[runs["family"] == family]
        x_positions, intervals = [], []
        for position, value in enumerate(values):
            group = family_rows[family_rows[key] == value]
            if group.empty:
                continue
            families = list_families(runs[runs[key] == value])
            shift = compute_offset(families.index(family), len(families), FAMILY_SPACING)
            x = position + shift
            interval = compute_interval(group, TRAINING_ERROR)
            errors = group[TRAINING_ERROR].tolist()
            draw_runs([x] * len(errors), errors, ax, FAMILY_STYLES[family]["color"])
            _print_mean(family, x, interval.mean, ax)
            x_positions.append(x)
            intervals.append(interval)
        style = FAMILY_STYLES[family] | {"label": family}
        if not connected:
            style["linestyle"] = "none"
        draw_means(x_positions, intervals, ax, style)
    draw_chance(ax, frame.runs["chance"])
    ax.set_xticks(range(len(values)), [str(value) for value in values])
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_title(f"{depth} layers")
    return ax


def _print_mean(family: str, x: float, mean: float, ax: Axes) -> None:
    """Print a mean beside its marker: plain networks on the left, others on the right."""
    shift, side = ((-7, 4), "right") if family.startswith("plain") else ((7, 4), "left")
    annotate_beside(f"{mean:.1f}", (x, mean), ax, shift, TEXT_COLORS[family], ha=side)


def sort_values(column: pd.Series) -> list[Any]:
    """Return the distinct values: numbers in ascending order, text by letter with `none` first."""
    distinct = list(column.dropna().unique())
    return sorted(distinct, key=_sort_key)


def _sort_key(value: Any) -> tuple[bool, Any]:
    return value != "none", value


def plot(frame: Frame, key: str, label: str, connected: bool = True) -> Figure:
    """Return the figure: one panel per depth, all on a shared scale.

    `key` and `connected`: see `draw`. `label`: the label of the horizontal axis, with the unit.
    """
    depths = list_depths(frame.runs)
    figure = Figure(figsize=(max(4.4 * len(depths), 7), 4.6), layout="constrained")
    axes = figure.subplots(1, len(depths), sharey=True, squeeze=False)[0]
    for ax, depth in zip(axes, depths, strict=True):
        draw(frame, ax, key, depth, connected)
        ax.set_xlabel(label)
    set_percent_axis(axes[0], f"training error ({frame.error_kind}, %)", -4)
    add_legend_from(figure, axes[0])
    return figure
