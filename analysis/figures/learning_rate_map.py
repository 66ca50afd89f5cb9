"""Training error by learning rate and depth, a map a family: when does the fix show?"""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.figures.style import FAMILIES
from analysis.frame import Frame

LR = "config.optim.lr"
DARK = 0.55  # share of the scale from which a number is printed in black


def draw(frame: Frame, ax: Axes, family: str, top: float) -> Axes:
    """Rows are rates, columns depths; the lowest error of each column is framed. `top`: percent at the scale's end."""
    runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES])]
    rates = sorted(frame.runs[LR].unique())
    depths = sorted(int(depth) for depth in frame.runs["depth"].unique())
    means = (
        runs[runs["family"] == family]
        .pivot_table(index=LR, columns="depth", values=TRAINING_ERROR, aggfunc="mean")
        .reindex(index=rates, columns=depths)
        .to_numpy(dtype=float)
    )
    ax.imshow(means, cmap=colormaps["viridis"], vmin=0, vmax=top, origin="lower", aspect="auto")
    for column in range(len(depths)):
        for row in range(len(rates)):
            value = means[row, column]
            text = "-" if np.isnan(value) else f"{value:.1f}"
            ax.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                color="black" if value > DARK * top else "white",
            )
        if not np.isnan(means[:, column]).all():
            best = int(np.nanargmin(means[:, column]))
            corner = (column - 0.48, best - 0.48)
            ax.add_patch(
                Rectangle(corner, 0.96, 0.96, fill=False, edgecolor="#D55E00", linewidth=2.5)
            )
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    ax.set_xlabel("depth (layers)")
    ax.set_title(f"{family} nets")
    ax.grid(visible=False)
    return ax


def plot(frame: Frame) -> Figure:
    """All families on one scale, from 0 to chance."""
    families = [family for family in FAMILIES if family in set(frame.runs["family"])]
    chance = frame.runs["chance"].dropna()
    top = float(chance.max()) if len(chance) else 100.0
    canvas = Figure(figsize=(4.6 * len(families) + 1, 4.2), layout="constrained")
    axes = canvas.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for ax, family in zip(axes, families, strict=True):
        draw(frame, ax, family, top)
    axes[0].set_ylabel("learning rate")
    canvas.colorbar(
        axes[-1].images[0], ax=list(axes), label=f"training error ({frame.error_kind}), %"
    )
    return canvas
