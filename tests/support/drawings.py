"""What a panel of a figure shows, read back from its matplotlib artists."""

import numpy as np

from analysis.figures.mean_labels import MeanLabels


def point_heights(ax):
    """Return the heights of all scatter points, lowest first, without NaN."""
    heights = []
    for collection in ax.collections:
        if hasattr(collection, "get_sizes"):
            heights += [float(y) for _, y in np.atleast_2d(collection.get_offsets())]
    return sorted(height for height in heights if not np.isnan(height))


def error_bars(ax):
    """Return the lower and upper ends of all error bars, lowest first."""
    ends = []
    for collection in ax.collections:
        if hasattr(collection, "get_segments"):
            segments = collection.get_segments()
            ends += [(float(segment[0][1]), float(segment[1][1])) for segment in segments]
    return sorted(ends)


def heights_by_label(ax):
    """Return the heights of every line, by its label in the legend."""
    return {line.get_label(): np.asarray(line.get_ydata(), float) for line in ax.lines}


def printed_numbers(figure):
    """Return, for each panel of a drawn figure, the texts that stand beside marks."""
    figure.draw_without_rendering()
    panels = []
    for ax in figure.axes:
        labels = [artist for artist in ax.artists if isinstance(artist, MeanLabels)]
        panels.append([text for artist in labels for text in artist.shown])
    return panels
