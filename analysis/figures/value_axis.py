"""The horizontal axis of a factor: numbers at their size, everything else evenly spaced."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from analysis.figures.layout import show_text

LINEAR, LOG, CATEGORIES = "linear", "log", "categories"
MAX_LABEL_CHARACTERS = 36  # longer tick labels, all together, are drawn at an angle
# Free space beyond the outermost values: half of the smallest gap, or this fraction of the range
# if that is more.
MARGIN = 0.14


@dataclass(frozen=True)
class ValueAxis:
    """Where the values of a factor are drawn.

    Attributes:
        scale: linear, log or categories.
        positions: the place of each value: its size, or its index among the categories.
        gap: the smallest distance of two values, as a difference or (log) as a factor.
        texts: the tick label of each value.
    """

    scale: str
    positions: dict[Any, float]
    gap: float
    texts: dict[Any, str]

    @property
    def is_ordered(self) -> bool:
        """Return whether lines may join the values."""
        return self.scale != CATEGORIES

    def shift(self, value: Hashable, amount: float) -> float:
        """Return the place of a value, moved by a fraction of the smallest gap."""
        if self.scale == LOG:
            return float(self.positions[value] * self.gap**amount)
        return float(self.positions[value] + self.gap * amount)

    def apply(self, ax: Axes) -> Axes:
        """Set the scale, the ticks and the limits of a panel's horizontal axis."""
        values = sorted(self.positions, key=lambda value: self.positions[value])
        if self.scale == LOG:
            ax.set_xscale("log")
        labels = [self.texts[value] for value in values]
        ax.set_xticks([self.positions[value] for value in values], labels)
        ax.xaxis.set_minor_locator(NullLocator())
        if sum(map(len, labels)) > MAX_LABEL_CHARACTERS:
            ax.tick_params("x", rotation=30)
        margin = max(0.5, MARGIN * self._count_gaps(values))
        ax.set_xlim(self.shift(values[0], -margin), self.shift(values[-1], margin))
        return ax

    def _count_gaps(self, values: Sequence[Any]) -> float:
        """Return the range of the values, lowest first, in units of the smallest gap."""
        lowest, highest = self.positions[values[0]], self.positions[values[-1]]
        if self.scale == LOG:
            return math.log(highest / lowest) / math.log(self.gap)
        return (highest - lowest) / self.gap


def choose_axis(values: Sequence[Any], texts: Mapping[Any, str]) -> ValueAxis:
    """Return the axis of the distinct values of a factor, in their order.

    Numbers are drawn at their size. The axis is logarithmic if there are three or more positive
    values, and if that spaces them more evenly.
    """
    is_numeric = all(isinstance(v, Real) and not isinstance(v, bool) for v in values)
    texts = {value: show_text(texts[value]) for value in values}
    if not is_numeric:
        positions = {value: float(index) for index, value in enumerate(values)}
        return ValueAxis(CATEGORIES, positions, 1.0, texts)
    numbers = sorted(float(value) for value in values)
    positions = {value: float(value) for value in values}
    gaps = [b - a for a, b in pairwise(numbers)]
    if len(numbers) >= 3 and numbers[0] > 0:
        ratios = [b / a for a, b in pairwise(numbers)]
        evenness = math.log(max(ratios)) / math.log(min(ratios))
        if evenness < max(gaps) / min(gaps):
            return ValueAxis(LOG, positions, min(ratios), texts)
    return ValueAxis(LINEAR, positions, min(gaps, default=1.0), texts)
