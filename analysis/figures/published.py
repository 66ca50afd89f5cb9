"""Test error against depth, ours beside the published (He et al. 2015, figure 6 and table 6)."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.columns import FINISHED_STATES
from analysis.figures.style import FAMILIES
from analysis.frame import Frame, group_by_depth
from analysis.published_values import Published, paper_protocol, published
from analysis.statistics import student
from degradation.metrics import TEST_ERROR

# a place beside the depth, a marker and a shade a source, so that none hides another
MARKS: dict[str, dict[str, Any]] = {
    "H15": {"marker": "D", "color": "0.1", "shift": 0.1},
    "P1": {"marker": "^", "color": "0.5", "shift": 0.22},
    "P2": {"marker": "v", "color": "0.35", "shift": 0.34},
}
LABELS = {
    "H15": "He et al. 2015 (plain: off figure 6, bar: a range; open: best of 5)",
    "P1": "a-martyn/resnet, one seed",
    "P2": "nabla0001/resnet, ± s.d. of 5 runs",
}
OURS_AT = -0.15
SCALE, FURTHEST = (
    (5.0, 15.0),
    30.0,
)  # percent: the axis; it is widened for runs up to FURTHEST, the rest are arrows


def draw(frame: Frame, ax: Axes, family: str) -> Axes:
    """Test error (percent) of the last iteration: ours with a Student 95 % bar, and the published.

    Of the runs that are over and follow the paper's protocol.
    """
    groups = group_by_depth(_ours(frame), family)
    of_family = published(data="cifar10", family=family, metric=TEST_ERROR)
    depths = sorted({*groups, *(one.depth for one in of_family)})
    place = {depth: index for index, depth in enumerate(depths)}
    colour = FAMILIES[family]["color"]
    bottom, top = ax.get_ylim()
    for depth, part in groups.items():
        at, values = place[depth] + OURS_AT, part[TEST_ERROR].astype(float)
        for state, mark in (("done", "o"), ("diverged", "x")):
            drawn = values[(part["state"] == state) & (values <= top)]
            ax.scatter(
                [at - 0.1] * len(drawn),
                drawn,
                s=16,
                marker=mark,
                color=colour,
                alpha=0.6,
                linewidths=1,
            )
        mean = student(values.tolist())
        if beyond := int((values > top).sum()):
            text = f"{mean.mean:.1f}" if mean.mean > top else f"{beyond} of {mean.n} runs"
            _beyond(ax, at, text, colour, "right")
        if mean.mean > top:
            continue
        ax.plot([at], [mean.mean], FAMILIES[family]["marker"], color=colour, markersize=7)
        under = mean.mean
        if mean.n > 1:
            ax.errorbar(
                [at],
                [mean.mean],
                [[mean.mean - mean.low], [mean.high - mean.mean]],
                ecolor=colour,
                capsize=4,
            )
            under = max(mean.low, bottom)
        text_at: Any = {"textcoords": "offset points", "ha": "center", "va": "top"}
        ax.annotate(f"{mean.mean:.2f}", (at, under), (-2, -6), color=colour, fontsize=9, **text_at)
    for one in of_family:
        _published(ax, place[one.depth], one)
    ax.set_ylim(bottom, top)
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_xlim(-0.6, len(depths) - 0.35)
    ax.set_xlabel("depth (layers)")
    ax.set_title(f"{family} nets" + ("" if groups else ": no run of the paper's protocol"))
    return ax


def _ours(frame: Frame) -> pd.DataFrame:
    return frame.runs[frame.runs["state"].isin([*FINISHED_STATES]) & paper_protocol(frame.runs)]


def _published(ax: Axes, place: int, one: Published) -> None:
    """A mark with its standard deviation; a bar where it is a range; an arrow where it is beyond the axis."""
    mark = MARKS[one.source]
    at, color = place + mark["shift"] + 0.12 * one.best, mark["color"]
    if one.value is not None:
        face = "none" if one.best else color
        ax.errorbar(
            [at],
            [one.value],
            one.sd,
            fmt=mark["marker"],
            color=color,
            mfc=face,
            markersize=6,
            capsize=3,
        )
    elif one.low is not None and one.high is not None:
        ax.plot([at, at], [one.low, one.high], color=color, linewidth=5, solid_capstyle="butt")
    else:
        _beyond(ax, at, one.shown(), color, "left")


def _beyond(ax: Axes, at: float, text: str, color: str, side: str) -> None:
    """An arrow to the top edge, for what lies above it, with a text that ends (`right`) or begins (`left`) at it."""
    bottom, top = ax.get_ylim()
    tail = top - 0.1 * (top - bottom)
    arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (at, top), (at, tail), arrowprops=arrow)
    offset = -5 if side == "right" else 5
    ax.annotate(
        text, (at, tail), (offset, 0), textcoords="offset points", ha=side, color=color, fontsize=9
    )


def plot(frame: Frame) -> Figure:
    """Both families on one scale."""
    canvas = Figure(figsize=(10, 5), layout="constrained")
    left, right = canvas.subplots(1, 2, sharey=True)
    errors = _ours(frame)[TEST_ERROR].astype(float)
    shown = errors[errors <= FURTHEST]
    left.set_ylim(min(SCALE[0], shown.min() - 0.5), max(SCALE[1], shown.max() + 0.5))
    for ax, family in ((left, "plain"), (right, "residual")):
        draw(frame, ax, family)
    left.set_ylabel("test error of the last iteration (%)")
    handles = [
        Line2D([], [], color="0.2", marker="o", markersize=3, linestyle="", label="a run of ours")
    ]
    handles += [
        Line2D([], [], markersize=7, label=f"our mean, Student 95 % ({family})", **style | {"linestyle": ""})
        for family, style in FAMILIES.items() if family in ("plain", "residual")
    ]  # fmt: skip
    handles += [
        Line2D(
            [],
            [],
            linestyle="",
            markersize=6,
            marker=mark["marker"],
            color=mark["color"],
            label=LABELS[source],
        )
        for source, mark in MARKS.items()
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return canvas
