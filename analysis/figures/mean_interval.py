"""One number a run against depth: every run a point, the mean and Student's 95 % interval of a group of runs."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.statistics import student


def draw(
    groups: dict[int, list[float]], ax: Axes, depths: list[int], shift: float, style: dict[str, Any]
) -> Axes:
    """`groups`: depth: a number a run. Depths are evenly spaced; `shift` sets a group beside another."""
    finite = {
        depth: [value for value in values if np.isfinite(value)] for depth, values in groups.items()
    }
    finite = {depth: values for depth, values in finite.items() if values}
    x = [depths.index(depth) + shift for depth in finite]
    intervals = [student(values) for values in finite.values()]
    ax.plot(x, [one.mean for one in intervals], linewidth=2, markersize=6, **style)
    half = [one.high - one.mean for one in intervals]  # NaN for one run: no bar
    ax.errorbar(
        x, [one.mean for one in intervals], half, fmt="none", ecolor=style["color"], capsize=4, linewidth=1.2
    )  # fmt: skip
    for at, values in zip(x, finite.values(), strict=True):
        ax.scatter(
            [at] * len(values),
            values,
            s=16,
            alpha=0.6,
            color=style["color"],
            linewidths=0.6,
            zorder=3,
        )
    ax.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    ax.set_xlim(-0.5, len(depths) - 0.5)
    ax.set_xlabel("depth (layers)")
    return ax
