"""The figures of a report, one module per figure.

Every module has the same interface. `plot(...)` returns a whole matplotlib Figure, with its title
(neutral, as in a paper), its axis labels and its legend. `draw(..., ax)` draws one panel into the
given Axes and returns the Axes. A module with several figures names them `plot_<what>`. `CAPTION`,
or `describe(figure)`, says what is drawn, where that does not depend on the section that shows the
figure.

A module that also defines `POSITION` and `FILE_STEM` is a figure of every condition of an
experiment. `plot_condition` collects these modules automatically, so a new figure costs one file.

Shared by all of them: style.py (colours, line styles, writing files), layout.py (panels, axes,
legends), depth_axis.py and value_axis.py (horizontal axes), mean_interval.py (means over seeds with
their intervals), mean_labels.py (printed numbers), marks.py (what is drawn, in words) and
title_and_footer.py.
"""

# This import precedes all others, since some of them import matplotlib.
from analysis.figures.matplotlib_import import Figure

# isort: split
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from analysis.frame import Frame

__all__ = ["plot_condition"]


class ConditionFigure(Protocol):
    """A module that draws a figure of one condition: runs that differ in family, depth and seed."""

    POSITION: int  # place in the report
    FILE_STEM: str  # stem of its files, such as "error-against-depth"

    def applies_to(self, frame: Frame) -> bool:
        """Return whether these runs have what the figure shows."""

    def plot(self, frame: Frame) -> Figure:
        """Return the figure of these runs."""

    def describe(self, figure: Figure) -> str:
        """Return the caption, which speaks only of what is in the figure."""


def plot_condition(frame: Frame) -> dict[str, tuple[Figure, str]]:
    """Draw all figures of one condition; return {file stem: (figure, caption)} in report order."""
    figures = {}
    for module in _condition_figures():
        if module.applies_to(frame):
            figure = module.plot(frame)
            figures[module.FILE_STEM] = (figure, module.describe(figure))
    return figures


def _condition_figures() -> list[ConditionFigure]:
    modules = []
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        if hasattr(module, "FILE_STEM"):
            modules.append(cast(ConditionFigure, module))
    return sorted(modules, key=lambda module: module.POSITION)
