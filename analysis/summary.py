"""Errors over the seeds of one network, as tables show them."""

from typing import Any

import pandas as pd

from analysis.claim import repeated, resolution_of
from analysis.columns import (
    ERROR_STEP,
    FINISHED_STATES,
    TEST_STEP,
    TRAINING_ERROR,
    TRAINING_ERROR_AT_START,
)
from analysis.statistics import Interval, student
from degradation.metrics import TEST_ERROR

NOTE = "note"  # a table's column, where there is something to say
STEPS = {TRAINING_ERROR: ERROR_STEP, TRAINING_ERROR_AT_START: ERROR_STEP, TEST_ERROR: TEST_STEP}


def compute_interval(part: pd.DataFrame, metric: str) -> Interval:
    """Mean and Student 95 % interval of a metric over runs that all have it.

    Equal errors leave an interval as wide as the step in which they move.
    """
    resolution = resolution_of(part, column=STEPS[metric]) if metric in STEPS else 0.0
    return student(part[metric].tolist(), resolution=resolution)


def compute_finished_interval(part: pd.DataFrame, metric: str) -> Interval | None:
    """Mean and Student 95 % interval of a metric over the finished runs that have it; None where none has.

    Nothing is averaged where a seed is there twice: mean and interval are NaN then, and `n` still counts the runs.
    """
    finished = part[part["state"].isin([*FINISHED_STATES]) & part[metric].notna()]
    if finished.empty:
        return None
    if repeated(finished, ""):
        return Interval(float("nan"), float("nan"), float("nan"), len(finished))
    return compute_interval(finished, metric)


def interval_columns(interval: Interval | None, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Such as `test_error_mean`; None for each where there is no interval."""
    return {f"{name}_{key}": getattr(interval, key) if interval else None for key in keys}


def repeated_seed_note(part: pd.DataFrame, net: str) -> dict[str, str]:
    """Why these runs are not averaged; empty where they are."""
    reasons = repeated(part, net)
    return {NOTE: "; ".join(reasons)} if reasons else {}
