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


@contextmanager
def panel(ax: Axes | None) -> Iterator[Axes]:
    """Yield `ax`, or the Axes of a new pyplot figure in the style of the report.

    Within the context the style is in force if the figure is new; afterwards matplotlib's settings
    are as before. If drawing fails, the new figure is closed.
    """
    if ax is not None:
        yield ax
        return
    is_interactive = plt.isinteractive()
    with style.own_settings():
        plt.rcParams["interactive"] = is_interactive  # a notebook shows interactive figures only
        figure, new_ax = plt.subplots(figsize=SIZE, layout="constrained")
        try:
            yield new_ax
        except BaseException:
            plt.close(figure)
            raise
