"""Error against iteration, a line a depth, a panel a family (He et al. 2015, figure 6)."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import CHANCE, FAMILIES, depth_style
from analysis.frame import OVER, TRAINING_ERROR, Frame
from degradation.records.schema import ITERATION, TEST_ERROR


def draw(frame: Frame, ax: Axes, family: str) -> Axes:
    """Bold: mean test error; thin: mean training error; the band spans the runs' training errors.

    Of runs that are over; from its divergence on, a diverged run is at chance.
    """
    over = frame.runs.loc[frame.runs["state"].isin([*OVER]), "run_id"]
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
            mean.index, train.min().to_numpy(), train.max().to_numpy(), alpha=0.15, color=style["color"], lw=0
        )
        ax.plot(mean.index, test.mean().to_numpy(), linewidth=2.6, **style)
    _lr_drops(frame, ax)
    chance = frame.runs["chance"].dropna()
    if len(chance):
        ax.axhline(chance.max(), **CHANCE)
    ax.set_xlabel("iteration")
    ax.set_title(f"{family} nets")
    return ax


def _lr_drops(frame: Frame, ax: Axes) -> None:
    """A thin line where the learning rate falls, when it is the same for all runs."""
    milestones = frame.runs.get("config.schedule.milestones")
    if milestones is None or milestones.dropna().nunique() != 1:
        return
    for milestone in milestones.dropna().iloc[0].strip("[]").split(","):
        if milestone.strip():
            ax.axvline(int(milestone), color="0.55", linewidth=0.9, linestyle=(0, (2, 3)), zorder=0)


def figure(frame: Frame) -> Figure:
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
        Line2D([], [], color="0.2", linewidth=1.1, label=f"training ({frame.kind}), band: all runs"),
        Line2D([], [], color="0.2", linewidth=2.6, label="test"),
        Line2D([], [], label="chance", **CHANCE),
    ]
    canvas.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)
    return canvas
