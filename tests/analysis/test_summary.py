"""Tables of means over seeds."""

import pandas as pd
import pytest

from analysis.comparisons.base import build_table
from analysis.sections import summarise
from analysis.statistics import student_interval

PLAIN = {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]}


def build_data_table(runs):
    return build_table(runs, "data")


@pytest.mark.parametrize("build", [summarise, build_data_table])
def test_repeated_seeds_are_not_averaged(build_frame, build):
    frame = build_frame({"plain": PLAIN})
    assert "note" not in build(frame.runs)
    frame.runs.loc[frame.runs["run_id"] == "plain-d56-s2", "seed"] = 0
    rows = build(frame.runs).set_index("depth")
    for name in ("training_error", "test_error"):
        assert rows.loc[56, [f"{name}_mean", f"{name}_low", f"{name}_high"]].isna().all()
        assert rows.loc[20, f"{name}_mean"] > 0
    note = "seed 0 of plain-56 is recorded twice: run ids plain-d56-s0, plain-d56-s2"
    assert rows.loc[56, "note"] == note
    assert pd.isna(rows.loc[20, "note"])


@pytest.mark.parametrize("build", [summarise, build_data_table])
def test_intervals_are_as_wide_as_the_errors_steps(build_frame, build):
    frame = build_frame({"plain": {20: [1.5] * 3}}, error_step=0.5, test_step=0.8)
    row = build(frame.runs).iloc[0]
    training = student_interval([1.5] * 3, resolution=0.5)
    test = student_interval([47.85] * 3, resolution=0.8)
    assert row["training_error_mean"] == 1.5
    assert row["test_error_mean"] == pytest.approx(47.85)
    assert row["training_error_high"] == pytest.approx(training.high)
    assert row["test_error_high"] == pytest.approx(test.high)


def test_unfinished_runs_are_excluded_from_means(build_frame):
    frame = build_frame({"plain": PLAIN})
    frame.runs.loc[frame.runs["run_id"] == "plain-d56-s2", "state"] = "partial"
    frame.runs.loc[frame.runs["run_id"] == "plain-d56-s1", "state"] = "diverged"
    row = build_data_table(frame.runs).set_index("depth").loc[56]
    assert (row["training_error_mean"], row["runs"]) == (52.0, 2)
    row = summarise(frame.runs).set_index("depth").loc[56]
    assert (row["training_error_mean"], row["training_error_n"]) == (52.0, 2)
    assert (row["done"], row["diverged"], row["partial"]) == (1, 1, 1)
