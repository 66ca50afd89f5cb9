"""Numbers beside their marks, placed so that none covers a mark, a line or another number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from analysis.figures.marks import PRINTED_MEAN

PADDING = 2.0  # points between a number and anything else
# Distances of a number from its mark, in points: the nearest place that is free is taken.
DISTANCES = (5.0, 8.0, 12.0, 17.0, 23.0, 30.0)
FONT_SIZE = 9  # points
# Where a number may be, as seen from its mark: to the right, and up. The first is preferred.
ABOVE = ((-1, 1), (0, 1), (-1, 0), (1, 1), (1, 0), (0, -1), (-1, -1), (1, -1))
BELOW = ((0, -1), (1, -1), (-1, -1), (1, 0), (0, 1), (-1, 0), (1, 1), (-1, 1))


@dataclass(frozen=True)
class _Label:
    text: str
    point: tuple[float, float]  # in data coordinates
    color: Any
    directions: tuple[tuple[int, int], ...]


class MeanLabels(Artist):
    """The printed numbers of one panel.

    Their places are computed whenever the panel is drawn, because they depend on its size and on
    everything else in it. A number that has no free place near its mark is not drawn.

    Attributes:
        shown: the texts that were drawn last, with their places.
    """

    def __init__(self, ax: Axes) -> None:
        super().__init__()
        self.set_zorder(6)
        self.set_in_layout(False)
        self.shown: list[Text] = []
        self._labels: list[_Label] = []
        self._ax = ax

    def add(self, label: _Label) -> None:
        """Add a number; it is placed after those that were added before."""
        self._labels.append(label)
        self.stale = True

    def draw(self, renderer: RendererBase) -> None:
        """Place the numbers and draw those that have a place."""
        self.shown = []
        figure = self.get_figure(root=True)
        if not self.get_visible() or figure is None:
            return
        obstacles = _Obstacles(self._ax, renderer)
        for label in self._labels:
            text = _make_text(label, figure)
            place = _find_place(text, label, self._ax, obstacles, renderer)
            if place is None:
                continue
            text.set_position(place)
            obstacles.add(text.get_window_extent(renderer))
            self.shown.append(text)
        for text in self.shown:
            text.draw(renderer)


def _make_text(label: _Label, figure: Figure) -> Text:
    text = Text(0, 0, label.text, color=label.color, fontsize=FONT_SIZE)
    text.set_figure(figure)
    text.set_path_effects([withStroke(linewidth=2, foreground="white")])
    return text


def print_beside(
    text: str,
    point: tuple[float, float],
    ax: Axes,
    color: Any,
    directions: tuple[tuple[int, int], ...] = ABOVE,
    mark: str = PRINTED_MEAN,
) -> None:
    """Print a small number beside a point (in data coordinates), where there is room for it.

    `directions`: the sides of the point at which it may stand; the first is preferred. `mark`: what
    the number is, for the caption; a panel that prints some mean is said to print means.
    """
    labels = [artist for artist in ax.artists if isinstance(artist, MeanLabels)]
    if not labels:
        labels = [MeanLabels(ax)]
        ax.add_artist(labels[0])
    labels[0].add(_Label(text, point, color, directions))
    if labels[0].get_label() != PRINTED_MEAN:
        labels[0].set_label(mark)


def _find_place(
    text: Text, label: _Label, ax: Axes, obstacles: "_Obstacles", renderer: RendererBase
) -> tuple[float, float] | None:
    """Return where the text may start (in pixels), or None if no place near its mark is free."""
    pixels_per_point = _pixels_per_point(renderer)
    extent = text.get_window_extent(renderer)
    x, y = ax.transData.transform(label.point)
    if not np.isfinite([x, y]).all():
        return None
    for distance in DISTANCES:
        for right, up in label.directions:
            shift = distance * pixels_per_point
            left = x + right * shift - extent.width * (1 - right) / 2
            bottom = y + up * shift - extent.height * (1 - up) / 2
            box = Bbox.from_bounds(left, bottom, extent.width, extent.height)
            if obstacles.are_clear_of(box.padded(PADDING * pixels_per_point)):
                # The extent of a text may begin a little beside its position.
                return left - extent.x0, bottom - extent.y0
    return None


def _pixels_per_point(renderer: RendererBase) -> float:
    return float(np.asarray(renderer.points_to_pixels(1.0)))


class _Obstacles:
    """What a number must not touch: marks, lines, error bars, the legend and other numbers."""

    def __init__(self, ax: Axes, renderer: RendererBase) -> None:
        self._frame = ax.get_window_extent(renderer)
        self._boxes: list[np.ndarray] = []  # one row per box: left, bottom, right, top
        self._paths: list[Path] = []
        for line in ax.lines:
            self._add_line(line, renderer)
        for collection in ax.collections:
            if isinstance(collection, PathCollection):
                self._add_points(collection, renderer)
            elif isinstance(collection, LineCollection):
                transform = collection.get_transform()
                self._paths += [transform.transform_path(path) for path in collection.get_paths()]
        legend = ax.get_legend()
        if legend is not None and legend.get_visible():
            self.add(legend.get_window_extent(renderer))

    def add(self, box: Bbox) -> None:
        self._boxes.append(np.array([box.extents]))

    def are_clear_of(self, box: Bbox) -> bool:
        """Return whether a box lies within the panel and touches no obstacle."""
        frame = self._frame
        if box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1:
            return False
        for boxes in self._boxes:
            is_beside = (boxes[:, 2] < box.x0) | (boxes[:, 0] > box.x1)
            is_above_or_below = (boxes[:, 3] < box.y0) | (boxes[:, 1] > box.y1)
            if not (is_beside | is_above_or_below).all():
                return False
        return not any(path.intersects_bbox(box, filled=False) for path in self._paths)

    def _add_line(self, line: Line2D, renderer: RendererBase) -> None:
        if not line.get_visible():
            return
        path = line.get_transform().transform_path(line.get_path())
        if line.get_linestyle() not in ("None", "none", "", " "):
            self._paths.append(path)
        if line.get_marker() not in ("None", "none", "", " ", None):
            centres = np.asarray(path.vertices)
            size = line.get_markersize() * _pixels_per_point(renderer)
            self._add_squares(centres, np.full(len(centres), size))

    def _add_points(self, points: PathCollection, renderer: RendererBase) -> None:
        centres = points.get_offset_transform().transform(np.ma.getdata(points.get_offsets()))
        sizes = np.sqrt(np.resize(points.get_sizes(), len(centres)))
        self._add_squares(centres, _pixels_per_point(renderer) * sizes)

    def _add_squares(self, centres: np.ndarray, sides: np.ndarray) -> None:
        """Add squares, in pixels. A square without a place (NaN) touches nothing."""
        half = sides[:, None] / 2
        squares = np.hstack([centres - half, centres + half])
        self._boxes.append(squares[np.isfinite(squares).all(axis=1)])
