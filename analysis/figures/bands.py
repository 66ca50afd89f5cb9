"""The mean of several runs as a line, with a band that spans all of them."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes


def draw(runs: pd.DataFrame, ax: Axes, style: dict[str, Any]) -> Axes:
    """`runs`: a column a run, over the values of the horizontal axis."""
    ax.plot(runs.index, runs.mean(axis=1), linewidth=2, **style)
    ax.fill_between(
        runs.index, runs.min(axis=1), runs.max(axis=1), alpha=0.15, color=style["color"], lw=0
    )
    return ax
