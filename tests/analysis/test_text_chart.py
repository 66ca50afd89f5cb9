"""The picture of error against depth that is made of characters."""

import pytest

from analysis.text_chart import ASCII, UNICODE, choose_glyphs, draw_chart

BOTH = {"plain": {20: 0.0, 110: 100.0}, "residual": {20: 0.0, 110: 0.0}}


def find_labels(lines):
    return next(line for line in lines if line.endswith(" layers"))


def test_marks_stand_at_their_values():
    """The axis ends at 100 %: the marks are in the first and the last row."""
    lines = draw_chart(BOTH, "error", ASCII)
    assert lines[0] == "  error"
    assert lines[1].split("+")[0].strip() == "100"
    assert lines[1][-1] == "o"
    assert lines[9].split("+")[0].strip() == "0"
    assert lines[9].count("*") == 1  # both have no errors at 20 layers
    assert lines[9][-1] == "x"
    assert lines[11].split() == ["20", "110", "layers"]
    assert lines[12].split() == ["o", "plain", "x", "residual", "*", "both"]


def test_axis_ends_just_above_the_largest_value():
    lines = draw_chart({"plain": {20: 1.2, 56: 3.9}}, "error")
    assert lines[1].split(UNICODE.tick)[0].strip() == "5"


@pytest.mark.parametrize("depths", [(20, 32, 44, 56, 110), (8, 9, 10, 11), (20, 22, 1000), (2, 3)])
def test_labels_of_depths_stay_apart(depths):
    lines = draw_chart({"plain": dict.fromkeys(depths, 50.0)}, "error")
    *labels, unit = find_labels(lines).split()
    assert unit == "layers"
    assert {labels[0], labels[-1]} <= {str(depth) for depth in depths}
    assert "".join(lines[1:10]).count(UNICODE.marks[0]) == len(depths)
    assert max(map(len, lines)) <= 80


def test_even_spacing_is_marked():
    near, far = {8: 1.0, 10: 2.0, 1202: 3.0}, {20: 1.0, 56: 3.0}
    note = "(evenly spaced, not to scale)"
    assert note in [line.strip() for line in draw_chart({"plain": near}, "error")]
    assert note not in [line.strip() for line in draw_chart({"plain": far}, "error")]


def test_many_depths_keep_some_labels():
    depths = range(20, 80)
    lines = draw_chart({"plain": dict.fromkeys(depths, 50.0)}, "error")
    labels = find_labels(lines).split()[:-1]
    assert labels[0] == "20"
    assert all(int(label) in depths for label in labels)


@pytest.mark.parametrize("series", [{}, {"plain": {20: 1.0}}, {"plain": {20: 1.0}, "residual": {}}])
def test_one_depth_has_no_picture(series):
    assert draw_chart(series, "error") == []


@pytest.mark.parametrize(
    ("encoding", "glyphs"),
    [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII), ("nosuch", ASCII), (None, ASCII)],
)
def test_characters_are_those_of_the_encoding(encoding, glyphs):
    assert choose_glyphs(encoding) is glyphs
    "".join(draw_chart(BOTH, "error", ASCII)).encode("ascii")


def test_series_that_hide_one_another_have_their_values_in_words():
    """All end at one place, so the legend gives what the picture cannot show."""
    series = {f"width {width}": {8: 50.2, 20: 89.7} for width in (4, 8, 16)}
    text = "\n".join(draw_chart(series, "error", ASCII))
    for width in (4, 8, 16):
        assert f"50.2 to 89.7  width {width}" in text
    assert "50.2" not in "\n".join(draw_chart({"a": {8: 50.2, 20: 89.7}}, "error", ASCII))
