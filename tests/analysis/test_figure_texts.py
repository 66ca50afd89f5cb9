"""Texts of figures touch neither each other nor what is drawn, are large enough, and within it."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.text import Text

from analysis.figures import error_vs_depth, style
from analysis.figures.layout import MAX_WIDTH
from analysis.figures.mean_labels import print_beside
from analysis.figures.title_and_footer import add_title_and_footer
from tests.support.drawings import printed_numbers

EIGHT = (8, 14, 20, 32, 44, 56, 74, 110)
RISING = (3.0, 2.0, 1.5, 8.0, 25.0, 58.0, 70.0, 80.0)
CASES = {
    "one seed": {"plain": {20: [1.2], 56: [40.0]}, "residual": {20: [0.8], 56: [0.5]}},
    "two depths": {
        "plain": {20: [1.5, 1.7], 56: [51.0, 53.0]},
        "residual": {20: [0.9, 0.7], 56: [0.7, 0.5]},
    },
    "one family": {"plain": {20: [1.5, 1.7, 1.6], 32: [9.0, 12.0, 10.0], 56: [51.0, 53.0, 50.0]}},
    "eight depths": {
        "plain": {d: [e, 1.2 * e + 1, 0.8 * e] for d, e in zip(EIGHT, RISING, strict=True)},
        "residual": {d: [0.5, 0.6, 0.4] for d in EIGHT},
    },
    "diverged": {
        "plain": {20: [1.5, 1.7], 56: [51.0, 90.0], 110: [90.0, 90.0]},
        "residual": {20: [0.9, 0.7], 56: [0.7, 0.5], 110: [0.3, 90.0]},
    },
    "all at zero": {family: {20: [0.0] * 3, 110: [0.0] * 3} for family in ("plain", "residual")},
}


def draw(build_frame, errors):
    frame = build_frame(errors)
    runs = frame.runs
    runs.loc[runs["training_error"] == 90, "state"] = "diverged"
    figure = add_title_and_footer(error_vs_depth.plot(frame), "A title", "digits: some runs")
    return figure, printed_numbers(figure)


def sample_ink(ax, renderer_dpi):
    """Return points (pixels) on every mark, line and error bar, a pixel or less apart."""
    points = []
    for line in ax.lines:
        vertices = line.get_transform().transform(line.get_xydata())
        if line.get_linestyle() == "None":
            points.append(vertices)
        else:
            points += [np.linspace(a, b, 600) for a, b in pairwise(vertices)]
            points.append(vertices)
    for collection in ax.collections:
        if isinstance(collection, LineCollection):
            segments = [ax.transData.transform(segment) for segment in collection.get_segments()]
            points += [np.linspace(a, b, 600) for a, b in segments]
        elif isinstance(collection, PathCollection):
            centres = ax.transData.transform(collection.get_offsets())
            radius = np.sqrt(collection.get_sizes()[0]) / 2 * renderer_dpi / 72
            corners = radius * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
            points += [centres + corner for corner in corners]
    return np.concatenate(points)


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize("case", CASES)
def test_printed_means_touch_nothing(build_frame, case):
    with style.own_settings():
        figure, numbers = draw(build_frame, CASES[case])
        means = sum(len(depths) for depths in CASES[case].values())
        for ax, texts in zip(figure.axes, numbers, strict=True):
            assert len(texts) == means
            extents = [text.get_window_extent() for text in texts]
            assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
            ink = sample_ink(ax, figure.dpi)
            assert not any(extent.count_contains(ink) for extent in extents)
            assert all(ax.bbox.fully_containsx(x) for e in extents for x in (e.x0, e.x1))
            assert all(ax.bbox.fully_containsy(y) for e in extents for y in (e.y0, e.y1))
            ticks = [label.get_window_extent() for label in ax.get_xticklabels()]
            assert all(a.x1 < b.x0 for a, b in pairwise(ticks))


def test_number_without_room_is_not_printed(build_frame):
    with style.own_settings():
        figure = error_vs_depth.plot(build_frame(CASES["one seed"]))
        left, _ = figure.axes
        left.plot(*np.random.default_rng(0).uniform(0, 100, (2, 3000)))  # ink everywhere
        print_beside("50.0", (40, 50), left, "black")
        assert "50.0" not in [text.get_text() for text in printed_numbers(figure)[0]]


def test_bars_end_at_0_and_100(build_frame):
    figure = error_vs_depth.plot(build_frame({"plain": {20: [1.0, 99.0], 56: [0.0, 3.0]}}))
    (bars,) = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    ends = np.array(bars.get_segments())[:, :, 1]
    assert (ends.min(), ends.max()) == (0, 100)
    assert "end at 0 % and at 100 %" in error_vs_depth.describe(figure)


@pytest.mark.parametrize(
    ("depths", "label", "steps"),
    [
        ((20, 32, 44, 56, 110), "depth (layers)", [12, 12, 12, 54]),
        ((20, 56, 110, 1202), "depth (layers, logarithmic)", [36, 54, 1092]),
        ((100, 102, 104, 2000), "depth (layers, not to scale)", [1, 1, 1]),
    ],
)
def test_depth_is_true_to_scale_or_says_so(build_frame, depths, label, steps):
    figure = error_vs_depth.plot(build_frame({"plain": {depth: [1.0] for depth in depths}}))
    ax = figure.axes[0]
    assert ax.get_xlabel() == label
    assert np.diff(ax.get_xticks()).tolist() == steps
    assert (ax.get_xscale() == "log") == label.endswith("logarithmic)")


def test_figure_is_at_most_10_inches_wide_with_legible_text(build_frame):
    with style.own_settings():
        figure, _ = draw(build_frame, CASES["eight depths"])
        assert figure.get_figwidth() <= MAX_WIDTH
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 8


def test_bars_of_equal_runs_are_explained(build_frame):
    """Both runs of one network make no error, and rounding to one image is their only spread."""
    sentence = "Runs with equal errors have a bar too"
    equal = build_frame({"plain": {20: [0.0, 0.0], 56: [1.0, 3.0]}})
    assert sentence not in error_vs_depth.describe(error_vs_depth.plot(equal))
    equal.runs["error_step"] = 100 / 180
    assert sentence in error_vs_depth.describe(error_vs_depth.plot(equal))
    different = build_frame({"plain": {20: [0.0, 2.0], 56: [1.0, 3.0]}})
    different.runs["error_step"] = 100 / 180
    assert sentence not in error_vs_depth.describe(error_vs_depth.plot(different))
