"""What the probes measured, one panel of each of the report's figures.

Each function takes rows that `load_probes` returned for the probe that its docstring names. A panel
shows one family, and one time point where the probe has several; `family` may be omitted if the
table has only one. Functions raise UserError if the rows lack the requested values, if the runs of
the family differ in more than depth and seed, or if they were not all measured in the same way.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.family_pairs import family_pair
from analysis.figures import gradient_flow as gradient_flow_figure
from analysis.figures import gradient_identity as gradient_identity_figure
from analysis.figures import landscape as landscape_figure
from analysis.figures import lesions as lesions_figure
from analysis.figures import paths as paths_figure
from analysis.figures import responses as responses_figure
from analysis.figures import shattering as shattering_figure
from analysis.figures.layout import list_depths, make_depth_handles
from analysis.mechanisms.landscape import SPECIFICATION
from analysis.mechanisms.lesions import average_lesions, mark_shape_changes
from analysis.mechanisms.paths import measure_lengths
from analysis.plot.equal_settings import check_equal_settings
from analysis.plot.panel import add_legend, panel
from analysis.plot.selection import select_one
from analysis.probes import END, INITIALISATION
from degradation.config import ConfigError
from degradation.records.schema import IMAGES


def gradient_flow(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    time_point: str = INITIALISATION,
    column: str = "input_gradient",
) -> Axes:
    """Draw the norm of the gradient at each block, one line per depth: probe `gradient_flow`.

    `column`: "input_gradient" (dE/dx) or "weight_gradient" (dE/dW).
    """
    rows = select_one(_select_family(table, family), "time_point", time_point)
    depths = list_depths(rows)
    with panel(ax) as axes:
        gradient_flow_figure.draw(rows, axes, depths, column)
        axes.set_xlabel("block")
        axes.set_ylabel("norm of $dE/dx$" if column == "input_gradient" else "norm of $dE/dW$")
        return _finish_by_depth(axes, rows, time_point)


def shattering(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    time_point: str = INITIALISATION,
) -> Axes:
    """Draw the correlation of gradients against the distance of inputs: probe `shattering`."""
    rows = select_one(_select_family(table, family), "time_point", time_point)
    with panel(ax) as axes:
        shattering_figure.draw(rows, axes, list_depths(rows))
        axes.set_xlabel("distance between inputs (fraction of the line)")
        axes.set_ylabel("correlation of gradients")
        return _finish_by_depth(axes, rows, time_point)


def responses(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    time_point: str = END,
    by_magnitude: bool = False,
) -> Axes:
    """Draw the standard deviation of each 3x3 layer's response: probe `responses`.

    `by_magnitude`: sort each run's layers, largest first.
    """
    rows = select_one(_select_family(table, family), "time_point", time_point)
    rows = select_one(rows, "kernel", 3)
    with panel(ax) as axes:
        if responses_figure.has_wide_range(rows):
            axes.set_yscale("log")
            rows = rows.assign(deviation=rows["deviation"].clip(lower=responses_figure.SMALLEST))
        responses_figure.draw(rows, axes, list_depths(rows), by_magnitude)
        order = "sorted by magnitude" if by_magnitude else "in order (1 = closest to the input)"
        axes.set_xlabel(f"3x3 layer, {order}")
        axes.set_ylabel("standard deviation of the response")
        return _finish_by_depth(axes, rows, time_point)


def gradient_identity(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    depth: int | None = None,
    time_point: str = END,
) -> Axes:
    """Draw the gradient's two terms, through shortcut and convolutions: probe `identity`."""
    rows = select_one(_select_family(table, family), "depth", depth)
    rows = select_one(select_one(rows, "time_point", time_point), "form", "block")
    with panel(ax) as axes:
        gradient_identity_figure.draw(rows, axes)
        axes.set_xlabel("block $l$ (1 = closest to the input)")
        axes.set_ylabel("norm relative to $dE/dx_l$")
        axes.set_title(f"{_name_network(rows)}, {time_point}")
        axes.set_ylim(bottom=0)
        add_legend(axes)
        return axes


def paths(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    depth: int | None = None,
    column: str = "path_gradient",
) -> Axes:
    """Draw what paths carry against their length, at both ends of training: probe `paths`.

    `column`: "path_gradient" (one path) or "sum_gradient" (all paths of a length).
    """
    rows = select_one(_select_family(table, family), "depth", depth)
    with panel(ax) as axes:
        for time_point in paths_figure.TIME_POINT_STYLES:
            at_time_point = rows[rows["time_point"] == time_point].dropna(subset=column)
            if len(at_time_point):
                markers = column == "path_gradient"
                paths_figure.draw(at_time_point, axes, column, markers)
        axes.set_yscale("log")
        axes.set_xlabel("path length (blocks)")
        axes.set_ylabel("norm of the gradient")
        axes.set_title(_name_network(rows))
        add_legend(axes)
        return axes


