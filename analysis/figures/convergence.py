"""Iterations to a fraction of chance error against depth: every run with two fits, then medians."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.layout import MAX_WIDTH, add_legend, list_depths, list_families
from analysis.figures.marks import FIT, LR_DROP_LEVEL, MEDIAN_LINE, NEVER_REACHED, TIMED_RUN
from analysis.figures.style import FAMILY_STYLES, LR_DROP_STYLE, depth_style
from analysis.interval_censoring import EXPONENTIAL, POWER, GrowthFit

CAPTION = (
    "Left: iterations until the training error is half of chance error, against depth. Each mark "
    "is a run, placed at the first evaluation at which it has reached that error; the line below "
    "it extends down to the previous evaluation, and the true time lies on that line. Other "
    "panels: the same for several fractions of chance error."
)
RUN_SPACING = 0.9  # horizontal spacing between the runs of one depth, in layers
HEADROOM = 10.0  # the axis ends at this multiple of the last iteration
CENSORED_STYLE: dict[str, Any] = {
    "marker": "^",
    "markerfacecolor": "white",
    "markersize": 9,
    "linestyle": "none",
    "zorder": 4,
}
FORM_LINESTYLES: dict[str, Any] = {EXPONENTIAL: "-", POWER: (0, (5, 2))}
MEDIAN_WIDTH = 1.6  # points


def draw(times: pd.DataFrame, ax: Axes, fits: Sequence[GrowthFit], fitted_family: str) -> Axes:
    """Draw one mark per run, and the fits.

    `times`: rows of `time_to_threshold.measure_times` for one threshold. `fits`: to the runs of
    `fitted_family`.
    """
    families = list_families(times)
    for family_index, family in enumerate(families):
        family_rows = times[times["family"] == family].sort_values("seed")
        for _, group in family_rows.groupby("depth"):
            centre = (len(group) - 1) / 2
            family_shift = (family_index - (len(families) - 1) / 2) * (2 * centre + 2)
            shifts = np.arange(len(group)) - centre + family_shift
            x_positions = group["depth"].to_numpy() + RUN_SPACING * shifts
            _draw_runs(group, x_positions, ax, FAMILY_STYLES[family])
    depths = np.linspace(times["depth"].min(), times["depth"].max(), 200)
    for fit in fits:
        line: dict[str, Any] = {
            "color": FAMILY_STYLES[fitted_family]["color"],
            "linestyle": FORM_LINESTYLES[fit.form],
            "linewidth": 1.8,
            "label": FIT,
        }
        ax.plot(depths, fit.median_time(depths), **line)
    return ax


def _draw_runs(
    group: pd.DataFrame, x_positions: np.ndarray, ax: Axes, style: dict[str, Any]
) -> None:
    """Draw the runs of one family and depth: each time with its interval, or an open triangle."""
    color = style["color"]
    is_censored = np.isinf(group["by"].to_numpy())
    if is_censored.any():
        last = group["last"].to_numpy()[is_censored]
        ax.plot(x_positions[is_censored], last, color=color, label=NEVER_REACHED, **CENSORED_STYLE)
    known_x = x_positions[~is_censored]
    after = group["after"].clip(lower=1).to_numpy()[~is_censored]
    by = group["by"].to_numpy()[~is_censored]
    # All intervals are one line with gaps (NaN): an artist per run would take minutes to draw.
    gaps = np.full(len(known_x), math.nan)
    interval_x = np.column_stack([known_x, known_x, gaps]).ravel()
    interval_y = np.column_stack([after, by, gaps]).ravel()
    ax.plot(interval_x, interval_y, color=color, linewidth=1.3, alpha=0.6)
    marks: dict[str, Any] = {
        "marker": style["marker"],
        "markersize": 5,
        "linestyle": "none",
        "label": TIMED_RUN,
        "zorder": 3,
    }
    ax.plot(known_x, by, color=color, **marks)


def draw_medians(times: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the median time against depth, one line per threshold (the easiest lightest).

    `times`: rows of one family.
    """
    thresholds = _list_thresholds(times)
    for index, threshold in enumerate(thresholds):
        by_depth = times[times["threshold"] == threshold].groupby("depth")
        # With an even number of runs, the later of the two in the middle, as in the evidence.
        medians = by_depth["by"].quantile(0.5, interpolation="higher")
        last = by_depth["last"].max()
        style = depth_style(index, len(thresholds))
        shift = RUN_SPACING * (index - (len(thresholds) - 1) / 2)
        x_positions = medians.index.to_numpy(dtype=float) + shift
        is_censored = np.isinf(medians.to_numpy())
        # No line joins two censored medians: it would look as if the time stayed the same.
        is_joined = ~(is_censored & np.roll(is_censored, 1))
        is_joined[0] = True
        heights = medians.where(~is_censored, last).where(is_joined)
        label = MEDIAN_LINE if by_depth.size().max() > 1 else None
        ax.plot(x_positions, heights, linewidth=MEDIAN_WIDTH, label=label, **style)
        marks: dict[str, Any] = {
            "marker": "o",
            "markersize": 5,
            "linestyle": "none",
            "color": style["color"],
        }
        ax.plot(x_positions[~is_censored], medians[~is_censored], **marks)
        if is_censored.any():
            marks = CENSORED_STYLE | {"color": style["color"], "label": NEVER_REACHED}
            ax.plot(x_positions[is_censored], last[is_censored], **marks)
    return ax


