"""Means over seeds with their spread: the one place where figures draw them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.figures.marks import describe_marks
from analysis.figures.mean_interval import draw_curves, draw_means, draw_over_depth
from analysis.statistics import student_interval
from tests.support.drawings import error_bars

STYLE = {"color": "#0072B2", "linestyle": "-", "marker": "o", "label": "residual"}


@pytest.fixture
def ax():
    return Figure().subplots()


def test_means_are_joined_and_have_intervals(ax):
    intervals = [student_interval([1.0, 2.0, 3.0]), student_interval([4.0, 6.0])]
    draw_means([0, 1], intervals, ax, STYLE)
    assert ax.lines[0].get_ydata().tolist() == [2.0, 5.0]
    expected = sorted((interval.low, interval.high) for interval in intervals)
    assert np.allclose(error_bars(ax), expected)


def test_group_of_one_run_has_no_bar(ax):
    draw_means([0, 1], [student_interval([1.0]), student_interval([4.0, 6.0])], ax, STYLE)
    assert ax.lines[0].get_ydata().tolist() == [1.0, 5.0]
    assert len(error_bars(ax)) == 1


def test_values_of_nan_are_not_drawn_over_depth(ax):
    groups = {8: [1.0, np.nan, 3.0], 20: [np.nan, np.nan], 56: [5.0]}
    draw_over_depth(groups, ax, [8, 20, 56], (0, 1), STYLE)
    assert ax.lines[0].get_xdata() == pytest.approx([8, 56])
    assert ax.lines[0].get_ydata() == pytest.approx([2.0, 5.0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["8", "20", "56"]


def test_curves_have_a_mean_and_the_range_over_runs(ax):
    curves = pd.DataFrame({"a": [1.0, 10.0], "b": [100.0, 1000.0]}, index=[0, 1])
    draw_curves(curves, ax, STYLE)
    assert ax.lines[0].get_ydata() == pytest.approx([50.5, 505.0])
    heights = {y for _, y in ax.collections[0].get_paths()[0].vertices}
    assert {1.0, 10.0, 100.0, 1000.0} <= heights


def test_geometric_mean_is_the_mean_of_logarithms(ax):
    curves = pd.DataFrame({"a": [1.0, 10.0], "b": [100.0, 1000.0]}, index=[0, 1])
    draw_curves(curves, ax, STYLE, geometric=True)
    assert ax.lines[0].get_ydata() == pytest.approx([10.0, 100.0])


def test_captions_speak_of_means_where_they_are_drawn(ax):
    draw_over_depth({8: [1.0], 20: [2.0]}, ax, [8, 20], (0, 1), STYLE)
    draw_curves(pd.DataFrame({"a": [1.0, 10.0]}), ax, STYLE)
    assert "mean" not in describe_marks(ax.figure)
    draw_over_depth({8: [1.0, 2.0], 20: [2.0, 3.0]}, ax, [8, 20], (0, 1), STYLE)
    assert describe_marks(ax.figure).startswith("Lines join the means over seeds. ")
    curves = pd.DataFrame({"a": [1.0, 10.0], "b": [100.0, 1000.0]})
    draw_curves(curves, ax, STYLE, geometric=True)
    assert "Lines are geometric means over seeds; bands extend" in describe_marks(ax.figure)
    assert "Lines are means" not in describe_marks(ax.figure)


def test_single_mean_is_not_joined(ax):
    draw_means([0], [student_interval([1.0, 2.0])], ax, STYLE)
    assert "join" not in describe_marks(ax.figure)
