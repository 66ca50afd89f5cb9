"""The Axes that a figure is drawn into: the caller's, or those of a new figure."""

# This import precedes all others, since figures import matplotlib without the user's settings.
import analysis.users_matplotlib  # noqa: F401

# isort: split
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from analysis.figures import style

SIZE = (6.4, 4.6)  # inches
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
