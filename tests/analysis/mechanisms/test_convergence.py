"""The explanation of convergence: its texts, its table and its figure."""

import numpy as np
import pytest

from analysis.figures.marks import describe_marks
from tests.support.convergence import FLAT, LAST, SLOW, explain


def test_no_line_joins_censored_medians():
    ((fig, _),) = explain(plain=SLOW).figures.values()
    lines = [line for line in fig.axes[1].lines if len(line.get_ydata()) == 5]
    half = next(line for line in lines if line.get_ydata()[0] == 80)  # the median of 20 layers
    assert np.isnan(half.get_ydata()[-1])
    assert half.get_ydata()[-2] == LAST


def test_texts_say_that_a_drop_speeds_learning_up():
    """In the runs of `quick`, plain-32 has 29.8, 24.6 and 10.9 % at iterations 160, 200 and 240."""
    explanation = explain(plain=SLOW)
    ((figure, _),) = explanation.figures.values()
    caption = describe_marks(figure)
    note = next(note for note in explanation.claims[0].notes if "learning rate drops" in note)
    for text in (caption.split("Thin horizontal lines")[1], note):
        assert "faster" in text
        assert "slow" not in text


@pytest.mark.slow
def test_figure_draws_censored_runs_as_open_triangles():
    ((fig, _),) = explain(plain=SLOW, residual=FLAT).figures.values()
    first = fig.axes[0]
    triangles = [line for line in first.lines if line.get_marker() == "^"]
    assert sum(len(line.get_ydata()) for line in triangles) == 6
    assert set(np.concatenate([line.get_ydata() for line in triangles])) == {LAST}
    marks = [line for line in first.lines if line.get_marker() in ("s", "o")]
    assert sum(len(line.get_ydata()) for line in marks) == 9 + 15
    intervals = [line for line in first.lines if line.get_alpha() == 0.6]
    gaps = sum(int(np.isnan(line.get_ydata()).sum()) for line in intervals)
    assert gaps == 9 + 15  # the interval of each run ends with a gap
    fits = [line for line in first.lines if len(line.get_ydata()) == 200]
    assert len(fits) == 2
    slopes = [np.diff(np.log(line.get_ydata())) for line in fits]
    assert np.allclose(slopes[0], slopes[0][0])  # exponential: a straight line on this scale
    assert slopes[1][0] > slopes[1][-1]


def test_table_has_counts_and_medians():
    table = explain(plain=SLOW).table.set_index("depth")
    assert table.loc[20, "iterations to 1/2"] == "40 to 80"
    assert table.loc[56, "iterations to 1/2"] == "> 400"
    assert table["reached 1/2"].tolist() == [3, 3, 3, 0, 0]


def test_one_depth_is_not_explained():
    assert explain(plain={20: [60, 70]}) is None
