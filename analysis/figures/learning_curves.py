"""Error against iteration, one line per depth, one panel per family (He et al. 2015, figure 6)."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.columns import TRAINING_ERROR
from analysis.figures.layout import (
    MAX_WIDTH,
    add_legend,
    draw_lr_drops,
    list_depths,
    list_families,
    make_depth_handles,
)
from analysis.figures.marks import CHANCE, PUBLISHED_MARK, describe_marks, is_drawn
from analysis.figures.mean_interval import draw_curves
from analysis.figures.style import REFERENCE_STYLE, depth_style
from analysis.finished_runs import is_finished
from analysis.frame import Frame
from analysis.lr_drops import find_common_milestones
from analysis.paper_protocol import follows_cifar10_protocol
from analysis.published_values import find_published
from degradation.metrics import ITERATION, TEST_ERROR

POSITION = 2
FILE_STEM = "error-against-iteration"
PUBLISHED_SENTENCE = (
    "Diamonds, and bars for ranges read off its figure 6, are the test errors of He et al. 2015, "
    "whose protocol the runs follow."
)
PAPER_TOP = 25.0  # percent: the scale of the paper's figure 6, which omits plain-110 as well
PAPER_STYLE: dict[str, Any] = {
    "marker": "D",
    "markersize": 7,
    "markeredgecolor": "0.1",
    "linestyle": "none",
    "zorder": 4,
    "label": PUBLISHED_MARK,
}
TRAINING_WIDTH, TEST_WIDTH = 1.1, 2.6  # points


def draw(frame: Frame, ax: Axes, family: str) -> Axes:
    """Draw the mean training error (thin) and test error (bold) of one family, in percent.

    Only finished runs are drawn. A diverged run counts as chance error, starting at its divergence.
    """
    finished_runs = frame.runs.loc[is_finished(frame.runs), "run_id"]
    is_drawn = (frame.curves["family"] == family) & frame.curves["run_id"].isin(finished_runs)
    curves = frame.curves[is_drawn]
    depths = list_depths(frame.runs)
    for index, depth in enumerate(depths):
        group = curves[curves["depth"] == depth]
        if group.empty:
            continue
        style = depth_style(index, len(depths))
        training = group.pivot(index=ITERATION, columns="run_id", values=TRAINING_ERROR)
        draw_curves(training, ax, style | {"linewidth": TRAINING_WIDTH})
        test_mean = group.groupby(ITERATION)[TEST_ERROR].mean()
        ax.plot(test_mean.index, test_mean.to_numpy(), **style, linewidth=TEST_WIDTH)
        _draw_published(frame, ax, family, depth, style["color"])
    draw_lr_drops(ax, find_common_milestones(frame.runs))
    chance = frame.runs["chance"].dropna()
    if len(chance) and not follows_cifar10_protocol(frame.runs).any():  # else above the scale
        ax.axhline(chance.max(), label=CHANCE, **REFERENCE_STYLE)
    ax.set_xlabel("iteration")
    ax.set_title(f"{family} networks")
    return ax


def _draw_published(frame: Frame, ax: Axes, family: str, depth: int, color: Any) -> None:
    """Draw the paper's test error at the end of the curve: a diamond, or a bar for a range.

    Nothing is drawn unless runs of this family and depth follow the paper's protocol.
    """
    is_shown = (frame.runs["family"] == family) & (frame.runs["depth"] == depth)
    runs = frame.runs[is_shown & follows_cifar10_protocol(frame.runs)]
    if runs.empty:
        return
    end = float(runs["config.schedule.iterations"].max())
    values = find_published(
        data="cifar10", family=family, depth=depth, metric=TEST_ERROR, source="H15", best=False
    )
    for value in values:
        if value.value is not None:
            ax.plot([end], [value.value], color=color, clip_on=False, **PAPER_STYLE)
        elif value.low is not None and value.high is not None:
            bar: dict[str, Any] = {
                "linewidth": 6,
                "solid_capstyle": "butt",
                "clip_on": False,
                "label": PUBLISHED_MARK,
            }
            ax.plot([end, end], [value.low, value.high], color=color, **bar)


def applies_to(_frame: Frame) -> bool:
    """Return True: every condition has this figure."""
    return True


def describe(figure: Figure) -> str:
    """Return the caption."""
    sentences = [
        "Error against iteration, one line per depth: training error thin, test error bold.",
        describe_marks(figure),
    ]
    if is_drawn(figure, PUBLISHED_MARK):
        sentences.append(PUBLISHED_SENTENCE)
    if figure.axes[0].get_ylim()[1] == PAPER_TOP:
        sentences.append("The scale ends at 25 %, as in the paper; curves above that are cut off.")
    return " ".join(filter(None, sentences))


def plot(frame: Frame) -> Figure:
    """Return the figure: one panel per family, all on a shared scale."""
    families = list_families(frame.runs)
    figure = Figure(figsize=(min(max(5 * len(families), 7), MAX_WIDTH), 4.8), layout="constrained")
    axes = figure.subplots(1, max(len(families), 1), sharey=True, sharex=True, squeeze=False)[0]
    for ax, family in zip(axes, families, strict=False):
        draw(frame, ax, family)
    axes[0].set_ylabel("error (%)")
    axes[0].set_ylim(bottom=0)
    handles = [*make_depth_handles(list_depths(frame.runs)), *_line_handles(frame.error_kind)]
    if follows_cifar10_protocol(frame.runs).any():
        label = "test error of He et al. 2015 (plain: read off figure 6, bar: a range)"
        handles.append(Line2D([], [], color="0.6", **(PAPER_STYLE | {"label": label})))
        axes[0].set_ylim(top=PAPER_TOP)
    if is_drawn(figure, CHANCE):
        handles.append(Line2D([], [], label=CHANCE, **REFERENCE_STYLE))
    add_legend(figure, handles, columns=min(len(handles), 4))
    figure.suptitle("Error during training")
    return figure


def _line_handles(kind: str) -> list[Line2D]:
    """Return the legend's entries for what is not a depth. `kind`: the kind of training error."""
    training = f"training error ({kind})"
    return [
        Line2D([], [], color="0.2", linewidth=TRAINING_WIDTH, label=training),
        Line2D([], [], color="0.2", linewidth=TEST_WIDTH, label="test error"),
    ]
