"""Error against iteration, a line a depth, a panel a family (He et al. 2015, figure 6)."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.figures.style import CHANCE, FAMILIES, depth_style
from analysis.frame import Frame
from analysis.published_values import paper_protocol, published
from degradation.metrics import ITERATION, TEST_ERROR

PAPERS_TOP = (
    25.0  # percent: about the scale of the paper's figure 6, which does not draw plain-110 either
)
PAPER: dict[str, Any] = {
    "marker": "D",
    "markersize": 7,
    "markeredgecolor": "0.1",
    "linestyle": "none",
    "zorder": 4,
}


def draw(frame: Frame, ax: Axes, family: str) -> Axes:
    """Bold: mean test error; thin: mean training error; the band spans the runs' training errors.

    Of runs that are over; from its divergence on, a diverged run is at chance.
    """
    over = frame.runs.loc[frame.runs["state"].isin([*FINISHED_STATES]), "run_id"]
    curves = frame.curves[(frame.curves["family"] == family) & frame.curves["run_id"].isin(over)]
    depths = sorted(int(depth) for depth in frame.runs["depth"].unique())
    for index, depth in enumerate(depths):
        part = curves[curves["depth"] == depth]
        if part.empty:
            continue
        style = depth_style(index, len(depths))
        at = part.groupby(ITERATION)
        train, test = at[TRAINING_ERROR], at[TEST_ERROR]
        mean = train.mean()
        ax.plot(mean.index, mean.to_numpy(), linewidth=1.1, **style)
        ax.fill_between(
            mean.index,
            train.min().to_numpy(),
            train.max().to_numpy(),
            alpha=0.15,
            color=style["color"],
            lw=0,
        )
        ax.plot(mean.index, test.mean().to_numpy(), linewidth=2.6, **style)
        _published(frame, ax, family, depth, style["color"])
    _lr_drops(frame, ax)
    chance = frame.runs["chance"].dropna()
    if len(chance):
        ax.axhline(chance.max(), **CHANCE)
    ax.set_xlabel("iteration")
    ax.set_title(f"{family} nets")
    return ax


def _published(frame: Frame, ax: Axes, family: str, depth: int, color: Any) -> None:
    """The paper's test error at the end of its curve, beside runs of its protocol; a bar where it is a range."""
    runs = frame.runs[
        paper_protocol(frame.runs)
        & (frame.runs["family"] == family)
        & (frame.runs["depth"] == depth)
    ]
    if runs.empty:
        return
    end = float(runs["config.schedule.iterations"].max())
    for one in published(
        data="cifar10", family=family, depth=depth, metric=TEST_ERROR, source="H15", best=False
    ):
        if one.value is not None:
            ax.plot([end], [one.value], color=color, clip_on=False, **PAPER)
        elif one.low is not None and one.high is not None:
            ax.plot(
                [end, end],
                [one.low, one.high],
                color=color,
                linewidth=6,
                solid_capstyle="butt",
                clip_on=False,
            )


def _lr_drops(frame: Frame, ax: Axes) -> None:
    """A thin line where the learning rate falls, when it is the same for all runs."""
    milestones = frame.runs.get("config.schedule.milestones")
    if milestones is None or milestones.dropna().nunique() != 1:
        return
    for milestone in milestones.dropna().iloc[0].strip("[]").split(","):
        if milestone.strip():
            ax.axvline(int(milestone), color="0.55", linewidth=0.9, linestyle=(0, (2, 3)), zorder=0)


def plot(frame: Frame) -> Figure:
    """All families on one scale."""
    families = [family for family in FAMILIES if family in set(frame.runs["family"])]
    canvas = Figure(figsize=(max(5 * len(families), 7), 4.8), layout="constrained")
    axes = canvas.subplots(1, max(len(families), 1), sharey=True, sharex=True, squeeze=False)[0]
    for ax, family in zip(axes, families, strict=False):
        draw(frame, ax, family)
    axes[0].set_ylabel("error (%)")
    axes[0].set_ylim(bottom=0)
    depths = sorted(int(depth) for depth in frame.runs["depth"].unique())
    handles = [
        Line2D([], [], linewidth=2, label=f"{depth} layers", **depth_style(index, len(depths)))
        for index, depth in enumerate(depths)
    ]
    handles += [
        Line2D(
            [],
            [],
            color="0.2",
            linewidth=1.1,
            label=f"training ({frame.error_kind}), band: all runs",
        ),
        Line2D([], [], color="0.2", linewidth=2.6, label="test"),
        Line2D([], [], label="chance", **CHANCE),
    ]
    if paper_protocol(frame.runs).any():
        label = "test error of He et al. 2015 (plain: off figure 6, bar: a range)"
        handles.append(Line2D([], [], color="0.6", label=label, **PAPER))
        axes[0].set_ylim(top=PAPERS_TOP)
    canvas.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False
    )
    return canvas
