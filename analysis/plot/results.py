"""Errors of runs: against depth, against any key, and against iteration."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from analysis.columns import TRAINING_ERROR, is_percentage
from analysis.condition_labels import name_key
from analysis.figures import error_vs_depth
from analysis.figures.error_vs_factor import LOWEST, build_axis
from analysis.figures.layout import (
    draw_chance,
    list_depths,
    list_families,
    set_percent_axis,
)
from analysis.figures.mean_interval import (
    ERROR_RANGE,
    UNBOUNDED,
    draw_curves,
    draw_means,
    draw_runs,
)
from analysis.figures.value_axis import ValueAxis
from analysis.finished_runs import is_finished, select_finished
from analysis.plot.equal_settings import RUNS, check_equal_settings
from analysis.plot.panel import add_legend, panel
from analysis.plot.selection import check_columns, line_style
from analysis.summary import compute_interval
from analysis.tables import ERROR_KIND, to_frame
from degradation.config import ConfigError
from degradation.metrics import ITERATION, METRICS, PERCENT, TEST_ERROR

OTHER_MARGIN = 0.15  # of the range of a metric that is not an error, for the printed means


def error_against_depth(
    runs: pd.DataFrame, ax: Axes | None = None, metric: str = TRAINING_ERROR
) -> Axes:
    """Draw an error (percent) against depth: points are runs, lines join the means over seeds.

    Error bars are 95 % Student-t confidence intervals. Only finished runs are drawn; a diverged one
    is a cross at chance error.

    Args:
        runs: rows of `load_runs` that differ in family, depth and seed only.
        metric: the column to draw, such as "test/error".

    Raises:
        UserError: the table has no rows or lacks a column, or the runs differ in other keys.
    """
    check_columns(runs, [metric])
    runs = _drop_repeated(runs, "depth")
    frame = to_frame(runs)
    check_equal_settings(select_finished(runs), RUNS)
    with panel(ax) as axes:
        error_vs_depth.draw(frame, axes, metric)
        if metric not in (TRAINING_ERROR, TEST_ERROR):
            axes.set_title(METRICS[metric].label.capitalize() if metric in METRICS else metric)
        if is_percentage(metric):
            set_percent_axis(axes, "error after the last iteration (%)", error_vs_depth.LOWEST)
        else:
            axes.set_ylabel(_metric_label(metric, runs))
            axes.margins(y=OTHER_MARGIN)
        add_legend(axes)
        return axes


def error_against(
    runs: pd.DataFrame, key: str, ax: Axes | None = None, metric: str = TRAINING_ERROR
) -> Axes:
    """Draw an error (percent) against any column, one line per family and depth.

    If the column follows from the depth, as the number of parameters may, there is one line per
    family.
    Points are runs, lines join the means, with 95 % Student-t confidence intervals. Numbers have a
    numeric axis, which is logarithmic if that spaces them more evenly; other values are
    categories, whose means are not joined. Runs without a value are not drawn.

    Args:
        runs: rows of `load_runs` that differ in family, depth, seed and this key only, and in keys
            that follow from it.
        key: the column on the horizontal axis, such as "optim.lr".
        metric: the column to draw, such as "test/error".

    Raises:
        UserError: the table has no rows or lacks a column, or the runs differ in other keys.
    """
    check_columns(runs, [key, metric])
    runs = _drop_repeated(runs, key)
    table = to_frame(runs).runs.assign(**{key: runs[key].to_numpy()})
    check_equal_settings(select_finished(runs), RUNS, key)
    finished = table[is_finished(table) & table[key].notna()]
    check_columns(finished, [key])
    axis = build_axis(finished[key])
    families, depths = list_families(finished), list_depths(finished)
    keys = ["family", "depth"]
    if _has_one_depth_per_value(finished, key):
        keys, depths = ["family"], depths[:1]  # the lines differ in family only
    groups = list(finished.groupby(keys))
    with panel(ax) as axes:
        for index, (_, group) in enumerate(groups):
            family, depth = str(group["family"].iloc[0]), int(group["depth"].iloc[0])
            style = {"marker": "o"} | line_style(family, depth, families, depths)
            _draw_line(group, key, axes, metric, axis, (index, len(groups)), style)
        axis.apply(axes)
        axes.set_xlabel(name_key(key))
        if is_percentage(metric):
            draw_chance(axes, table["chance"])
            set_percent_axis(axes, _metric_label(metric, runs), LOWEST)
        else:
            axes.set_ylabel(_metric_label(metric, runs))
        add_legend(axes)
        return axes


def error_against_iteration(
    curves: pd.DataFrame, ax: Axes | None = None, metric: str = TRAINING_ERROR
) -> Axes:
    """Draw a metric against iteration: means over runs, with a band from lowest to highest.

    There is one line per family and depth; a diverged run counts as chance error. Runs that have
    not finished are not drawn, since the late points would be means over other runs than the early
    ones.

    Args:
        curves: rows of `load_curves` whose runs differ in family, depth and seed only.
        metric: the column to draw, such as "test/error" or "train/clean_loss".

    Raises:
        UserError: no run has finished, the table lacks a column, or the runs differ in other keys.
    """
    check_columns(curves, ["run_id", "family", "depth", "state", ITERATION, metric])
    curves = select_finished(curves)
    if curves.empty:
        raise ConfigError("state: no run of the table has finished; allowed: at least one")
    check_equal_settings(curves, "curves")
    curves = curves.drop_duplicates(["run_id", ITERATION])  # tables may have been joined
    families, depths = list_families(curves), list_depths(curves)
    with panel(ax) as axes:
        for (family, depth), group in curves.groupby(["family", "depth"], sort=True):
            table = group.pivot(index=ITERATION, columns="run_id", values=metric)
            style = line_style(str(family), int(str(depth)), families, depths)
            style.pop("marker", None)
            draw_curves(table.astype(float), axes, style)
        if "chance" in curves and is_percentage(metric):
            draw_chance(axes, curves["chance"])
            axes.set_ylim(bottom=0)
        axes.set_xlabel("iteration")
        axes.set_ylabel(_metric_label(metric, curves))
        add_legend(axes)
        return axes


def _drop_repeated(runs: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return each run once per value of a column: tables of record roots may have been joined.

    A run that counted twice would make the intervals narrower.
    """
    return runs.drop_duplicates(["run_id", key]) if "run_id" in runs else runs


