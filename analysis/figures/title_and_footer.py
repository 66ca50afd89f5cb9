"""The title and the footer of a figure, so that a slide or a paper can show it without the report.

The footer names the data set, the number of runs and seeds, and what points, bars and bands are.
"""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine

from analysis.figures.layout import show_text
from analysis.figures.text_width import wrap
from degradation.counting import format_count

POINTS_PER_INCH = 72
TITLE_FONT = FontProperties(size=14, weight="bold")
FOOTER_FONT = FontProperties(size=9.5)
FOOTER_COLOR = "0.35"
LINE_SPACING = 1.35  # in units of the font size
MARGIN = 6.0  # points between these texts and the panels, and at both sides of the figure


def add_title_and_footer(figure: Figure, title: str, footer: str) -> Figure:
    """Put a title above the panels and a footer below the legend; the figure becomes taller.

    Args:
        figure: a figure with constrained layout; its own title is replaced.
        title: the title.
        footer: the footer.
    """
    width = POINTS_PER_INCH * figure.get_figwidth() - 2 * MARGIN
    title_lines = list(wrap(title, TITLE_FONT, width))
    footer_lines = list(wrap(footer, FOOTER_FONT, width))
    above = _height(title_lines, TITLE_FONT)
    below = _height(footer_lines, FOOTER_FONT)
    height = POINTS_PER_INCH * figure.get_figheight() + above + below
    figure.set_figheight(height / POINTS_PER_INCH)
    _set_panel_area(figure, below / height, 1 - above / height)

    left = MARGIN / (width + 2 * MARGIN)
    figure.suptitle("").set_in_layout(False)
    for lines, y, side, font, color in (
        (title_lines, 1, "top", TITLE_FONT, "black"),
        (footer_lines, 0, "bottom", FOOTER_FONT, FOOTER_COLOR),
    ):
        text = figure.text(left, y, "\n".join(lines), va=side, color=color, font=font)
        text.set_linespacing(LINE_SPACING)
    return figure


def _set_panel_area(figure: Figure, bottom: float, top: float) -> None:
    """Confine the panels and the legend to a part of the figure: fractions of its height."""
    panel_bottom = bottom
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, bottom, 1, top - bottom), transform=figure.transFigure)
        margin = MARGIN / POINTS_PER_INCH / figure.get_figheight()
        panel_bottom = bottom + legend.get_window_extent().height / figure.bbox.height + margin
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)  # every figure of this package has it
    engine.set(rect=(0, panel_bottom, 1, top - panel_bottom))


def describe_data(runs: pd.DataFrame, keys: Sequence[str] = (), condition: str = "") -> str:
    """Return the data sets, runs and seeds: `digits: 30 runs, 3 seeds per network`.

    `runs`: the rows of `Frame.runs` that a figure shows. `keys`: the columns, besides family and
    depth, in which its networks differ. `condition`: what these runs have in common, such as
    `width 8`; may be empty.
    """
    data_sets = sorted(set(runs["data"].dropna().astype(str)))
    subject = show_text(", ".join(filter(None, (*data_sets, condition))))
    count = runs["run_id"].nunique()
    if not count:
        return "no finished runs"
    return f"{subject}: {format_count(count, 'run')}, {describe_seeds(runs, keys)} per network"


def describe_seeds(runs: pd.DataFrame, keys: Sequence[str] = ()) -> str:
    """Return how many seeds a network has: `3 seeds`, or `2 to 3 seeds`.

    Arguments: those of `describe_data`; there is at least one run.
    """
    seeds = runs.groupby(["family", "depth", *keys], dropna=False)["seed"].nunique()
    fewest, most = int(seeds.min()), int(seeds.max())
    if fewest == most:
        return format_count(most, "seed")
    return f"{fewest} to {most} seeds"


def _height(lines: list[str], font: FontProperties) -> float:
    """Return the height in points that these lines need, with the margin to the panels."""
    return len(lines) * LINE_SPACING * font.get_size_in_points() + MARGIN if lines else 0.0
