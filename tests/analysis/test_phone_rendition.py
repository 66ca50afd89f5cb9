"""The narrow copy of a figure: readable on a phone, and it shows the same."""

import pytest

from analysis.figures import error_vs_depth, learning_curves, learning_rate_map, style
from analysis.figures.phone_rendition import MAX_PANELS, WIDTH, draw_for_phone

ERRORS = {"plain": {20: [1.5, 1.7], 56: [51.0, 53.0]}, "residual": {20: [0.9], 56: [0.7, 0.5]}}


@pytest.fixture
def figure(build_frame):
    with style.own_settings():
        yield error_vs_depth.plot(build_frame(ERRORS))


def list_legend(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_panels_are_below_each_other_with_their_labels(figure):
    narrow = draw_for_phone(figure)
    first, second = narrow.axes
    assert first.get_position().y0 > second.get_position().y1
    assert narrow.get_figwidth() == WIDTH
    for ax in narrow.axes:
        assert ax.get_ylabel() == figure.axes[0].get_ylabel()
        assert all(label.get_visible() for label in ax.get_yticklabels())
        assert 0 <= ax.get_tightbbox().x0 < ax.get_tightbbox().x1 <= narrow.bbox.x1


def test_text_of_a_narrow_figure_is_as_large_as_in_the_wide_one(figure):
    narrow = draw_for_phone(figure)
    sizes = [label.get_fontsize() for label in narrow.axes[0].get_xticklabels()]
    assert sizes == [label.get_fontsize() for label in figure.axes[0].get_xticklabels()]


def test_wide_figure_is_left_as_it_was(figure):
    legend, size = list_legend(figure), figure.get_size_inches().tolist()
    draw_for_phone(figure)
    assert list_legend(figure) == legend
    assert figure.get_size_inches().tolist() == size
    assert figure.axes[0].get_position().y0 == figure.axes[1].get_position().y0


def test_legend_of_lines_that_no_panel_has_stays(build_frame):
    frame = build_frame(ERRORS)
    with style.own_settings():
        wide = learning_curves.plot(frame)
        assert list_legend(draw_for_phone(wide)) == list_legend(wide)


def test_touching_labels_are_upright(figure):
    depths = range(20, 57, 2)
    figure.axes[0].set_xticks(depths, [str(depth) for depth in depths])
    narrow = draw_for_phone(figure)
    labels = [narrow.axes[0].get_xticklabels()[0], figure.axes[0].get_xticklabels()[0]]
    assert [label.get_rotation() for label in labels] == [90, 0]


def test_figure_of_many_panels_has_no_narrow_copy(figure):
    for _ in range(MAX_PANELS):
        figure.add_subplot()
    assert draw_for_phone(figure) is None


def test_colour_bar_beside_cells_without_numbers_prevents_a_narrow_copy(figure):
    ax = figure.axes[0]
    figure.colorbar(ax.imshow([[0, 1]]), ax=ax)
    assert draw_for_phone(figure) is None


def test_map_with_numbers_in_its_cells_needs_no_colour_bar(build_frame):
    frame = build_frame(ERRORS)
    frame.runs["config.optim.lr"] = 0.1
    with style.own_settings():
        wide = learning_rate_map.plot(frame)
        narrow = draw_for_phone(wide)
        assert len(wide.axes) == 3
        first, second = narrow.axes
        assert first.get_position().y0 > second.get_position().y1
        assert [text.get_text() for text in first.texts] == ["1.6", "52.0"]
