"""Training error by learning rate and depth, one map per family."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.columns import TRAINING_ERROR
from analysis.figures.layout import MAX_WIDTH, list_depths, list_families
from analysis.figures.marks import CELL_MEAN, CELL_RUN
from analysis.finished_runs import is_finished
from analysis.frame import Frame

LR = "config.optim.lr"
# Fraction of the colour scale above which numbers are printed in black, not white.
BLACK_FROM = 0.55
OUTLINE_COLOR = "#D55E00"


def draw(frame: Frame, ax: Axes, family: str, top: float) -> Axes:
    """Draw the mean training error (percent) of one family: rows are rates, columns are depths.

    `top`: percent at the upper end of the colour scale. The lowest error of each depth is outlined.
    """
    rates = sorted(frame.runs[LR].unique())
    depths = list_depths(frame.runs)
    runs = frame.runs[is_finished(frame.runs) & (frame.runs["family"] == family)]
    means = _mean_errors(runs, rates, depths)
    has_means = runs.groupby([LR, "depth"]).size().max() > 1
    mark = CELL_MEAN if has_means else CELL_RUN
    ax.imshow(means, cmap=colormaps["viridis"], vmin=0, vmax=top, origin="lower", aspect="auto")
    for column in range(len(depths)):
        for row in range(len(rates)):
            error = means[row, column]
            text = "-" if np.isnan(error) else f"{error:.1f}"
            color = "white" if error <= BLACK_FROM * top else "black"
            ax.text(column, row, text, ha="center", va="center", color=color, label=mark)
        _outline_lowest(means[:, column], column, ax)
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    ax.set_xlabel("depth (layers)")
    ax.set_title(f"{family} networks")
    ax.grid(visible=False)
    return ax


def _mean_errors(runs: pd.DataFrame, rates: list[float], depths: list[int]) -> np.ndarray:
    """Return the means over seeds, rates x depths, in percent, or NaN where no run has finished.

    `runs`: the finished ones of one family.
    """
    means = runs.pivot_table(index=LR, columns="depth", values=TRAINING_ERROR, aggfunc="mean")
    errors: np.ndarray = means.reindex(index=rates, columns=depths).to_numpy(dtype=float)
    return errors


def _outline_lowest(errors: np.ndarray, column: int, ax: Axes) -> None:
    """Outline the lowest error of one depth. `errors`: one per learning rate."""
    if np.isnan(errors).all():
        return
    corner = (column - 0.48, int(np.nanargmin(errors)) - 0.48)
    ax.add_patch(Rectangle(corner, 0.96, 0.96, fill=False, edgecolor=OUTLINE_COLOR, linewidth=2.5))


def plot(frame: Frame) -> Figure:
    """Return the figure: one map per family, on a shared colour scale from 0 to chance."""
    families = list_families(frame.runs)
    chance = frame.runs["chance"].dropna()
    top = float(chance.max()) if len(chance) else 100.0
    figure = Figure(figsize=(min(4.6 * len(families) + 1, MAX_WIDTH), 4.0), layout="constrained")
    axes = figure.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for ax, family in zip(axes, families, strict=True):
        draw(frame, ax, family, top)
    axes[0].set_ylabel("learning rate")
    figure.colorbar(
        axes[-1].images[0], ax=list(axes), label=f"training error ({frame.error_kind}, %)"
    )
    figure.suptitle("Training error by learning rate and depth")
    return figure
