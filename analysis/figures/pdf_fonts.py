"""The fonts in PDF files, prepared once per process.

For each PDF, matplotlib reduces each font to the characters of the figure, which takes longer
than everything else in it. Here all figures share one reduced font, which has every character of
plain text, and of the others those of the figure.
"""

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib.backends import _backend_pdf_ps

PLAIN_TEXT = range(0x20, 0x7F)  # printable ASCII
SUBSET_FUNCTION = "get_glyphs_subset"  # of matplotlib, which has no public interface for this
# Tables that lay text out, which matplotlib has done, and that no reader of a PDF uses.
LAYOUT_TABLES = ["GSUB", "GPOS", "GDEF", "FFTM"]


@dataclass(frozen=True)
class ReducedFont:
    """A font file with few glyphs, with the interface that matplotlib's PDF writer uses."""

    contents: bytes
    glyph_index_map: dict[int, int]  # from the glyphs of the whole font to those of this file

    @property
    def font(self) -> "ReducedFont":
        return self

    def save(self, file: BinaryIO, **_options: Any) -> None:
        """Write the font file."""
        file.write(self.contents)


@contextmanager
def shared_fonts() -> Iterator[None]:
    """Within the context, PDF files share their fonts.

    If another release of matplotlib has no function of this name, nothing is changed.
    """
    original = getattr(_backend_pdf_ps, SUBSET_FUNCTION, None)
    if original is None:
        yield
        return
    setattr(_backend_pdf_ps, SUBSET_FUNCTION, _find_font)
    try:
        yield
    finally:
        setattr(_backend_pdf_ps, SUBSET_FUNCTION, original)


@contextmanager
def _find_font(path: Any, glyphs: Any) -> Iterator[ReducedFont]:
    """Yield the font with at least these glyphs (their numbers in the file)."""
    number = getattr(path, "face_index", 0)
    further = frozenset(glyphs) - _list_plain_glyphs(str(path), number)
    yield _reduce_font(str(path), number, further)


@functools.cache
def _list_plain_glyphs(path: str, number: int) -> frozenset[int]:
    """Return the numbers of the glyphs of plain text, as far as the font has them."""
    with TTFont(path, fontNumber=number, lazy=True) as font:
        names = font.getBestCmap()
        return frozenset(font.getGlyphID(names[code]) for code in PLAIN_TEXT if code in names)


@functools.lru_cache(maxsize=64)
def _reduce_font(path: str, number: int, further: frozenset[int]) -> ReducedFont:
    """Return a font with the glyphs of plain text and `further` ones."""
    options = subset.Options(glyph_names=True, recommended_glyphs=True, font_number=number)
    options.drop_tables += LAYOUT_TABLES
    subsetter = subset.Subsetter(options=options)
    subsetter.populate(gids=_list_plain_glyphs(path, number) | further)
    with subset.load_font(path, options) as font:
        subsetter.subset(font)
        contents = io.BytesIO()
        font.save(contents, reorderTables=False)
    return ReducedFont(contents.getvalue(), cast("dict[int, int]", subsetter.glyph_index_map))
