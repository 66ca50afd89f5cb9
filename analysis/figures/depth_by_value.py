"""Training error against depth at each value of a factor: one panel per value."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from analysis.columns import TRAINING_ERROR
from analysis.figures import error_vs_depth
from analysis.figures.layout import (
    add_joint_legend,
    label_first_column,
    make_panels,
    set_panel_title,
    show_text,
)
from analysis.frame import Frame


def plot(groups: Sequence[Mapping[str, Frame]], title: str) -> Figure:
    """Return the figure: a panel for each frame, on a shared scale.

    `groups`: the runs at each value, by the title of their panel. A group begins a new row.
    `title`: that of the figure.
    """
    figure, axes = make_panels([len(frames) for frames in groups])
    for frames, panels in zip(groups, axes, strict=True):
        for (panel_title, frame), ax in zip(frames.items(), panels, strict=True):
            error_vs_depth.draw(frame, ax, TRAINING_ERROR)
            set_panel_title(ax, panel_title)
    for frames, panels in zip(groups, axes, strict=True):  # once all panels have their content
        for frame, ax in zip(frames.values(), panels, strict=True):
            label_first_column(
                [ax], f"training error ({frame.error_kind}, %)", error_vs_depth.LOWEST
            )
    add_joint_legend(figure)
    figure.suptitle(show_text(title))
    return figure
