"""Error against depth: every run a point, mean and interval a family; the degradation and its fix in one picture."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.figures.style import CHANCE, FAMILIES, TEXT, chance_label
from analysis.frame import Frame, group_by_depth
from analysis.statistics import Interval
from analysis.summary import compute_interval
from degradation.metrics import TEST_ERROR

SHIFT = 0.08  # families stand side by side at each depth


def draw(frame: Frame, ax: Axes, metric: str) -> Axes:
    """`metric` (percent) of the last iteration, on an axis where depths are evenly spaced."""
    runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES])]
    depths = sorted(int(depth) for depth in frame.runs["depth"].unique())
    place = {depth: index for index, depth in enumerate(depths)}
    present = [family for family in FAMILIES if family in set(runs["family"])]
    for index, family in enumerate(present):
        groups, style, shift = (
            group_by_depth(runs, family),
            FAMILIES[family],
            SHIFT * (2 * index - len(present) + 1),
        )
        intervals = {depth: compute_interval(part, metric) for depth, part in groups.items()}
        x = [place[depth] + shift for depth in groups]
        means = [one.mean for one in intervals.values()]
        ax.plot(x, means, label=f"{family} (mean)", linewidth=2, markersize=6, **style)
        known = [(at, one) for at, one in zip(x, intervals.values(), strict=True) if one.n > 1]
        if known:
            low = [one.mean - one.low for _, one in known]
            high = [one.high - one.mean for _, one in known]
            ax.errorbar(
                [at for at, _ in known], [one.mean for _, one in known], [low, high],
                fmt="none", ecolor=style["color"], capsize=4, linewidth=1.2,
            )  # fmt: skip
        for at, part in zip(x, groups.values(), strict=True):
            for state, mark in (("done", "o"), ("diverged", "x")):
                values = part.loc[part["state"] == state, metric]
                ax.scatter(
                    [at] * len(values), values, s=20 if mark == "o" else 50, marker=mark, alpha=0.6,
                    color=style["color"], linewidths=0.6 if mark == "o" else 2, zorder=3,
                )  # fmt: skip
        _annotate(ax, family, x, list(intervals.values()))
    _chance(ax, frame)
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_xlim(-0.5, len(depths) - 0.5)
    ax.set_xlabel("depth (layers)")
    ax.set_title("Test error" if metric == TEST_ERROR else f"Training error ({frame.error_kind})")
    return ax


def _annotate(ax: Axes, family: str, x: list[float], intervals: list[Interval]) -> None:
    """The mean beside its mark: plain to the upper left, residual below its bar, so that they stay apart near zero."""
    for at, one in zip(x, intervals, strict=True):
        text = f"{one.mean:.1f}"
        if family.startswith("plain"):
            ax.annotate(
                text,
                (at, one.mean),
                (-6, 7),
                textcoords="offset points",
                ha="right",
                color=TEXT[family],
                fontsize=9,
            )
        else:
            under = one.low if one.n > 1 else one.mean
            ax.annotate(
                text, (at, min(under, one.mean)), (0, -7), textcoords="offset points", ha="center", va="top",
                color=TEXT[family], fontsize=9,
            )  # fmt: skip


def _chance(ax: Axes, frame: Frame) -> None:
    chance = frame.runs["chance"].dropna()
    if len(chance):
        ax.axhline(chance.max(), label=chance_label(chance.max()), **CHANCE)


def plot(frame: Frame) -> Figure:
    """Training error left, test error right, one scale."""
    canvas = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = canvas.subplots(1, 2, sharey=True)
    draw(frame, left, TRAINING_ERROR)
    draw(frame, right, TEST_ERROR)
    left.set_ylabel("error of the last iteration (%)")
    left.set_ylim(bottom=-9)
    left.set_yticks([tick for tick in left.get_yticks() if 0 <= tick <= 100])
    handles, labels = left.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return canvas
