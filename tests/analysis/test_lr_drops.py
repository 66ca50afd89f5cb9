"""When the learning rate drops, as far as several runs agree."""

import pandas as pd
import pytest

from analysis.lr_drops import (
    MILESTONES,
    find_common_milestones,
    list_gradual_changes,
    list_own_changes,
)


@pytest.mark.parametrize(
    ("schedules", "milestones"),
    [
        (["[32000, 48000]"] * 2, [32000, 48000]),
        (["[32000, 48000]", None], [32000, 48000]),
        (["[32000, 48000]", "[200, 300]"], []),
        (["[]", "[]"], []),
        ([None, None], []),
    ],
)
def test_common_milestones_are_those_of_all_runs(schedules, milestones):
    runs = pd.DataFrame({MILESTONES: pd.Series(schedules, dtype=object)})
    assert find_common_milestones(runs) == milestones


def test_runs_without_the_column_have_no_milestones():
    assert find_common_milestones(pd.DataFrame({"run_id": ["a"]})) == []


@pytest.mark.parametrize(
    ("columns", "reasons"),
    [
        ({}, []),
        ({"warmup.lr": [None, None], "plateau.patience": [None, None]}, []),
        (
            {"warmup": [None, None], "warmup.lr": [None, 0.01], "warmup.below": [None, 80.0]},
            ["1 of 2 runs have a warm-up until a training error,"],
        ),
        # by time: it is a part of the common schedule if all have it
        (
            {"warmup.lr": [None, 0.01], "warmup.below": [None, None]},
            ["1 of 2 runs have a warm-up,"],
        ),
        ({"warmup.lr": [0.01, 0.01], "warmup.below": [None, None]}, []),
        ({"plateau.patience": [6, 6]}, ["2 of 2 runs have drops at plateaus"]),
    ],
)
def test_learning_rates_of_single_runs_are_named(columns, reasons):
    runs = pd.DataFrame({f"config.schedule.{key}": values for key, values in columns.items()})
    listed = list_own_changes(runs)
    assert len(listed) == len(reasons)
    assert all(map(str.startswith, listed, reasons))


@pytest.mark.parametrize(
    ("columns", "changes"),
    [
        ({}, []),
        ({"shape": ["step", None], "linear_warmup": [0, None]}, []),
        ({"shape": ["step", "cosine"], "linear_warmup": [0, 0]}, ["cosine schedule"]),
        ({"shape": ["step", "step"], "linear_warmup": [None, 20]}, ["linear warm-up"]),
    ],
)
def test_gradual_changes_of_the_learning_rate_are_named(columns, changes):
    runs = pd.DataFrame({f"config.schedule.{key}": values for key, values in columns.items()})
    assert list_gradual_changes(runs) == changes
