"""Published errors in the figures, on runs made by hand."""

import numpy as np

from analysis.figures import learning_curves, published, style
from analysis.paper_protocol import follows_cifar10_protocol
from tests.support.drawings import printed_numbers
from tests.support.frames import paper_frame

RESIDUAL = {
    20: [8.3, 8.5, 8.4],
    32: [7.6, 7.7, 7.5],
    44: [7.3, 7.1, 7.4],
    56: [6.9, 7.2, 7.1],
    110: [6.5, 6.7, 6.6],
}
PLAIN = {
    20: [9.3, 9.6, 9.4],
    32: [9.9, 10.3, 10.1],
    44: [11.2, 11.9, 11.5],
    56: [12.7, 13.3, 13.0],
    110: [88.0, 89.0, 90.0],
}


def published_marks(ax):
    return [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "D"]


def test_curves_end_at_the_published_errors(build_frame):
    """Figure 6 of the paper, on its scale."""
    plain_errors = {20: [9.2, 9.4], 110: [70.0, 80.0]}
    frame = paper_frame(build_frame, {20: [8.6, 8.8], 56: [7.0, 7.1]}, plain_errors)
    figure = learning_curves.plot(frame)
    plain, residual = figure.axes
    assert "guessing" not in learning_curves.describe(figure)  # chance is above the scale
    assert published_marks(residual) == [[[64000, 8.75]], [[64000, 6.97]]]
    assert [[64000, 9.0], [64000, 9.5]] in [line.get_xydata().tolist() for line in plain.lines]
    assert plain.get_ylim() == (0, 25)


def test_curves_of_other_protocols_have_no_published_errors(build_frame):
    frame = paper_frame(build_frame, {20: [8.6, 8.8]}, **{"config.data.name": "image_folder"})
    assert published_marks(learning_curves.plot(frame).axes[0]) == []


def list_texts(numbers):
    return {text.get_text() for text in numbers}


def test_our_errors_and_published_ones_share_a_scale(build_frame):
    style.apply()
    frame = paper_frame(build_frame, RESIDUAL, PLAIN)
    figure = published.plot(frame)
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim() == (5, 15)
    depths = [tick.get_text() for tick in right.get_xticklabels()]
    assert depths == ["20", "32", "44", "56", "110", "1202"]
    marks = [float(y) for line in right.lines for y in np.atleast_1d(line.get_ydata())]
    for error in (8.75, 7.51, 7.17, 6.97, 6.61, 6.43, 7.93, 8.04, 8.51, 7.40, 7.14, 7.92, 9.14):
        assert error in marks
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {
        "robertkoller, one seed (validation error)",
        "wooyeolBaek, one seed (183 epochs)",
    } <= legend
    assert "validation set, after training on 45,000 images" in published.describe(figure)
    assert "plain-56 clips gradients" in published.describe(figure)
    left_texts, right_texts = map(list_texts, printed_numbers(figure))
    assert {"above 60", "89.0"} <= left_texts
    means = frame.runs[frame.runs["family"] == "residual"].groupby("depth")["test/error"].mean()
    assert {f"{mean:.2f}" for mean in means} == right_texts


def test_published_errors_are_drawn_without_runs(build_frame):
    frame = build_frame({"plain": {20: [1.0]}, "residual": {20: [1.0, 2.0]}})
    assert not follows_cifar10_protocol(frame.runs).any()
    figure = published.plot(frame)
    assert figure.axes[0].get_title() == "plain networks: no finished run of the paper's protocol"
    assert "2.00" not in list_texts(printed_numbers(figure)[1])


def test_run_beyond_the_axis_is_counted(build_frame):
    """If the mean lies within the axis."""
    frame = paper_frame(build_frame, {56: [7.0, 7.1, 7.2, 7.0, 90.0]}, {44: [24.0, 25.0]})
    frame.runs.loc[frame.runs["test/error"] == 90, "state"] = "diverged"
    figure = published.plot(frame)
    assert figure.axes[0].get_ylim() == (5, 25.5)
    assert "1 of 5 runs" in list_texts(printed_numbers(figure)[1])
