"""PDF files share their fonts, and are the same whatever was written before them."""

import pytest
from matplotlib.backends import _backend_pdf_ps
from matplotlib.figure import Figure

from analysis.figures import pdf_fonts, style

TEXTS = ("depth (layers)", "a mean: x̄ ± 2")  # the second needs more than plain text


def write(folder, text):
    folder.mkdir()
    with style.own_settings():
        figure = Figure(figsize=(3, 1), layout="constrained")
        figure.subplots().set_title(text)
        style.save(figure, folder / "figure")
    return (folder / "figure.pdf").read_bytes()


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("text", TEXTS)
def test_pdf_does_not_depend_on_earlier_ones(tmp_path, text):
    pdf_fonts._reduce_font.cache_clear()
    alone = write(tmp_path / "alone", text)
    pdf_fonts._reduce_font.cache_clear()
    for number, other in enumerate((*TEXTS, "$\\alpha^2$")):
        write(tmp_path / str(number), other)
    assert write(tmp_path / "after", text) == alone
    assert b"/FontFile2" in alone  # TrueType is embedded


def test_fonts_of_plain_texts_are_reduced_once(tmp_path):
    pdf_fonts._reduce_font.cache_clear()
    for number in range(3):
        write(tmp_path / str(number), f"text {number}")
    assert pdf_fonts._reduce_font.cache_info().misses == 1


def test_matplotlib_is_as_it_was_afterwards():
    original = _backend_pdf_ps.get_glyphs_subset
    with pdf_fonts.shared_fonts():
        assert _backend_pdf_ps.get_glyphs_subset is not original
    assert _backend_pdf_ps.get_glyphs_subset is original


def test_other_release_of_matplotlib_embeds_its_own_fonts(monkeypatch, tmp_path):
    monkeypatch.setattr(pdf_fonts, "SUBSET_FUNCTION", "no_such_function")
    assert b"/FontFile2" in write(tmp_path / "own", "text")
