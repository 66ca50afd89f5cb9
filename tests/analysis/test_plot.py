"""Panels for notebooks: they draw what the table has, into the axes that are passed."""

from functools import partial

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt

from analysis import plot
from analysis.figures.style import FAMILY_STYLES
from analysis.key_columns import drop_prefix
from degradation.errors import UserError

ERRORS = {"plain": {20: [5.0, 7.0], 56: [20.0, 26.0]}, "residual": {20: [4.0], 56: [3.0]}}


@pytest.fixture
def runs(build_frame):
    return drop_prefix(build_frame(ERRORS).runs)


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def heights(ax, label):
    (line,) = [line for line in ax.get_lines() if line.get_label() == label]
    return line.get_xdata().tolist(), line.get_ydata().tolist()


def test_depth_panel_draws_the_means_of_the_rows(runs, ax):
    assert plot.error_against_depth(runs, ax) is ax
    assert heights(ax, "plain (mean)")[1] == [6.0, 23.0]
    few = runs[runs["seed"] == 0]
    _, other = plt.subplots()
    plot.error_against_depth(few, ax=other, metric="test/error")
    assert heights(other, "plain")[1] == [48.6 - 2.5, 48.6 - 10]
    plt.close(other.figure)


def test_run_of_two_tables_counts_once(runs):
    """Tables of two record roots may have been joined; a run that counts twice narrows a bar."""
    joined = pd.concat([runs, runs], ignore_index=True)
    for draw in (plot.error_against_depth, partial(plot.error_against, key="depth")):
        lengths = []
        for table in (runs, joined):
            axes = draw(table)
            lengths.append([np.asarray(line.get_ydata()).tolist() for line in axes.get_lines()])
            plt.close(axes.figure)
        assert lengths[0] == lengths[1]


def test_settings_are_left_alone(runs):
    plt.rcParams["font.size"] = 17
    before = dict(matplotlib.rcParams)
    ax = plot.error_against_depth(runs)
    assert dict(matplotlib.rcParams) == before
    assert ax.xaxis.label.get_size() == 11  # the report's, not the user's
    assert ax.figure.number in plt.get_fignums()  # pyplot knows it, so a notebook shows it
    plt.close(ax.figure)
    matplotlib.rcdefaults()


def test_passed_axes_keep_the_users_style(runs):
    with plt.rc_context({"legend.fontsize": 23}):
        figure, ax = plt.subplots()
        plot.error_against_depth(runs, ax)
    assert ax.get_legend().get_texts()[0].get_size() == 23
    plt.close(figure)


