"""Training error against one factor, such as the width: one panel per depth."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import TRAINING_ERROR
from analysis.condition_labels import (
    NULL,
    OPTIONS_PREFIX,
    format_values,
    label_values,
    name_key,
    sort_values,
)
from analysis.figures.layout import (
    add_joint_legend,
    draw_chance,
    label_first_column,
    list_depths,
    list_families,
    make_panels,
    set_panel_title,
    show_text,
)
from analysis.figures.mean_interval import ERROR_RANGE, draw_means, draw_runs, print_mean
from analysis.figures.style import FAMILY_STYLES
from analysis.figures.value_axis import ValueAxis, choose_axis
from analysis.finished_runs import is_finished
from analysis.frame import Frame
from analysis.summary import compute_interval

MAX_PRINTED_VALUES = 6  # with more values, the means are not printed
LOWEST = -9  # percent: room below 0 for the printed means


def draw(frame: Frame, ax: Axes, key: str, depth: int) -> Axes:
    """Draw the training error (percent) of one depth, one line per family.

    The means of a family are joined by a line if the values are numbers. Networks whose value is
    null, such as plain ones that lack an option of the block, are a horizontal line at their mean.

    `key`: the column of `frame.runs` that is the factor. The axis has all values of the frame.
    """
    axis = build_axis(frame.runs[key])
    has_result = is_finished(frame.runs)
    runs = frame.runs[has_result & (frame.runs["depth"] == depth)]
    for family in list_families(frame.runs):
        family_runs = runs[runs["family"] == family]
        x_positions, intervals = [], []
        for value in axis.positions:
            group = family_runs[family_runs[key] == value]
            if group.empty:
                continue
            families = list_families(runs[runs[key] == value])
            x = axis.separate(value, families.index(family), len(families), ax)
            interval = compute_interval(group, TRAINING_ERROR)
            errors = group[TRAINING_ERROR].tolist()
            draw_runs([x] * len(errors), errors, ax, FAMILY_STYLES[family]["color"])
            if len(axis.positions) <= MAX_PRINTED_VALUES:
                print_mean(family, x, interval, ax)
            x_positions.append(x)
            intervals.append(interval)
        style = FAMILY_STYLES[family] | {"label": family}
        if not axis.is_ordered:
            style["linestyle"] = "none"
        if x_positions:
            draw_means(x_positions, intervals, ax, style, ERROR_RANGE)
        _draw_without_value(family_runs[family_runs[key].isna()], _label_null(family, key), ax)
    draw_chance(ax, frame.runs["chance"])
    axis.apply(ax)
    ax.set_title(f"{depth} layers")
    return ax


def build_axis(column: pd.Series) -> ValueAxis:
    """Return the axis of a factor with the values of this column."""
    values = sort_values(column)
    return choose_axis(values, format_values(values))


def _label_null(family: str, key: str) -> str:
    """Return what is said of the networks of a family whose value of the factor is null."""
    if key.startswith(f"config.{OPTIONS_PREFIX}"):
        return f"{family}, which has no such option"
    return f"{family}, {label_values(key, [NULL])[NULL]}"


def _draw_without_value(runs: pd.DataFrame, label: str, ax: Axes) -> None:
    """Draw the mean error of the runs of one family whose value is null as a horizontal line."""
    if runs.empty:
        return
    style = FAMILY_STYLES[runs["family"].iloc[0]]
    ax.axhline(
        runs[TRAINING_ERROR].mean(),
        color=style["color"],
        linestyle=style["linestyle"],
        label=label,
    )


def plot(strata: Mapping[str, Frame], key: str, label: str) -> Figure:
    """Return the figure: a panel per stratum and depth, all on a shared scale.

    Args:
        strata: the runs of each stratum, by its label; the only one may have an empty label.
        key: the column of `Frame.runs` that is the factor.
        label: the label of the horizontal axis, with the unit.
    """
    figure, groups = make_panels([len(list_depths(frame.runs)) for frame in strata.values()])
    for (stratum, frame), panels in zip(strata.items(), groups, strict=True):
        for ax, depth in zip(panels, list_depths(frame.runs), strict=True):
            draw(frame, ax, key, depth)
            ax.set_xlabel(show_text(label))
            set_panel_title(ax, ", ".join(filter(None, (f"{depth} layers", stratum))))
    for frame, panels in zip(strata.values(), groups, strict=True):  # once all panels are drawn
        label_first_column(panels, f"training error ({frame.error_kind}, %)", LOWEST)
    add_joint_legend(figure)
    figure.suptitle(show_text(f"Training error by {name_key(key)}"))
    return figure
