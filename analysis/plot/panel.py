"""The Axes that a figure is drawn into: the caller's, or those of a new figure."""

# This import precedes all others, since figures import matplotlib without the user's settings.
import analysis.users_matplotlib  # noqa: F401

# isort: split
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from analysis.figures import style

SIZE = (6.4, 4.6)  # inches
LEGEND_GAP = 0.12  # inches between the horizontal axis and a legend below it
MAX_LEGEND_COLUMNS = 3
INSIDE_OPACITY = 0.6  # of a legend that covers part of the panel
SIDE_BY_SIDE_SIZE = (5.0, 4.2)  # inches, of each panel


@contextmanager
def panel(ax: Axes | None) -> Iterator[Axes]:
    """Yield `ax`, or the Axes of a new pyplot figure in the style of the report.

    Within the context the style is in force if the figure is new; afterwards matplotlib's settings
    are as before. If drawing fails, the new figure is closed.
    """
    if ax is not None:
        yield ax
        return
    with _own_pyplot_settings():
        figure, new_ax = plt.subplots(figsize=SIZE, layout="constrained")
        try:
            yield new_ax
        except BaseException:
            plt.close(figure)
            raise


def side_by_side(count: int = 2) -> list[Axes]:
    """Return the Axes of `count` panels of a new pyplot figure, in the style of the report.

    The panels share their vertical scale, so that they can be compared.
    """
    width, height = SIDE_BY_SIDE_SIZE
    with _own_pyplot_settings():
        _, axes = plt.subplots(
            1,
            count,
            figsize=(count * width, height),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
    return list(axes[0])


def add_legend(ax: Axes, handles: Sequence[Artist] | None = None) -> None:
    """Put a legend below a panel whose figure makes room for it, and otherwise inside.

    A figure makes room if it has a layout, as those of this module do. Inside, what is behind the
    legend is faint, so that both are legible. Call this last: it is placed below the axis's label.

    `handles`: its entries; None: the labelled artists of the panel.
    """
    entries = ax.get_legend_handles_labels()[0] if handles is None else list(handles)
    figure = ax.get_figure(root=True)
    if figure is None or figure.get_layout_engine() is None:
        ax.legend(handles=entries, framealpha=INSIDE_OPACITY, edgecolor="none", fancybox=False)
        return
    axis_box = ax.xaxis.get_tightbbox()
    height = 0.0 if axis_box is None else axis_box.height / figure.dpi
    below = ScaledTranslation(0, -height - LEGEND_GAP, figure.dpi_scale_trans)
    ax.legend(
        handles=entries,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        borderaxespad=0,
        ncols=len(entries) if len(entries) <= MAX_LEGEND_COLUMNS else 2,
        frameon=False,
    )


@contextmanager
def _own_pyplot_settings() -> Iterator[None]:
    """Within the context, the style of the report is in force."""
    # Load the backend now: that of a notebook makes figures interactive, which is to outlast this
    # context.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call]
    is_interactive = plt.isinteractive()
    with style.own_settings():
        plt.rcParams["interactive"] = is_interactive  # a notebook shows interactive figures only
        yield