@pytest.mark.parametrize(
    "draw",
    [plot.error_against_depth, partial(plot.error_against, key="depth")],
    ids=["depth", "key"],
)
def test_other_metrics_have_their_whole_axis(runs, ax, draw):
    """Only an error in percent ends at 105 and has a line at chance."""
    draw(runs.assign(seconds=[300.0 + row for row in range(len(runs))]), ax=ax, metric="seconds")
    assert ax.get_ylim()[1] > 300
    assert ax.get_ylim()[0] > 100
    assert "chance (90 %)" not in [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("layout", ["constrained", None])
def test_legend_is_below_where_there_is_room(runs, layout):
    figure, ax = plt.subplots(layout=layout)
    plot.error_against(runs, "depth", ax)
    figure.draw_without_rendering()
    top = ax.get_legend().get_window_extent().y1
    assert (top < ax.xaxis.label.get_window_extent().y0) == (layout is not None)
    assert ax.get_legend().get_window_extent().y0 > 0
    plt.close(figure)


def test_numbers_have_a_numeric_axis(runs, ax):
    rates = (0.1, 0.01, 1.0)
    wide = pd.concat([runs.assign(**{"optim.lr": lr}) for lr in rates], ignore_index=True)
    wide = wide[(wide["family"] == "plain") & (wide["depth"] == 56)]
    plot.error_against(wide, "optim.lr", ax)
    assert ax.get_xscale() == "log"
    assert heights(ax, "plain") == ([0.01, 0.1, 1.0], [23.0] * 3)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert ax.get_xlabel() == "learning rate"


def test_other_values_are_categories(runs, ax):
    plot.error_against(runs[runs["depth"] == 56], "shortcut", ax)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["none", "A"]
    for family, place, mean in (("plain", 0, 23.0), ("residual", 1, 3.0)):
        (x,), (y,) = heights(ax, family)
        assert x == pytest.approx(place, abs=0.1)
        assert y == mean
    lines = [line for line in ax.get_lines() if line.get_label() in ("plain", "residual")]
    assert {line.get_linestyle() for line in lines} == {"None"}


def test_lines_of_families_and_depths_differ(runs, ax):
    plot.error_against(runs, "seed", ax)
    lines = [line for line in ax.get_lines() if "layers" in str(line.get_label())]
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
    assert len(lines) == len(looks) == 4


def test_curves_are_means_over_runs(build_frame, ax):
    curves = build_frame(ERRORS).curves.assign(chance=90.0)
    plot.error_against_iteration(curves[curves["depth"] == 56], ax)
    assert heights(ax, "plain") == ([200, 400], [34.5, 23.0])
    (line,) = [line for line in ax.get_lines() if line.get_label() == "residual"]
    assert line.get_color() == FAMILY_STYLES["residual"]["color"]


def test_curves_are_those_of_finished_runs(build_frame, ax):
    """Else the late points would be means over other runs than the early ones."""
    curves = build_frame(ERRORS).curves.assign(chance=90.0)
    is_stopped = (curves["family"] == "plain") & (curves["seed"] == 1)
    state = curves["state"].where(~is_stopped, "partial")
    stopped = curves.assign(state=state)[~is_stopped | (curves["iteration"] == 200)]
    plot.error_against_iteration(stopped[stopped["depth"] == 56], ax)
    of_one_run = curves[(curves["family"] == "plain") & (curves["seed"] == 0)]
    errors = of_one_run[of_one_run["depth"] == 56]["training_error"].tolist()
    assert heights(ax, "plain") == ([200, 400], errors)
    with pytest.raises(UserError, match=r"^state: no run of the table has finished"):
        plot.error_against_iteration(curves.assign(state="running"))


def test_gradient_flow_draws_one_family_and_time(ax):
    rows = []
    for family, factor in (("plain", 1.0), ("residual", 2.0)):
        for time_point, iteration in (("initialisation", 0), ("end", 100)):
            for block in range(3):
                norm = factor * 10.0 ** (block + iteration)
                head = {"family": family, "depth": 8, "seed": 0, "run_id": family}
                row = {"iteration": iteration, "time_point": time_point, "block": block}
                rows.append(head | row | {"input_gradient": norm})
    table = pd.DataFrame(rows)
    assert plot.gradient_flow(table, ax, family="residual") is ax
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), [2, 20, 200])
    with pytest.raises(UserError, match="family: has no value; allowed: plain, residual"):
        plot.gradient_flow(table)
    with pytest.raises(UserError, match="time_point: 'start' is not in the table; allowed: init"):
        plot.gradient_flow(table, family="plain", time_point="start")


def test_bad_table_is_one_line_and_leaves_no_figure(runs):
    before = plt.get_fignums()
    with pytest.raises(UserError, match=r"^optim\.nosuch: no such column in the table; allowed: "):
        plot.error_against(runs, "optim.nosuch")
    with pytest.raises(UserError, match=r"^the table has no rows; allowed: at least one$"):
        plot.error_against_depth(runs[runs["depth"] > 100])
    with pytest.raises(UserError, match=r"^the table has no rows"):
        plot.error_against(runs.assign(state="partial"), "seed")
    with pytest.raises(ValueError, match="format code"):  # drawing fails, while the figure exists
        plot.error_against_iteration(runs.assign(chance="x"), metric="test/error")
    assert plt.get_fignums() == before


def test_panels_side_by_side_have_one_scale_and_style():
    plt.rcParams["font.size"] = 17
    before = dict(matplotlib.rcParams)
    left, right = plot.side_by_side()
    left.set_ylim(3, 4)
    assert right.get_ylim() == (3, 4)
    assert left.title.get_size() == 12  # the report's, not the user's
    assert dict(matplotlib.rcParams) == before
    plt.close(left.figure)
    matplotlib.rcdefaults()


def test_a_notebooks_backend_stays_interactive(runs, monkeypatch):
    """A notebook's backend makes figures interactive when the first one loads it."""
    monkeypatch.setattr(plt, "draw_if_interactive", plt.ion)
    ax = plot.error_against_depth(runs)
    assert plt.isinteractive()
    plt.close(ax.figure)
    plt.ioff()
