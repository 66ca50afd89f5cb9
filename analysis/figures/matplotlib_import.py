"""Imports matplotlib without the settings of the user or of the environment.

matplotlib reads them when it is imported, and some make that fail: a notebook sets MPLBACKEND to a
backend that is installed for the notebook only, and a matplotlibrc may be unreadable. The figures
need none of them (`analysis.figures.style`). If matplotlib is already imported, nothing is done.

Everything in `analysis` that is not in `analysis.figures` imports matplotlib's names from here.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

# The backend, the settings, and the rendering of text
VARIABLES = ("MPLBACKEND", "MATPLOTLIBRC", "FREETYPE_PROPERTIES")


@contextmanager
def default_settings() -> Iterator[None]:
    """Within the context, hide the variables, and let matplotlib find its own matplotlibrc first.

    It looks in the working directory first, so this is its folder of defaults within the context.
    """
    hidden = {name: os.environ.pop(name) for name in VARIABLES if name in os.environ}
    spec = find_spec("matplotlib")
    here = os.open(".", os.O_RDONLY)
    try:
        if spec is not None and spec.origin is not None:
            with suppress(OSError):  # another release may have no such folder
                os.chdir(Path(spec.origin).with_name("mpl-data"))
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        os.environ.update(hidden)


if "matplotlib" not in sys.modules:
    with default_settings():
        import matplotlib  # noqa: F401

from matplotlib.figure import Figure  # noqa: E402

__all__ = ["Figure"]
