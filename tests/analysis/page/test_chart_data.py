"""The numbers behind the charts are those of the tables, and fit into a page."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from analysis.figures.style import FAMILY_STYLES
from analysis.page.charts import chart_data
from analysis.page.charts.chart_colors import (
    DARK_PAGE,
    LIGHT_PAGE,
    build_color_css,
    compute_contrast,
    make_legible,
)
from analysis.page.charts.chart_data import collect_chart_data
from analysis.page.charts.chart_parts import FOLDER, build_chart_scripts
from analysis.page.charts.curve_intervals import average_curves
from analysis.sections import summarise
from analysis.statistics import student_interval
from tests.support.frames import join_frames
from tests.support.pages import read_chart_data

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.5, 0.5, 0.5]},
}


def find_group(data, family, depth, condition=0):
    groups = data["conditions"][condition]["groups"]
    return next(group for group in groups if (group["family"], group["depth"]) == (family, depth))


def test_means_and_intervals_are_those_of_summary_csv(build_frame):
    frame = build_frame(ERRORS, error_step=1 / 15, test_step=1 / 3)
    data = collect_chart_data(frame)
    names = [quantity["name"] for quantity in data["quantities"]]
    assert names[0] == "train/clean_error"
    for row in summarise(frame.runs).to_dict("records"):
        group = find_group(data, row["family"], row["depth"])
        for name, column in {"train/clean_error": "training", "test/error": "test"}.items():
            expected = [row[f"{column}_error_{key}"] for key in ("mean", "low", "high")]
            final = group["final"][names.index(name)]
            assert final[:3] == pytest.approx(expected, abs=5e-4)
        # The curve ends at the same mean with the same interval.
        curve = group["curves"][0]
        assert [values[-1] for values in curve] == pytest.approx(group["final"][0][:3], abs=1e-3)


def test_mean_curve_is_student_interval_at_each_iteration():
    rng = np.random.default_rng(0)
    values = rng.normal(20, 5, (4, 3))
    frame = pd.DataFrame({"iteration": np.tile([10, 20, 30], 4), "error": values.ravel()})
    frame.loc[0, "error"] = np.nan
    curve = average_curves(frame, ["error"], np.array([10, 20, 30, 40]), {"error": 30.0})["error"]
    for index, runs in enumerate((values[1:, 0], values[:, 1], values[:, 2])):
        interval = student_interval(runs.tolist(), resolution=30.0)
        expected = [interval.mean, interval.low, interval.high]
        assert [part[index] for part in curve] == pytest.approx(expected)
    assert np.isnan([part[3] for part in curve]).all()


def test_errors_of_a_diverged_run_are_at_chance(build_frame):
    frame = build_frame(ERRORS)
    frame.runs.loc[5, ["state", "train/augmented_error"]] = ["diverged", np.nan]
    frame.runs.loc[5, ["training_error", "chance"]] = 88.0
    data = collect_chart_data(frame)
    run = next(run for run in data["conditions"][0]["runs"] if run["state"] == "diverged")
    names = [quantity["name"] for quantity in data["quantities"]]
    for name in ("train/clean_error", "train/augmented_error", "test/error"):
        assert run["final"][names.index(name)] == 88.0, name


def test_runs_with_one_seed_twice_are_not_averaged(build_frame):
    frame = build_frame(ERRORS)
    frame.runs.loc[1, "seed"] = 0
    data = collect_chart_data(frame)
    assert "final" not in find_group(data, "plain", 20)
    assert "final" in find_group(data, "plain", 56)
    assert len(data["conditions"][0]["runs"]) == 12


def test_families_look_as_in_the_figures(build_frame):
    looks = collect_chart_data(build_frame(ERRORS))["looks"]
    assert list(looks) == ["plain", "residual"]
    assert looks["plain"] == {"linestyle": "--", "marker": "s"}
    script = (FOLDER / "depth_marks.js").read_text(encoding="utf-8")
    for style in FAMILY_STYLES.values():
        for name in (style["linestyle"], style["marker"]):
            assert re.search(rf'[ "]{re.escape(name)}"?: ', script), name


def test_unfinished_runs_are_not_drawn(build_frame):
    frame = build_frame(ERRORS)
    frame.runs.loc[3:5, "state"] = ["failed", "missing", "partial"]
    data = collect_chart_data(frame)
    depths = [group["depth"] for group in data["conditions"][0]["groups"]]
    assert depths == [20, 20, 56]
    assert len(data["conditions"][0]["runs"]) == 9


def test_each_condition_has_its_own_runs(build_frame):
    frames = [build_frame(ERRORS, **{"config.optim.lr": rate}) for rate in (0.1, 0.2)]
    frames[1].runs["training_error"] *= 2
    data = collect_chart_data(join_frames(frames, ["a", "b"]))
    labels = [condition["label"] for condition in data["conditions"]]
    assert labels == ["learning rate 0.1", "learning rate 0.2"]
    means = [find_group(data, "plain", 20, index)["final"][0][0] for index in (0, 1)]
    assert means == [1.6, 3.2]


def test_too_many_numbers_leave_out_runs_then_points(build_frame, monkeypatch):
    frame = build_frame(ERRORS)
    monkeypatch.setattr(chart_data, "MAX_RUN_NUMBERS", 10)
    data = collect_chart_data(frame)
    assert not data["has_runs"]
    assert data["conditions"][0]["runs"] == []
    assert find_group(data, "plain", 56)["final"][0][3:] == [50.0, 53.0]  # lowest, highest
    thinned = chart_data._thin(np.arange(40, 4001, 40), 7)
    assert len(thinned) == 7
    assert (thinned[0], thinned[-1]) == (40, 4000)


def test_too_many_conditions_are_counted(build_frame, monkeypatch):
    frames = [build_frame(ERRORS, **{"config.optim.lr": rate}) for rate in (0.1, 0.2, 0.3)]
    frame = join_frames(frames, ["a", "b", "c"])
    monkeypatch.setattr(chart_data, "MAX_GROUP_NUMBERS", 4 * 5 * 3 * 10 * 2)
    data = collect_chart_data(frame)
    assert (len(data["conditions"]), data["omitted_conditions"]) == (2, 1)


def test_numbers_and_labels_cannot_end_their_script(build_frame):
    frame = build_frame(ERRORS)
    frame.runs.loc[0, "run_id"] = "</script><script>alert(1)</script>\u2028"
    frame.runs.loc[1, "train/clean_loss"] = np.nan
    scripts = build_chart_scripts(collect_chart_data(frame))
    data = read_chart_data(scripts)
    assert data["conditions"][0]["runs"][0]["id"].startswith("</script>")
    assert "alert(1)</script>" not in scripts
    names = [quantity["name"] for quantity in data["quantities"]]
    assert data["conditions"][0]["runs"][1]["final"][names.index("train/clean_loss")] is None
    json.dumps(data, allow_nan=False)


def test_no_finished_run_has_empty_charts(build_frame):
    frame = build_frame({"plain": {20: [1.0]}}, state="missing")
    frame = type(frame)(frame.runs, frame.curves.iloc[:0])
    (condition,) = collect_chart_data(frame)["conditions"]
    assert (condition["groups"], condition["runs"], condition["iterations"]) == ([], [], [])


@pytest.mark.parametrize("page", [LIGHT_PAGE, DARK_PAGE])
def test_colours_are_legible(page):
    ink = "#000000" if page == LIGHT_PAGE else "#ffffff"
    for color in ("#d55e00", "#56b4e9", "#440154", "#7ad151"):
        legible = make_legible(color, page, ink, 4.5)
        assert compute_contrast(legible, page) >= 4.5
    assert compute_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert compute_contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert "--depth-20-text: #" in build_color_css([20, 56])
