"""Test error against depth, ours beside published ones (He et al. 2015, figure 6 and table 6)."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.depth_axis import LABELS
from analysis.figures.layout import add_legend
from analysis.figures.marks import (
    DIVERGED,
    PRINTED_MEAN,
    PRINTED_RUN,
    RUN,
    describe_marks,
    is_drawn,
)
from analysis.figures.mean_interval import ERROR_RANGE, draw_means
from analysis.figures.mean_labels import BELOW, print_beside
from analysis.figures.style import FAMILY_STYLES
from analysis.figures.value_axis import CATEGORIES
from analysis.finished_runs import is_finished
from analysis.frame import Frame, group_by_depth
from analysis.paper_protocol import follows_cifar10_protocol
from analysis.published_values import VALIDATION_ERROR, PublishedValue, find_published
from analysis.summary import compute_interval
from degradation.metrics import TEST_ERROR
from degradation.records.schema import State

POSITION = 3
FILE_STEM = "published"
FAMILIES = ("plain", "residual")
# Each source has its own position beside the depth, marker and shade, so that none hides another.
SOURCE_STYLES: dict[str, dict[str, Any]] = {
    "H15": {"marker": "D", "color": "0.1", "shift": 0.1},
    "P1": {"marker": "^", "color": "0.5", "shift": 0.22},
    "P2": {"marker": "v", "color": "0.35", "shift": 0.34},
    "P3": {"marker": "s", "color": "0.6", "shift": 0.44},
    "P4": {"marker": "P", "color": "0.25", "shift": 0.54},
}
SOURCE_LABELS = {
    "H15": "He et al. 2015 (plain: off figure 6, thick: a range; ± s.d. of 5; open: best of 5)",
    "P1": "a-martyn/resnet, one seed",
    "P2": "nabla0001/resnet, ± s.d. of 5 runs",
    "P3": "robertkoller, one seed (validation error)",
    "P4": "wooyeolBaek, one seed (183 epochs)",
}
OUR_SHIFT, RUN_SHIFT = -0.15, -0.25  # offsets of our mean and runs from the position of a depth
BEST_SHIFT = 0.12  # offset of a source's best run from its mean
AXIS_RANGE = (5.0, 15.0)  # percent; widened for our runs up to HIGHEST, higher ones are arrows
HIGHEST = 30.0  # percent
ARROW = "_above the axis"
# Where the text of an arrow may stand, as seen from its tail
LEFT = ((-1, 0), (-1, -1), (0, -1), (1, -1))
RIGHT = ((1, 0), (1, -1), (0, -1), (-1, -1))


def draw(frame: Frame, ax: Axes, family: str) -> Axes:
    """Draw the test errors (percent) of one family: our finished runs and the published values.

    The vertical limits of `ax` must be set before: what lies above them becomes an arrow.
    """
    groups = group_by_depth(_select_runs(frame), family)
    values = [
        value
        for metric in (TEST_ERROR, VALIDATION_ERROR)
        for value in find_published(data="cifar10", family=family, metric=metric)
    ]
    depths = sorted({*groups, *(value.depth for value in values)})
    bottom, top = ax.get_ylim()
    for depth, group in groups.items():
        _draw_ours(group, depths.index(depth), ax)
    for value in values:
        _draw_published(value, depths.index(value.depth), ax)
    ax.set_ylim(bottom, top)
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_xlim(-0.6, len(depths) - 0.35)
    ax.set_xlabel(LABELS[CATEGORIES])
    ax.set_title(
        f"{family} networks" + ("" if groups else ": no finished run of the paper's protocol")
    )
    return ax


def _select_runs(frame: Frame) -> pd.DataFrame:
    """Return our finished runs that follow the paper's protocol."""
    return frame.runs[is_finished(frame.runs) & follows_cifar10_protocol(frame.runs)]


def _draw_ours(group: pd.DataFrame, x: int, ax: Axes) -> None:
    """Draw our runs of one family and depth, their mean and its 95 % confidence interval."""
    style = FAMILY_STYLES[group["family"].iloc[0]]
    top = ax.get_ylim()[1]
    errors = group[TEST_ERROR].astype(float)
    for state, marker in ((State.DONE, "o"), (State.DIVERGED, "x")):
        visible_errors = errors[(group["state"] == state) & (errors <= top)]
        x_positions = [x + RUN_SHIFT] * len(visible_errors)
        if visible_errors.empty:
            continue
        marks: dict[str, Any] = {"s": 16, "marker": marker, "alpha": 0.6, "linewidths": 1}
        label = RUN if state == State.DONE else DIVERGED
        ax.scatter(x_positions, visible_errors, color=style["color"], label=label, **marks)
    interval = compute_interval(group, TEST_ERROR)
    hidden_count = int((errors > top).sum())
    if hidden_count:
        text = f"{hidden_count} of {interval.n} runs"
        if interval.mean > top:
            text = f"{interval.mean:.1f}"
        _draw_arrow(x + OUR_SHIFT, text, ax, style["color"], "left")
    if interval.mean > top:
        return
    draw_means([x + OUR_SHIFT], [interval], ax, style, ERROR_RANGE)
    point = (x + OUR_SHIFT, interval.mean)
    mark = PRINTED_MEAN if interval.n > 1 else PRINTED_RUN
    print_beside(f"{interval.mean:.2f}", point, ax, style["color"], BELOW, mark)