def _list_thresholds(times: pd.DataFrame) -> list[float]:
    """Return the fractions of chance error, the easiest (largest) first."""
    return sorted(times["threshold"].unique(), reverse=True)


def plot(
    times: pd.DataFrame,
    fits: Sequence[GrowthFit],
    fitted_family: str,
    threshold: float,
    milestones: Sequence[int],
) -> Figure:
    """Return the figure; all panels share one scale.

    `threshold`: the fraction of chance error of the first panel and of the fits. `milestones`: the
    iterations at which the learning rate drops.
    """
    families = list_families(times)
    widths = [1.5] + [1.0] * len(families)
    figure = Figure(figsize=(MAX_WIDTH, 5.0), layout="constrained")
    axes = figure.subplots(1, 1 + len(families), sharey=True, width_ratios=widths)
    draw(times[times["threshold"] == threshold], axes[0], fits, fitted_family)
    axes[0].set_title(f"each run, to {Fraction(threshold)} of chance error")
    for ax, family in zip(axes[1:], families, strict=True):
        draw_medians(times[times["family"] == family], ax)
        ax.set_title(f"{family} networks: medians")
    last = float(times["last"].max())
    for ax in axes:
        _set_axes(ax, list_depths(times), last, milestones)
    axes[0].set_ylim((min(times["by"].min(), last) / 2, HEADROOM * last))
    axes[0].set_ylabel("iterations to reach the training error")
    corner: dict[str, Any] = {"transform": axes[0].transAxes, "va": "top", "color": "0.35"}
    axes[0].text(0.02, 0.98, "beyond the end of training", **corner)
    add_legend(figure, _legend_handles(times, fits, fitted_family), columns=4)
    figure.suptitle("Iterations to reach a training error, against depth")
    return figure


def _set_axes(ax: Axes, depths: list[int], last: float, milestones: Sequence[int]) -> None:
    """Set the axes of one panel, shade what is beyond `last`, and mark the learning-rate drops."""
    ax.set_yscale("log")
    ax.set_xlabel("depth (layers)")
    ax.set_xticks(depths, [str(depth) for depth in depths])
    ax.axhspan(last, HEADROOM * last, color="0.94", lw=0, zorder=-1)
    for milestone in milestones:
        ax.axhline(milestone, label=LR_DROP_LEVEL, **LR_DROP_STYLE)


def _legend_handles(
    times: pd.DataFrame, fits: Sequence[GrowthFit], fitted_family: str
) -> list[Line2D]:
    handles = []
    for family in list_families(times):
        style = {key: FAMILY_STYLES[family][key] for key in ("color", "marker")}
        handles.append(Line2D([], [], linestyle="", label=f"{family}, one run", **style))
    handles.append(Line2D([], [], color="0.3", label="never reached", **CENSORED_STYLE))
    for fit in fits:
        linestyle = FORM_LINESTYLES[fit.form]
        color = FAMILY_STYLES[fitted_family]["color"]
        label = f"{fit.form} fit ({fitted_family})"
        handles.append(Line2D([], [], label=label, linestyle=linestyle, color=color))
    thresholds = _list_thresholds(times)
    for index, threshold in enumerate(thresholds):
        label = f"to {Fraction(threshold)} of chance error"
        style = depth_style(index, len(thresholds))
        handles.append(Line2D([], [], linewidth=MEDIAN_WIDTH, label=label, **style))
    return handles