def effective_lengths(
    table: pd.DataFrame, ax: Axes | None = None, family: str | None = None
) -> Axes:
    """Draw the effective length of paths, as a fraction of n, against depth: probe `paths`."""
    rows = _select_family(table, family)
    with panel(ax) as axes:
        paths_figure.draw_effective_lengths(measure_lengths(rows), axes)
        axes.set_title(f"{rows['family'].iloc[0]} networks")
        add_legend(axes)
        return axes


def lesions(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    kind: str = "delete",
) -> Axes:
    """Draw the test error after blocks were deleted or swapped, by depth: probe `lesions`.

    `table`: rows of all families, since only a plain network shows which blocks change the shape.
    `kind`: "delete" or "swap".
    """
    errors = average_lesions(_mark_shape_changes(table))
    _select_family(table, family)  # all rows of the family have equal settings
    rows = select_one(errors, "family", family)
    rows = pd.concat([select_one(rows, "kind", kind), rows[rows["kind"] == "none"]])
    with panel(ax) as axes:
        lesions_figure.draw(rows, axes, list_depths(rows))
        axes.set_xlabel(lesions_figure.KINDS[kind][1])
        axes.set_ylabel("test error (%)")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 100)
        return _finish_by_depth(axes, rows)


def single_deletions(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    depth: int | None = None,
) -> Axes:
    """Draw the test error after each block was deleted alone: probe `lesions` (see `lesions`)."""
    rows = _select_family(_mark_shape_changes(table), family)
    rows = select_one(rows, "depth", depth)
    with panel(ax) as axes:
        lesions_figure.draw_single_deletions(rows, axes)
        axes.set_xlabel("deleted block")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("test error (%)")
        axes.set_title(_name_network(rows))
        axes.set_ylim(0, 100)
        return axes


def landscape_line(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    column: str = "loss",
) -> Axes:
    """Draw the loss (nats) or error (percent) along a line through the weights: `landscape`.

    `column`: "loss" or "error".
    """
    rows = _select_family(select_one(table, "shape", "line"), family)
    with panel(ax) as axes:
        landscape_figure.draw_lines(rows, axes, column, list_depths(rows))
        axes.set_yscale("log" if column == "loss" else "linear")
        axes.set_xlabel("along the first direction (multiples of the weights' norm)")
        axes.set_ylabel("loss (nats)" if column == "loss" else "training error (%)")
        return _finish_by_depth(axes, rows)


def landscape_contours(
    table: pd.DataFrame,
    ax: Axes | None = None,
    family: str | None = None,
    depth: int | None = None,
) -> Axes:
    """Draw the contours of log10 of the loss (nats) around one network: `landscape`.

    The scale is that of all squares of the table, so that panels can be compared.
    """
    squares = select_one(table, "shape", "square")
    limits = landscape_figure.compute_scale_limits(squares)
    rows = select_one(_select_family(squares, family), "depth", depth)
    rows = select_one(rows, "run_id", rows["run_id"].min())
    with panel(ax) as axes:
        landscape_figure.draw(rows, axes, limits)
        axes.set_xlabel(landscape_figure.AXIS_LABELS[0])
        axes.set_ylabel(landscape_figure.AXIS_LABELS[1])
        axes.set_title(_name_network(rows))
        return axes


def _select_family(table: pd.DataFrame, family: str | None) -> pd.DataFrame:
    """Return the rows of one family, whose runs differ in depth and seed only.

    Raises ConfigError if there is no such family, several to choose from, or another difference,
    such as in the number of images that a probe was measured on.
    """
    rows = select_one(table, "family", family)
    check_equal_settings(rows, "rows")
    for column in (IMAGES, *SPECIFICATION):
        values = sorted(rows[column].unique()) if column in rows else []
        if len(values) > 1:
            raise ConfigError(
                f"{column}: the runs were measured with {', '.join(map(str, values))}, which must"
                f' not be averaged; allowed: one value, as in table[table["{column}"] =='
                f" {values[0]}]"
            )
    return rows


def _mark_shape_changes(table: pd.DataFrame) -> pd.DataFrame:
    return mark_shape_changes(table, family_pair(table), None)


def _name_network(rows: pd.DataFrame) -> str:
    """Return the family and depth of rows of one network."""
    return f"{rows['family'].iloc[0]}, {rows['depth'].iloc[0]} layers"


def _finish_by_depth(ax: Axes, rows: pd.DataFrame, time_point: str = "") -> Axes:
    """Add the title and a legend of the depths."""
    title = f"{rows['family'].iloc[0]} networks"
    ax.set_title(f"{title}, {time_point}" if time_point else title)
    add_legend(ax, make_depth_handles(list_depths(rows)))
    return ax