def _draw_published(value: PublishedValue, depth_x: int, ax: Axes) -> None:
    """Draw a published value: a mark with its standard deviation, a bar for a range.

    A range that is open above becomes an arrow. `depth_x`: the position of the depth on the axis.
    """
    style = SOURCE_STYLES[value.source]
    color = style["color"]
    x = depth_x + style["shift"] + (BEST_SHIFT if value.best else 0.0)
    if value.value is not None:
        mark: dict[str, Any] = {
            "fmt": style["marker"],
            "color": color,
            "markerfacecolor": "none" if value.best else color,
            "markersize": 6,
            "capsize": 3,
        }
        ax.errorbar([x], [value.value], value.sd, **mark)
    elif value.low is not None and value.high is not None:
        bar: dict[str, Any] = {"color": color, "linewidth": 5, "solid_capstyle": "butt"}
        ax.plot([x, x], [value.low, value.high], **bar)
    else:
        _draw_arrow(x, value.format(), ax, color, "right")


def _draw_arrow(x: float, text: str, ax: Axes, color: str, side: str) -> None:
    """Draw an arrow to the top edge, for a value above it, with a text on one side of its tail.

    `side`: "left" or "right".
    """
    bottom, top = ax.get_ylim()
    tail = top - 0.1 * (top - bottom)
    arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (x, top), (x, tail), arrowprops=arrow, label=ARROW)
    print_beside(text, (x, tail), ax, color, LEFT if side == "left" else RIGHT)


def applies_to(frame: Frame) -> bool:
    """Return whether some runs follow the paper's protocol on CIFAR-10."""
    return bool(follows_cifar10_protocol(frame.runs).any())


def describe(figure: Figure) -> str:
    """Return the caption."""
    sentences = [
        "Test error after the last iteration against depth, ours beside published values: those of "
        "He et al. 2015 (residual networks from table 6, plain networks read off figure 6 by eye) "
        "and of four public reproductions. Thin bars of published values are standard deviations "
        "over 5 runs; a value without one is that of one run. Two reproductions deviate from the "
        "paper's protocol: robertkoller's errors are of the validation set, after training on "
        "45,000 images; wooyeolBaek's are after 183 epochs, and its plain-56 clips gradients.",
        describe_marks(figure),
    ]
    if is_drawn(figure, ARROW):
        sentences.append("Arrows mark values above the axis.")
    return " ".join(filter(None, sentences))


def plot(frame: Frame) -> Figure:
    """Return the figure: plain networks on the left, residual on the right, on a shared scale."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    errors = _select_runs(frame)[TEST_ERROR].astype(float)
    visible_errors = errors[errors <= HIGHEST]
    lowest, highest = AXIS_RANGE
    left.set_ylim(min(lowest, visible_errors.min() - 0.5), max(highest, visible_errors.max() + 0.5))
    for ax, family in zip((left, right), FAMILIES, strict=True):
        draw(frame, ax, family)
    left.set_ylabel("test error after the last iteration (%)")
    add_legend(figure, _legend_handles(), columns=2)
    figure.suptitle("Test error against depth, ours and published")
    return figure


def _legend_handles() -> list[Line2D]:
    run_style: dict[str, Any] = {"color": "0.2", "marker": "o", "markersize": 3, "linestyle": ""}
    handles = [Line2D([], [], label="one of our runs", **run_style)]
    for family in FAMILIES:
        mean_style = FAMILY_STYLES[family] | {"linestyle": "", "markersize": 7}
        label = f"our mean and 95 % confidence interval ({family})"
        handles.append(Line2D([], [], label=label, **mean_style))
    for source, style in SOURCE_STYLES.items():
        mark = {"marker": style["marker"], "color": style["color"], "markersize": 6}
        handles.append(Line2D([], [], label=SOURCE_LABELS[source], linestyle="", **mark))
    return handles
