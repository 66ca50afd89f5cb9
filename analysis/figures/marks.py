"""What the artists of a figure show, by their label, so that texts speak only of what is drawn.

A label that begins with an underscore stays out of matplotlib's legends.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.estimates import Interval

RUN = "_run"  # a point per run
INTERVAL = "_interval"  # the error bars of means
CUT_INTERVAL = "_interval cut off"  # some error bars extend beyond the possible values
EQUAL_RUNS = "_equal runs"  # a bar although the runs do not differ
JOINED_MEANS = "_joined means"  # the ends of error bars whose means a line joins
BAND = "_band"  # from the lowest run to the highest; the labels of both kinds begin with it
MEAN_BAND = f"{BAND} about means"
GEOMETRIC_BAND = f"{BAND} about geometric means"
MEAN_LINE = "_mean over seeds"
MEDIAN_LINE = "_median over seeds"
PRINTED_MEAN = "_printed mean"
PRINTED_RUN = "_printed error of a run"
LR_DROP = "_learning-rate drop"
LR_DROP_LEVEL = "_iteration of a learning-rate drop"
PUBLISHED_MARK = "_published value"
NEVER_REACHED = "_never reached"
TIMED_RUN = "_timed run"
FIT = "_fit"
CLIPPED = "_clipped"
DELETED_SHAPE_CHANGE = "_deleted block that changes the shape"
SHAPE_CHANGE = "_block that changes the shape"
DIVERGED = "diverged run"
CHANCE = "chance"
CELL_MEAN = "_cell with a mean"
CELL_RUN = "_cell with a run"

# What a figure's footer says of its marks, which its legend does not explain.
_FOOTER_WORDS = {
    RUN: "points: single runs",
    INTERVAL: "bars: 95 % confidence interval of the mean",
    BAND: "bands: from the lowest run to the highest",
    CELL_MEAN: "numbers: means over seeds; outlined: the lowest of each depth",
    CELL_RUN: "numbers: single runs; outlined: the lowest of each depth",
    TIMED_RUN: "left: single runs, with the interval between evaluations that has the true time",
    MEDIAN_LINE: "others: medians over seeds",
}
# What a caption says about them.
_CAPTION_SENTENCES = {
    JOINED_MEANS: "Lines join the means over seeds.",
    MEDIAN_LINE: "Lines join the medians over seeds at each depth.",
    MEAN_LINE: "The solid line is the mean over seeds.",
    CELL_MEAN: "Numbers are means over seeds.",
    RUN: "Each point is a run (one seed).",
    DIVERGED: "A cross is a diverged run, which counts as chance error, in the means too.",
    INTERVAL: "Error bars are 95 % Student-t confidence intervals of the mean over seeds.",
    CUT_INTERVAL: "They end at 0 % and at 100 %, also where the interval extends further.",
    EQUAL_RUNS: (
        "Runs with equal errors have a bar too: no spread counts as smaller than that of rounding"
        " to one image."
    ),
    PRINTED_MEAN: "Means are printed beside their marks, where there is room.",
    PRINTED_RUN: "Errors are printed beside their marks, where there is room.",
    MEAN_BAND: "Lines are means over seeds; bands extend from the lowest run to the highest.",
    GEOMETRIC_BAND: (
        "Lines are geometric means over seeds; bands extend from the lowest run to the highest."
    ),
    LR_DROP: "Thin vertical lines are the learning-rate drops.",
    LR_DROP_LEVEL: (
        "Thin horizontal lines are the learning-rate drops, after which networks learn faster for "
        "a while: times beyond the first do not belong to one learning rate."
    ),
    NEVER_REACHED: (
        "An open triangle stands for a time beyond the end of training (grey area): a run, or half "
        "of the runs, never reached that error."
    ),
    FIT: (
        "Both fits use the iterations before the first learning-rate drop, if any; exponential "
        "growth is a straight line, and a power law flattens with depth."
    ),
    CLIPPED: "Values that are too small for the scale are drawn at its lower end.",
    DELETED_SHAPE_CHANGE: (
        "Crosses are blocks that change the shape, which a plain network cannot lose; the claim "
        "excludes them."
    ),
    SHAPE_CHANGE: (
        "Grey strips are blocks that change the shape, where the shortcut is not the identity."
    ),
    CHANCE: (
        "The dotted horizontal line is chance: the error of always guessing the most frequent"
        " class."
    ),
}


def is_drawn(figure: Figure, mark: str) -> bool:
    """Return whether a panel of the figure has an artist whose label begins with this text."""
    artists = [artist for ax in figure.axes for artist in ax.get_children()]
    return any(str(artist.get_label()).startswith(mark) for artist in artists)


def mark_equal_runs(values: Sequence[float], interval: Interval, ax: Axes) -> None:
    """Note for the caption that runs have a bar although they are equal: nothing is drawn."""
    if interval.n > 1 and interval.high > interval.low and min(values) == max(values):
        ax.plot([], [], label=EQUAL_RUNS)


def explain_marks(figure: Figure) -> str:
    """Return, for a footer, what the points, bars and bands that a figure draws are."""
    words = [words for mark, words in _FOOTER_WORDS.items() if is_drawn(figure, mark)]
    return "; ".join(words)


def describe_marks(figure: Figure) -> str:
    """Return, for a caption, sentences on what the marks that a figure draws are."""
    sentences = [text for mark, text in _CAPTION_SENTENCES.items() if is_drawn(figure, mark)]
    return " ".join(sentences)
