"""Where the values of a factor are drawn, and what the figures of a factor show."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.comparisons import factor_figures
from analysis.comparisons.factor_comparison import build_section
from analysis.condition_labels import format_values
from analysis.factors import find_factors
from analysis.figures import depth_by_value, error_vs_factor
from analysis.figures.layout import make_panels
from analysis.figures.value_axis import choose_axis
from tests.support.comparisons import LOW, PLAIN, join_conditions
from tests.support.drawings import heights_by_label

WIDTH = "config.model.width"
SCALE = "config.model.options.scale"


def axis_of(values):
    return choose_axis(values, format_values(values))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([8, 16, 32], "log"),
        ([0.01, 0.03, 0.1], "log"),
        ([8, 16, 64], "log"),
        ([8, 16, 24], "linear"),
        ([400, 1200], "linear"),
        ([0, 0.25, 0.5, 1], "linear"),
        ([-1, 1, 10], "linear"),
        (["adam", "sgd"], "categories"),
        ([False, True], "categories"),
        ([8, "null"], "categories"),
    ],
)
def test_scale_follows_from_the_values(values, scale):
    assert axis_of(values).scale == scale


def test_values_are_at_their_size():
    ax = Figure().subplots()
    axis_of([8, 32, 16]).apply(ax)
    assert ax.get_xscale() == "log"
    assert list(ax.get_xticks()) == [8, 16, 32]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "16", "32"]
    assert ax.get_xlim() == pytest.approx((8 / 2**0.5, 32 * 2**0.5))


def test_shift_is_a_fraction_of_the_smallest_gap():
    assert axis_of([0.0, 1.0, 3.0]).shift(3.0, 0.5) == 3.5
    assert axis_of([1, 4, 16]).shift(16, 0.5) == 32
    assert axis_of(["a", "b"]).shift("b", -0.5) == 0.5


@pytest.fixture
def widths(build_frame):
    errors = [({"plain": PLAIN, "residual": LOW}, {WIDTH: width}) for width in (8, 16, 32)]
    return join_conditions(build_frame, errors)


def test_error_is_drawn_against_the_numbers(widths):
    shallow, deep = error_vs_factor.plot({"": widths}, WIDTH, "width").axes
    assert (shallow.get_title(), deep.get_title()) == ("20 layers", "56 layers")
    (line,) = [line for line in deep.lines if line.get_label() == "plain"]
    assert line.get_ydata() == pytest.approx([51.333333] * 3)
    ratios = np.asarray(line.get_xdata()) / [8, 16, 32]
    assert ratios == pytest.approx([ratios[0]] * 3)  # beside the value, by as much everywhere
    assert 0.9 < ratios[0] < 1


def test_title_of_a_panel_names_the_stratum(widths):
    figure = error_vs_factor.plot({"lr 1": widths, "lr 2": widths}, WIDTH, "width")
    assert [ax.get_title() for ax in figure.axes][::3] == ["20 layers, lr 1", "56 layers, lr 2"]


def test_categories_are_not_joined(build_frame):
    errors = [({"plain": PLAIN}, {WIDTH: width}) for width in ("b", "a")]
    (ax, _) = error_vs_factor.plot({"": join_conditions(build_frame, errors)}, WIDTH, "").axes
    (line,) = [line for line in ax.lines if line.get_label() == "plain"]
    assert line.get_linestyle() == "None"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_null_of_another_key_is_named_as_in_labels(build_frame):
    size = "config.data.size"
    errors = [({"plain": PLAIN}, {size: value}) for value in (None, 16)]
    _, deep = error_vs_factor.plot({"": join_conditions(build_frame, errors)}, size, "").axes
    assert "plain, original image size" in heights_by_label(deep)


def test_networks_without_the_option_are_a_horizontal_line(build_frame):
    errors = [({"plain": PLAIN}, {SCALE: None})]
    errors += [({"residual": LOW}, {SCALE: scale}) for scale in (0.5, 1.0)]
    _, deep = error_vs_factor.plot({"": join_conditions(build_frame, errors)}, SCALE, "").axes
    lines = heights_by_label(deep)
    assert lines["plain, which has no such option"] == pytest.approx([51.333333] * 2)
    assert "plain" not in lines


def test_depth_figure_has_a_panel_per_value(widths):
    (stratum,) = find_factors(widths)[0].strata
    frames = {stratum.labels[value]: c.frame for value, c in stratum.conditions.items()}
    figure = depth_by_value.plot([frames], "by width")
    assert [ax.get_title() for ax in figure.axes] == ["width 8", "width 16", "width 32"]
    assert heights_by_label(figure.axes[2])["plain (mean)"] == pytest.approx([1.6, 51.333333])


def test_panels_wrap_and_groups_begin_a_row():
    figure, groups = make_panels([5, 2])
    places = [[ax.get_subplotspec().colspan.start for ax in group] for group in groups]
    rows = [[ax.get_subplotspec().rowspan.start for ax in group] for group in groups]
    assert places == [[0, 1, 2, 0, 1], [0, 1]]
    assert rows == [[0, 0, 0, 1, 1], [2, 2]]
    assert len(figure.axes) == 7


@pytest.mark.parametrize("value", ["$\\frac{", "x" * 5000, "\udcff", "$$"])
def test_planted_values_can_be_drawn(build_frame, value, tmp_path):
    """The values of a record's configuration could be read as TeX."""
    errors = [({"plain": {20: [1.0, 2.0]}}, {WIDTH: width}) for width in ("a", value)]
    frame = join_conditions(build_frame, errors)
    figure = error_vs_factor.plot({value: frame}, WIDTH, value)
    figure.savefig(tmp_path / "figure.png", dpi=20)
    assert figure.get_size_inches().max() < 10
    assert "frac{" not in value or figure.axes[0].get_title() == r"20 layers, \$\frac{"


def test_figure_of_many_values_has_a_limit(build_frame):
    errors = [({"plain": {20: [1.0]}}, {WIDTH: width}) for width in range(4)]
    (factor,) = find_factors(join_conditions(build_frame, errors))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(factor_figures, "MAX_PANELS", 3)
        figures = factor_figures.plot_factor(factor, build_section(WIDTH))
    figure, caption = figures["model-width-against-depth"]
    assert len(figure.axes) == 3
    assert caption.endswith("1 further panel is not drawn; the table has the numbers.")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("model.options.shortcut_scale", "model-options-shortcut-scale"),
        ("runs", "key-"),
        ("model.../../x", "key-"),
        ("model." + "x" * 300, "key-"),
    ],
)
def test_file_stems_are_safe(key, name):
    stem = build_section(f"config.{key}").name
    assert stem.startswith(name)
    assert len(stem) <= 60
    assert "/" not in stem
