"""Colours, line styles and markers of all figures, and how a figure becomes a file.

The palette is that of Okabe and Ito, which colour-blind readers can tell apart. Each family also
has its own line style and marker, so that no figure depends on colour alone, not even in print.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from analysis.figures.pdf_fonts import shared_fonts
from analysis.figures.png_palette import shrink_png
from degradation.durable_io import write_atomically

FAMILY_STYLES: dict[str, dict[str, Any]] = {
    "plain": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    "residual": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "constructed": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    "plain-preactivation": {"color": "#CC79A7", "linestyle": "--", "marker": "D"},
    "preactivation": {"color": "#56B4E9", "linestyle": "-", "marker": "v"},
}
# The same hues, dark enough for small text.
TEXT_COLORS = {
    "plain": "#A34700",
    "residual": "#00568A",
    "constructed": "#006B4F",
    "plain-preactivation": "#8F3F70",
    "preactivation": "#1B6D9C",
}
REFERENCE_STYLE: dict[str, Any] = {"color": "0.4", "linestyle": ":", "linewidth": 1.2}
LR_DROP_STYLE: dict[str, Any] = {
    "color": "0.55",
    "linewidth": 0.9,
    "linestyle": (0, (2, 3)),
    "zorder": 1,  # above the grid, below the data
}
# Depths differ in colour and in line style, so that either alone is enough to read a figure.
DEPTH_LINESTYLES: list[Any] = [
    "-",
    (0, (5, 1.6)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (2, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
]

SUFFIXES = (".png", ".svg", ".pdf")  # the files of a figure
PADDING = 0.04  # inches around what the artists of a figure cover
DPI = 300  # of a PNG, and of bitmaps within the other files
CLIP_PATH = re.compile(rb'(?<=[#"])p[0-9a-f]{10}(?=[")])')  # the name of a clip path in an SVG
MAX_VECTOR_MARKS = 500  # an artist with more marks is embedded in an SVG as a bitmap

SETTINGS: Any = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "legend.fontsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "savefig.bbox": "tight",
    "savefig.pad_inches": PADDING,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # TrueType: journals refuse matplotlib's default, Type 3
    "svg.hashsalt": "resnet-degradation",  # the same figure gives the same file
}


# matplotlib's fonts lack a creation date, and fontTools would warn about that for each PDF.
logging.getLogger("fontTools.ttLib.tables._h_e_a_d").setLevel(logging.ERROR)


@contextmanager
def own_settings() -> Iterator[None]:
    """Within the context, figures are created and saved with the settings of this project only.

    Those of the user, who may work in a notebook, are restored afterwards.
    """
    with matplotlib.rc_context():
        apply()
        yield


def apply() -> None:
    """Reset matplotlib's settings to its defaults, then apply SETTINGS.

    The backend is left alone: a figure that is only saved needs none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        defaults = dict(matplotlib.rcParamsDefault)
        del defaults["backend"]
        matplotlib.rcParams.update(defaults)
    matplotlib.rcParams.update(SETTINGS)


def depth_style(index: int, count: int) -> dict[str, Any]:
    """Return the colour and line style of the index-th of `count` depths, shallowest first.

    Colours run from light (shallow) to dark (deep).
    """
    position = 0.8 - 0.8 * index / max(count - 1, 1)
    linestyle = DEPTH_LINESTYLES[index % len(DEPTH_LINESTYLES)]
    return {"color": colormaps["viridis"](position), "linestyle": linestyle}


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write the figure as PNG, SVG and PDF and return the paths.

    The files hold no date, so the same figure gives the same bytes. Each is written atomically.
    """
    metadata: dict[str, dict[str, Any]] = {
        ".png": {"Software": ""},
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
    }
    bounds = _fix_layout(figure)
    for artist in figure.findobj(_has_marks):
        artist.set_rasterized(_count_marks(artist) > MAX_VECTOR_MARKS)
    paths = []
    for suffix in SUFFIXES:
        buffer = io.BytesIO()
        # A PNG is reduced to fewer colours before it is compressed.
        options: dict[str, Any] = {"pil_kwargs": {"format": "TIFF"}} if suffix == ".png" else {}
        with shared_fonts():
            figure.savefig(
                buffer,
                format=suffix[1:],
                dpi=DPI,
                metadata=metadata[suffix],
                bbox_inches=bounds,
                **options,
            )
        contents = buffer.getvalue()
        if suffix == ".png":
            contents = shrink_png(contents, DPI)
        elif suffix == ".svg":
            contents = _number_clip_paths(contents)
        path = stem.with_suffix(suffix)
        write_atomically(path, contents)
        paths.append(path)
    return paths


def _fix_layout(figure: Figure) -> Bbox:
    """Lay the figure out once for all files, and return what its artists cover, in inches."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    return figure.get_tightbbox().padded(PADDING)


def _number_clip_paths(contents: bytes) -> bytes:
    """Return an SVG file whose clip paths have numbers as names, in the order of their use.

    matplotlib hashes their coordinates, whose last bits differ from one process to another, because
    the solver of the layout depends on the order of memory addresses.
    """
    numbers: dict[bytes, int] = {}
    return CLIP_PATH.sub(
        lambda name: b"clip%d" % numbers.setdefault(name[0], len(numbers)), contents
    )


def _has_marks(artist: Artist) -> bool:
    return isinstance(artist, Line2D | Collection)


def _count_marks(artist: Artist) -> int:
    """Return the number of points of a line, or of marks of a scatter plot."""
    if isinstance(artist, Line2D):
        return int(np.shape(artist.get_xydata())[0])
    if isinstance(artist, Collection):
        return int(np.shape(artist.get_offsets())[0])
    return 0
