"""The errors that a sweep has reached so far, as a small table: one row per series."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

TITLE = "error so far, %"


@dataclass(frozen=True)
class CurvePoint:
    """Where a job's error belongs: one of several repetitions at one position of a series."""

    series: str
    position: int
    repetition: int


@dataclass
class Curve:
    """The latest error of each job, in percent.

    Jobs that differ in anything but series, position and repetition have the same point. A mean
    over them would be meaningless, so then there is no table.
    """

    points: set[CurvePoint] = field(default_factory=set)
    errors: dict[CurvePoint, float] = field(default_factory=dict)
    is_mixed: bool = False

    def add(self, point: CurvePoint) -> None:
        """Add the point of a job."""
        self.is_mixed |= point in self.points
        self.points.add(point)

    def update(self, point: CurvePoint, error: float) -> None:
        """Set the latest error of the job at this point."""
        self.errors[point] = error

    def format_lines(self) -> list[str]:
        """Return the mean of each series at each position, or an empty list without errors."""
        if self.is_mixed or not any(map(math.isfinite, self.errors.values())):
            return []
        positions = sorted({point.position for point in self.points})
        names = sorted({point.series for point in self.points})
        label_width = max(map(len, [TITLE, *names]))
        lines = [_format_row(TITLE, label_width, [str(position) for position in positions])]
        for name in names:
            cells = [self._format_mean(name, position) for position in positions]
            lines.append(_format_row(name, label_width, cells))
        return lines

    def _format_mean(self, series: str, position: int) -> str:
        """Return the mean over repetitions, or a dash if no error is known."""
        errors = [
            error
            for point, error in self.errors.items()
            if (point.series, point.position) == (series, position) and math.isfinite(error)
        ]
        return f"{sum(errors) / len(errors):.1f}" if errors else "-"


def _format_row(label: str, width: int, cells: Sequence[str]) -> str:
    return f"  {label:<{width}}" + "".join(f"{cell:>7}" for cell in cells)
