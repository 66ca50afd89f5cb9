"""Training error against depth: plain nets from scratch, constructed nets before training and after."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import FINISHED_STATES, TRAINING_ERROR, TRAINING_ERROR_AT_START
from analysis.figures.style import CHANCE, FAMILIES, TEXT, chance_label
from analysis.frame import Frame, group_by_depth
from analysis.summary import compute_interval

# label, family, column, look
LINES = (
    ("plain, from scratch", "plain", TRAINING_ERROR, FAMILIES["plain"]),
    (
        "constructed, before training",
        "constructed",
        TRAINING_ERROR_AT_START,
        {"color": "0.25", "linestyle": ":", "marker": "D"},
    ),
    ("constructed, trained on", "constructed", TRAINING_ERROR, FAMILIES["constructed"]),
)
SHIFT = 0.12


def draw(frame: Frame, ax: Axes, families: tuple[str, ...]) -> float:
    """Points are runs, bars Student intervals over seeds. Returns the top of what is drawn, in percent."""
    runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES])]
    depths = sorted(int(depth) for depth in frame.runs["depth"].unique())
    top = 0.0
    for index, (label, family, column, style) in enumerate(LINES):
        if family not in families:
            continue
        parts = {
            depth: part[part[column].notna()]
            for depth, part in group_by_depth(runs, family).items()
        }
        groups = {depth: part[column].tolist() for depth, part in parts.items() if len(part)}
        x = [depths.index(depth) + SHIFT * (index - 1) for depth in groups]
        means = [compute_interval(parts[depth], column) for depth in groups]
        ax.plot(x, [one.mean for one in means], label=label, linewidth=2, markersize=6, **style)
        for at, values, one in zip(x, groups.values(), means, strict=True):
            top = max(top, *values, one.high if one.n > 1 else 0.0)
            ax.scatter(
                [at] * len(values),
                values,
                s=20,
                alpha=0.6,
                color=style["color"],
                linewidths=0.6,
                zorder=3,
            )
            if one.n > 1:
                ax.errorbar(
                    [at], [one.mean], [[one.mean - one.low], [one.high - one.mean]], fmt="none",
                    ecolor=style["color"], capsize=4, linewidth=1.2,
                )  # fmt: skip
            if family == "plain":
                ax.annotate(
                    f"{one.mean:.1f}", (at, one.mean), (-6, 7), textcoords="offset points", ha="right",
                    color=TEXT["plain"], fontsize=9,
                )  # fmt: skip
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_xlim(-0.5, len(depths) - 0.5)
    ax.set_xlabel("depth (layers)")
    return top


def plot(frame: Frame) -> Figure:
    """All on the left; the constructed nets alone, enlarged, on the right."""
    canvas = Figure(figsize=(10, 4.6), layout="constrained")
    whole, near = canvas.subplots(1, 2)
    draw(frame, whole, ("plain", "constructed"))
    top = draw(frame, near, ("constructed",))
    near.set_ylim(-0.05 * top - 0.05, 1.05 * top + 0.05)
    near.set_title("enlarged: the constructed nets alone")
    whole.set_title("plain and constructed nets")
    chance = frame.runs["chance"].dropna()
    if len(chance):
        whole.axhline(chance.max(), label=chance_label(chance.max()), **CHANCE)
    whole.set_ylabel(f"training error ({frame.error_kind}), %")
    whole.set_ylim(bottom=-4)
    handles, labels = whole.get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return canvas
