"""The paper's tables beside ours, on runs made by hand."""

import numpy as np
import pytest

from analysis.published_tables import build_cifar10_table, build_imagenet_table
from tests.support.frames import imagenet_runs, paper_frame

RESIDUAL_56 = [6.9, 7.0, 7.1]
TEN_CROP_COLUMNS = ["test/ten_crop_error", "test/ten_crop_top5_error"]


def test_table_6_has_our_errors_beside_published_ones(build_frame):
    residual = {56: RESIDUAL_56, 110: [6.6], 1202: [8.0]}
    frame = paper_frame(build_frame, residual, plain={20: [9.2, 9.4]})
    rows = build_cifar10_table(frame.runs).set_index(["family", "depth"])
    row = rows.loc[("residual", 56)]
    assert (row["test_error_mean"], row["test_error_n"]) == pytest.approx((7.0, 3))
    interval = (row["test_error_low"], row["test_error_high"])
    assert interval == pytest.approx((6.752, 7.248), abs=1e-3)
    assert row["H15_test_error"] == "6.97"
    assert (row["P1_train_augmented_error"], row["P1_test_error"]) == ("0.04", "7.46")
    assert row["P2_test_error"] == "7.40 ± 0.27"
    assert (row["P3_train_running_error"], row["P3_validation_error"]) == ("0.05", "6.58")
    assert (row["P4_train_running_error"], row["P4_test_error"]) == ("0.11", "6.68")
    assert row["train_running_error_mean"] == pytest.approx(
        frame.runs["train/running_error"][:3].mean()
    )
    assert row["H15_parameters"] == 0.85e6
    assert (row["G_parameters"], row["G_multiply_adds"]) == (853018, 125.5e6)
    assert rows.loc[("residual", 110), "H15_test_error"] == "6.61 ± 0.16; 6.43 (best of 5)"
    assert rows.loc[("residual", 1202), "H15_train_error"] == "below 0.1"
    assert rows.loc[("plain", 20), "H15_test_error"] == "~9 to 9.5"


@pytest.mark.parametrize("state", ["missing", "failed", "running", "partial"])
def test_unfinished_runs_are_counted(build_frame, state):
    frame = paper_frame(build_frame, {20: [8.7, 8.75, 8.8], 56: RESIDUAL_56})
    unfinished = frame.runs["run_id"] == "residual-d56-s1"
    frame.runs.loc[unfinished, ["state", "test/error"]] = [state, np.nan]
    assert build_cifar10_table(frame.runs)["without_end"].tolist() == [0, 1]


def test_diverged_run_counts_at_chance(build_frame):
    frame = paper_frame(build_frame, {56: [6.9, 7.0, 90.0]})
    frame.runs.loc[2, ["state", "train/augmented_error"]] = ["diverged", np.nan]
    mean = build_cifar10_table(frame.runs).loc[0, "train_augmented_error_mean"]
    assert mean == pytest.approx((0.05 + 0.05 + 90) / 3)


def test_interval_is_that_of_the_claims(build_frame):
    """Equal errors have the spread of rounding, and a seed that is there twice is not averaged."""
    frame = paper_frame(build_frame, {56: [7.0, 7.0, 7.0]})
    frame.runs["test_step"] = 0.01
    row = build_cifar10_table(frame.runs).iloc[0]
    assert row["test_error_low"] < 7 < row["test_error_high"]
    frame.runs["seed"] = [0, 0, 1]
    row = build_cifar10_table(frame.runs).iloc[0]
    assert np.isnan(row["test_error_mean"])
    assert row["test_error_n"] == 3


@pytest.mark.parametrize(
    "change",
    [
        {"config.data.name": "image_folder"},
        {"config.schedule.iterations": 6400},
        {"config.optim.lr": 0.05},
    ],
)
def test_runs_of_other_protocols_are_excluded(build_frame, change):
    assert build_cifar10_table(paper_frame(build_frame, {56: RESIDUAL_56}, **change).runs).empty


def test_tables_2_and_3_have_our_errors_beside_published_ones(build_frame):
    runs = imagenet_runs(build_frame)
    runs.loc[2, ["state", *TEN_CROP_COLUMNS]] = ["diverged", np.nan, np.nan]
    rows = build_imagenet_table(runs).set_index("family")
    assert rows.loc["plain", "H15_table_3_ten_crop_top5_error"] == "10.02"
    residual = rows.loc["residual"]
    assert residual["H15_table_2_ten_crop_error"] == "25.03"
    assert residual["H15_multiply_adds"] == 3.6e9
    assert residual["ten_crop_error_mean"] == pytest.approx((25.1 + 99.9) / 2)
    chance_of_five_guesses = 99.5  # with 1,000 classes
    expected = (7.8 + chance_of_five_guesses) / 2
    assert residual["ten_crop_top5_error_mean"] == pytest.approx(expected)


def test_missing_ten_crop_errors_leave_a_gap(build_frame):
    rows = build_imagenet_table(imagenet_runs(build_frame).drop(columns=TEN_CROP_COLUMNS))
    assert rows["ten_crop_error_n"].tolist() == [0, 0]
    assert rows["one_crop_error_mean"].tolist() == [27.0, 27.0]
