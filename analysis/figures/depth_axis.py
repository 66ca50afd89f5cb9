"""The horizontal axis of depth: true to scale where its labels fit, else evenly spaced.

An axis that is not linear says so in its label.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from analysis.figures.layout import measure_width
from analysis.figures.text_width import measure_text
from analysis.figures.value_axis import (
    CATEGORIES,
    LINEAR,
    LOG,
    MARGIN,
    ValueAxis,
)

SPACE = 5.0  # points between the labels of two depths
LABELS = {
    LINEAR: "depth (layers)",
    LOG: "depth (layers, logarithmic)",
    CATEGORIES: "depth (layers, not to scale)",
}


def choose_depth_axis(depths: Sequence[int], ax: Axes) -> ValueAxis:
    """Return the axis of these depths (shallowest first) in a panel.

    It is linear in layers if all labels fit side by side, else logarithmic if they fit then, else
    the depths are evenly spaced.
    """
    texts = {depth: str(depth) for depth in depths}
    linear = {depth: float(depth) for depth in depths}
    if _labels_fit(np.array([*linear.values()]), ax, depths):
        gaps = [b - a for a, b in pairwise(depths)]
        return ValueAxis(LINEAR, linear, min(gaps, default=1.0), texts)
    if _labels_fit(np.log([*linear.values()]), ax, depths):
        return ValueAxis(LOG, linear, min(b / a for a, b in pairwise(depths)), texts)
    positions = {depth: float(index) for index, depth in enumerate(depths)}
    return ValueAxis(CATEGORIES, positions, 1.0, texts)


def apply_depth_axis(axis: ValueAxis, ax: Axes) -> Axes:
    """Set the scale, the ticks, the limits and the label of a panel's axis of depth."""
    axis.apply(ax)
    ax.set_xlabel(LABELS[axis.scale])
    return ax


def _labels_fit(positions: np.ndarray, ax: Axes, depths: Sequence[int]) -> bool:
    """Return whether the labels of neighbouring depths at these positions do not touch."""
    if len(positions) < 2:
        return True
    width = measure_width(ax) / (1 + 2 * MARGIN)
    centres = width * (positions - positions[0]) / (positions[-1] - positions[0])
    font = FontProperties(size=rcParams["xtick.labelsize"])
    half_widths = [measure_text(str(depth), font) / 2 for depth in depths]
    needed = [a + b + SPACE for a, b in pairwise(half_widths)]
    return bool((np.diff(centres) >= needed).all())
