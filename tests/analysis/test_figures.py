"""Figures of errors: what is drawn is what was measured."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.columns import TRAINING_ERROR, TRAINING_ERROR_AT_START
from analysis.figures import (
    construction,
    error_vs_depth,
    error_vs_factor,
    learning_curves,
    learning_rate_map,
    style,
)
from analysis.statistics import student_interval
from tests.support.drawings import (
    error_bars,
    heights_by_label,
    point_heights,
    printed_numbers,
)

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0], 110: [89.0, 88.0, 90.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4], 110: [0.3, 0.5, 0.4]},
}


@pytest.fixture
def ax():
    style.apply()
    return Figure().subplots()


def test_runs_are_points_and_lines_are_means(build_frame, ax):
    error_vs_depth.draw(build_frame(ERRORS), ax, "train/clean_error")
    lines = heights_by_label(ax)
    errors = []
    for family, depths in ERRORS.items():
        means = [np.mean(values) for values in depths.values()]
        assert lines[f"{family} (mean)"] == pytest.approx(means)
        errors += np.concatenate(list(depths.values())).tolist()
    assert point_heights(ax) == pytest.approx(sorted(errors))
    assert lines["chance (90 %)"] == pytest.approx([90, 90])


def test_bars_are_student_intervals(build_frame, ax):
    error_vs_depth.draw(build_frame(ERRORS), ax, "train/clean_error")
    expected = []
    for depths in ERRORS.values():
        intervals = [student_interval(values) for values in depths.values()]
        expected += [(interval.low, interval.high) for interval in intervals]
    assert np.allclose(error_bars(ax), sorted(expected))


def test_diverged_run_is_a_cross_at_chance(build_frame, ax):
    frame = build_frame(ERRORS)
    frame.runs.loc[frame.runs["run_id"] == "plain-d110-s2", "state"] = "diverged"
    error_vs_depth.draw(frame, ax, "train/clean_error")
    crosses = [
        collection
        for collection in ax.collections
        if list(getattr(collection, "get_sizes", list)()) == [50]
    ]
    drawn = [
        float(collection.get_offsets()[0][1])
        for collection in crosses
        if len(collection.get_offsets())
    ]
    assert drawn == [90.0]


@pytest.fixture
def build_distinct_frame(build_frame):
    """Return a function that builds a frame in which no two errors agree.

    The training error of the claims, the clean training error, the error before training and the
    test error all differ, and the test error falls where the others rise. Chance is 75 %.
    """

    def build_distinct(errors=ERRORS, **columns):
        frame = build_frame(errors, chance=75.0, **columns)
        runs, curves = frame.runs, frame.curves
        runs["train/clean_error"] = runs[TRAINING_ERROR] / 2
        runs[TRAINING_ERROR_AT_START] = runs[TRAINING_ERROR] / 3
        runs["test/error"] = 100 - 0.9 * runs[TRAINING_ERROR]
        curves["test/error"] = 100 - 0.8 * curves[TRAINING_ERROR]
        return frame

    return build_distinct


def compute_means(frame, family, column=TRAINING_ERROR, **where):
    runs = frame.runs[frame.runs["family"] == family]
    for key, value in where.items():
        runs = runs[runs[key] == value]
    return runs.groupby("depth")[column].mean().tolist()


def test_error_vs_depth_draws_the_named_column(build_distinct_frame):
    frame = build_distinct_frame()
    for ax, column in zip(
        error_vs_depth.plot(frame).axes, (TRAINING_ERROR, "test/error"), strict=True
    ):
        lines = heights_by_label(ax)
        for family in ERRORS:
            assert lines[f"{family} (mean)"] == pytest.approx(compute_means(frame, family, column))
        assert lines["chance (75 %)"] == pytest.approx([75, 75])


def test_curves_are_thin_for_training_and_bold_for_test(build_distinct_frame):
    frame = build_distinct_frame({"plain": ERRORS["plain"]})
    (ax,) = learning_curves.plot(frame).axes
    for width, column in ((1.1, TRAINING_ERROR), (2.6, "test/error")):
        drawn = [line.get_ydata().tolist() for line in ax.lines if line.get_linewidth() == width]
        expected = frame.curves.groupby(["depth", "iteration"])[column].mean().unstack().to_numpy()
        assert np.allclose(drawn, expected)
    assert [75, 75] in [list(line.get_ydata()) for line in ax.lines]


def test_error_vs_factor_draws_training_error(build_distinct_frame, ax):
    frame = build_distinct_frame(
        {"plain": {20: [1.0, 3.0, 30.0, 50.0]}, "residual": {20: [2.0, 4.0, 8.0, 6.0]}}
    )
    frame.runs["config.optim.lr"] = [0.1, 0.1, 0.01, 0.01] * 2
    error_vs_factor.draw(frame, ax, "config.optim.lr", 20)
    lines = heights_by_label(ax)
    assert lines["plain"] == pytest.approx([40, 2])  # the smaller rate comes first
    assert lines["residual"] == pytest.approx([7, 3])
    assert lines["chance (75 %)"] == pytest.approx([75, 75])


def test_learning_rate_map_ends_at_chance(build_distinct_frame):
    frame = build_distinct_frame(
        {"plain": {20: [1.0, 3.0, 30.0, 50.0], 56: [5.0, 7.0, 60.0, 62.0]}}
    )
    frame.runs["config.optim.lr"] = [0.1, 0.1, 0.01, 0.01] * 2
    image = learning_rate_map.plot(frame).axes[0].images[0]
    assert np.allclose(image.get_array(), [[40, 61], [2, 6]])
    assert image.get_clim() == (0, 75)


def test_construction_draws_error_before_and_after(build_distinct_frame):
    frame = build_distinct_frame({"plain": ERRORS["plain"], "constructed": ERRORS["residual"]})
    whole, near = construction.plot(frame).axes
    for ax in (whole, near):
        lines = heights_by_label(ax)
        assert lines["constructed, before training"] == pytest.approx(
            compute_means(frame, "constructed", TRAINING_ERROR_AT_START)
        )
        assert lines["constructed, after training"] == pytest.approx(
            compute_means(frame, "constructed")
        )
    assert heights_by_label(whole)["plain, from scratch"] == pytest.approx(
        compute_means(frame, "plain")
    )
    assert heights_by_label(whole)["chance (75 %)"] == pytest.approx([75, 75])


def test_test_error_has_the_scale_of_training_error(build_frame):
    frame = build_frame(ERRORS)
    left, right = error_vs_depth.plot(frame).axes
    assert left.get_ylim() == right.get_ylim()
    assert [ax.get_title() for ax in (left, right)] == ["Training error (clean)", "Test error"]
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["20", "56", "110"]
    means = right.lines[0].get_ydata()
    assert means == pytest.approx(compute_means(frame, "plain", "test/error"))


def test_curves_are_means_over_seeds(build_frame, ax):
    frame = build_frame(ERRORS)
    learning_curves.draw(frame, ax, "plain")
    lines = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 2]
    is_drawn = (frame.curves["family"] == "plain") & (frame.curves["depth"] == 20)
    by_iteration = frame.curves[is_drawn].groupby("iteration")
    assert np.allclose(lines[0], [1.6 * 1.5, 1.6])
    assert np.allclose(lines[1], by_iteration["test/error"].mean())
    left, right = learning_curves.plot(frame).axes
    assert left.get_ylim() == right.get_ylim()


def test_depths_differ_in_colour_and_in_line_style():
    styles = [style.depth_style(index, 5) for index in range(5)]
    assert len({str(depth_style["linestyle"]) for depth_style in styles}) == 5
    assert len({tuple(depth_style["color"]) for depth_style in styles}) == 5


def test_same_frame_gives_the_same_files(build_frame, tmp_path):
    style.apply()
    files = [
        style.save(error_vs_depth.plot(build_frame(ERRORS)), tmp_path / name) for name in ("a", "b")
    ]
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_clip_paths_are_numbered(build_frame, tmp_path):
    """matplotlib names them by a hash of coordinates that differ in their last bits."""
    style.apply()
    style.save(error_vs_depth.plot(build_frame(ERRORS)), tmp_path / "a")
    text = (tmp_path / "a.svg").read_text()
    names = re.findall(r'<clipPath id="([^"]*)"', text)
    assert sorted(names) == ["clip0", "clip1"]
    assert set(re.findall(r"url\(#([^)]*)\)", text)) == set(names)


def test_one_family_or_one_seed_is_drawn(build_frame):
    for errors in ({"plain": {20: [1.0]}}, {"residual": {20: [1.0, 2.0], 56: [3.0, 4.0]}}):
        error_vs_depth.plot(build_frame(errors))
        learning_curves.plot(build_frame(errors))


@pytest.mark.parametrize(("marks", "bitmaps"), [(500, 0), (501, 2)])
def test_svg_embeds_many_marks_as_a_bitmap(ax, tmp_path, marks, bitmaps):
    """Here a scatter and a line; axes, texts and artists with few marks stay vectors."""
    ax.scatter(range(marks), range(marks))
    ax.plot(range(marks), range(marks), zorder=5)
    ax.plot([0, 1], [0, 1], zorder=3.5)
    style.save(ax.figure, tmp_path / "a")
    assert (tmp_path / "a.svg").read_text().count("<image") == bitmaps


def test_mean_with_a_wide_interval_is_printed_within_the_axis(build_frame):
    frame = build_frame({"residual": {20: [1.0, 90.0]}})
    figure = error_vs_depth.plot(frame)
    assert figure.axes[0].get_ylim()[1] <= 105
    assert [text.get_text() for text in printed_numbers(figure)[0]] == ["45.5"]
