"""A difference with all its bounds as a line of evidence: the page puts these into a table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from analysis.estimates import CONFIDENCE, Difference, Estimate


class HasBounds(Protocol):
    """An estimate with one-sided 95 % bounds and a two-sided 95 % interval."""

    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def format_points(value: float) -> str:
    """Format a difference in points: `+1.20`."""
    return f"{value:+.2f}"


def format_bounds(estimate: HasBounds, show: Callable[[float], str] = format_points) -> str:
    """Format all bounds: `one-sided 95 % bounds +1.20, +3.40; two-sided 95 % interval ...`."""
    percent = f"{100 * CONFIDENCE:.0f} %"
    return (
        f"one-sided {percent} bounds {show(estimate.lower)}, {show(estimate.upper)}; "
        f"two-sided {percent} interval {show(estimate.low)} to {show(estimate.high)}"
    )


@dataclass(frozen=True)
class DifferenceLine:
    """A line of evidence about one difference.

    Attributes:
        label: what is subtracted from what, such as `56 minus 20 layers`.
        estimate: the difference.
        paired: the same difference within each seed, averaged over seeds, or None.
        note: what limits it, or empty text.
        show: formats the mean and the bounds.
        unit: follows the mean.
        separator: stands between the label and the mean.
    """

    label: str
    estimate: Estimate
    paired: Difference | None = None
    note: str = ""
    show: Callable[[float], str] = format_points
    unit: str = " points"
    separator: str = ": "

    def __str__(self) -> str:
        """Return the line as text, with the method that gave the bounds."""
        bounds = format_bounds(self.estimate, self.show)
        mean = f"{self.show(self.estimate.mean)}{self.unit}"
        line = f"{self.label}{self.separator}{mean} ({self.estimate.method}: {bounds})"
        if self.paired is not None:
            line += f"; paired by seed: one-sided 95 % bounds {self.format_paired()}"
        return f"{line}; {self.note}" if self.note else line

    def format_paired(self) -> str:
        """Return both bounds of the difference within each seed, or empty text if there is none."""
        if self.paired is None:
            return ""
        return f"{self.show(self.paired.lower)}, {self.show(self.paired.upper)}"


EvidenceLine = str | DifferenceLine
