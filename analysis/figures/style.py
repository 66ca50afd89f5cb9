"""One colour, line and marker a family, for print and for colour-blind readers (Okabe and Ito's palette)."""

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from degradation.durable_io import write_atomically

FAMILIES: dict[str, dict[str, Any]] = {
    "plain": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    "residual": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "constructed": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    "plain-preactivation": {"color": "#CC79A7", "linestyle": "--", "marker": "D"},
    "preactivation": {"color": "#56B4E9", "linestyle": "-", "marker": "v"},
}
# the same, dark enough for small print
TEXT = {
    "plain": "#A34700", "residual": "#00568A", "constructed": "#006B4F", "plain-preactivation": "#8F3F70",
    "preactivation": "#1B6D9C",
}  # fmt: skip
CHANCE: dict[str, Any] = {"color": "0.4", "linestyle": ":", "linewidth": 1.2}
# a line style and a colour a depth, so that neither alone has to tell them apart
DASHES: list[Any] = [
    "-",
    (0, (6, 2)),
    (0, (3, 1.5)),
    (0, (1, 1)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
]

MANY = 500  # marks of one artist, which an SVG has as one picture from there on

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
    "svg.fonttype": "path",
    "svg.hashsalt": "resnet-degradation",  # the same figure is the same file
}


def apply() -> None:
    """Before any figure is made; the Agg backend needs no screen."""
    matplotlib.use("Agg")
    matplotlib.rcParams.update(SETTINGS)


def chance_label(chance: float) -> str:
    """`chance`: error in percent, which has many digits where the classes are not equally frequent."""
    return f"chance ({chance:.4g} %)"


def depth_style(index: int, count: int) -> dict[str, Any]:
    """Of the index-th of `count` depths, shallowest first: from light to dark."""
    place = 0.8 - 0.8 * index / max(count - 1, 1)
    return {"color": colormaps["viridis"](place), "linestyle": DASHES[index % len(DASHES)]}


def save(figure: Figure, stem: Path) -> list[Path]:
    """PNG and SVG without a date in them, each whole or not there."""
    kinds: dict[str, dict[str, Any]] = {
        ".png": {"dpi": 160, "metadata": {"Software": ""}},
        ".svg": {"metadata": {"Date": None}},
    }
    for artist in figure.findobj(lambda one: isinstance(one, Line2D | Collection)):
        artist.set_rasterized(_marks(artist) > MANY)
    for suffix, options in kinds.items():
        drawn = io.BytesIO()
        figure.savefig(drawn, format=suffix[1:], **options)
        write_atomically(stem.with_suffix(suffix), drawn.getvalue())
    return [stem.with_suffix(suffix) for suffix in kinds]


def _marks(artist: Artist) -> int:
    """How many points a line has, or how many marks a scatter."""
    if isinstance(artist, Line2D):
        return int(np.shape(artist.get_xydata())[0])
    return int(np.shape(artist.get_offsets())[0]) if isinstance(artist, Collection) else 0
