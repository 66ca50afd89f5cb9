"""The horizontal axis of a factor: numbers at their size, everything else evenly spaced."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from analysis.figures.layout import measure_width, show_text

LINEAR, LOG, CATEGORIES = "linear", "log", "categories"
MAX_LABEL_CHARACTERS = 36  # longer tick labels, all together, are drawn at an angle
# Free space beyond the outermost values: half of the smallest gap, or this fraction of the range
# if that is more.
MARGIN = 0.14
# Between neighbouring marks at one value: points, but at most this fraction of the smallest gap.
MARK_SPACING, MAX_MARK_SPACING = 7.0, 0.18
MAX_MARKS_WIDTH = 0.5  # of all marks at one value together, as a fraction of the smallest gap


@dataclass(frozen=True)
class ValueAxis:
    """Where the values of a factor are drawn.

    Attributes:
        scale: linear, log or categories.
        positions: the place of each value: its size, or its index among the categories.
        gap: the smallest distance between two values, as a difference or (log) as a factor.
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

    def separate(self, value: Hashable, index: int, count: int, ax: Axes) -> float:
        """Return the place of one of `count` marks at a value, moved aside so that none overlap."""
        gap_in_points = measure_width(ax) / (self._count_gaps() + 2 * self._margin())
        spacing = min(
            MARK_SPACING / gap_in_points, MAX_MARK_SPACING, MAX_MARKS_WIDTH / max(count - 1, 1)
        )
        return self.shift(value, spacing * (index - (count - 1) / 2))

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
        margin = self._margin()
        ax.set_xlim(self.shift(values[0], -margin), self.shift(values[-1], margin))
        return ax

    def _margin(self) -> float:
        """Return the free space beyond the outermost values, in units of the smallest gap."""
        return max(0.5, MARGIN * self._count_gaps())

    def _count_gaps(self) -> float:
        """Return the range of the values in units of the smallest gap."""
        lowest, highest = min(self.positions.values()), max(self.positions.values())
        if lowest == highest:
            return 0.0
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