def _has_one_depth_per_value(runs: pd.DataFrame, key: str) -> bool:
    """Return whether, in each family, every value of a column belongs to a depth of its own."""
    depths = runs.groupby(["family", key])["depth"].nunique()
    values = runs.groupby(["family", "depth"])[key].nunique()
    return bool(depths.max() == 1 and values.max() == 1)


def _draw_line(
    group: pd.DataFrame,
    key: str,
    ax: Axes,
    metric: str,
    axis: ValueAxis,
    place: tuple[int, int],
    style: dict[str, Any],
) -> None:
    """Draw the runs of one family and depth, and their means, joined if the values are ordered."""
    x_positions, intervals = [], []
    for value in axis.positions:
        same = group[group[key] == value].dropna(subset=metric)
        if same.empty:
            continue
        x = axis.separate(value, *place, ax)
        draw_runs([x] * len(same), same[metric].tolist(), ax, style["color"])
        x_positions.append(x)
        intervals.append(compute_interval(same, metric))
    if not axis.is_ordered:
        style = style | {"linestyle": "none"}
    possible = ERROR_RANGE if is_percentage(metric) else UNBOUNDED
    draw_means(x_positions, intervals, ax, style, possible)


def _metric_label(metric: str, table: pd.DataFrame) -> str:
    """Return the label of an axis, with the unit."""
    if metric == TRAINING_ERROR:
        return f"training error ({table.attrs.get(ERROR_KIND, 'clean')}, %)"
    if metric not in METRICS:
        return metric
    known = METRICS[metric]
    unit = {PERCENT: " (%)", "1": ""}.get(known.unit, f" ({known.unit})")
    return f"{known.label}{unit}"
