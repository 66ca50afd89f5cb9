"""When the learning rate drops, as far as several runs agree."""

import pandas as pd
import pytest

from analysis.lr_drops import MILESTONES, find_common_milestones, list_gradual_changes


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
