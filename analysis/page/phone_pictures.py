"""The narrow pictures of the figures that a reader on a phone sees first."""

import io
from collections.abc import Iterable, Mapping, Sequence

from PIL import Image

from analysis.figures import error_vs_depth, learning_curves
from analysis.figures.phone_rendition import draw_for_phone
from analysis.labelled_figures import FigureLabel
from analysis.page.figure_images import PHONE_DPI
from analysis.sections import Section

# The figures that the page replaces by interactive charts, where scripts run.
CHARTED = (error_vs_depth.FILE_STEM, learning_curves.FILE_STEM)


def draw_phone_pictures(
    sections: Sequence[Section], labels: Mapping[str, FigureLabel]
) -> dict[str, Image.Image]:
    """Return a narrow picture of each figure that leads the page, by file stem.

    Args:
        sections: those of the report; their figures have no titles and footers yet.
        labels: the titles and footers.
    """
    pictures: dict[str, Image.Image] = {}
    for section, stem in _list_leading(sections):
        narrow = draw_for_phone(section.figures[stem][0])
        if narrow is None:
            continue
        labels[stem].add_to(narrow)
        contents = io.BytesIO()
        narrow.savefig(contents, format="png", dpi=PHONE_DPI)
        pictures[stem] = Image.open(contents)
    return pictures


def _list_leading(sections: Iterable[Section]) -> list[tuple[Section, str]]:
    """Return the first figure of the comparisons, and those of the first condition's charts."""
    compared = [
        (section, stem)
        for section in sections
        if section.kind == "comparison"
        for stem in section.figures
    ]
    conditions = [section for section in sections if section.kind == "condition"]
    charted = [
        (section, stem)
        for section in conditions[:1]
        for stem in section.figures
        if stem.startswith(CHARTED)
    ]
    return [*compared[:1], *charted]
