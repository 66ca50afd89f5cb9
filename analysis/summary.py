"""Means and intervals over the seeds of one network, as tables show them."""

from typing import Any

import pandas as pd

from analysis.claim import coarsest_resolution
from analysis.columns import (
    ERROR_STEP,
    TEST_STEP,
    TRAINING_ERROR,
    TRAINING_ERROR_AT_START,
)
from analysis.estimates import Interval
from analysis.finished_runs import is_finished
from analysis.requirements import repeated_seeds
from analysis.statistics import student_interval
from degradation.metrics import TEST_ERROR

NOTE = "note"  # the column that says why a row has no mean
STEP_COLUMNS = {
    TRAINING_ERROR: ERROR_STEP,
    TRAINING_ERROR_AT_START: ERROR_STEP,
    TEST_ERROR: TEST_STEP,
}


def compute_interval(runs: pd.DataFrame, metric: str) -> Interval:
    """Return the mean and its 95 % Student-t confidence interval over runs that all have a metric.

    Equal errors do not mean that there is no spread: the variance is at least that of rounding to
    the error's resolution.
    """
    resolution = find_resolution(runs, metric)
    return student_interval(runs[metric].tolist(), resolution=resolution)


def find_resolution(runs: pd.DataFrame, metric: str) -> float:
    """Return the smallest amount by which a metric can change, or 0 if it is unknown."""
    if metric not in STEP_COLUMNS:
        return 0.0
    return coarsest_resolution(runs, column=STEP_COLUMNS[metric])


def compute_finished_interval(runs: pd.DataFrame, metric: str) -> Interval | None:
    """Return the mean and its 95 % Student-t confidence interval over the finished runs.

    Runs without the metric are excluded. The result is None if no run has it. If several runs have
    the same seed, nothing is averaged: mean and bounds are NaN, and `n` still counts the runs.
    """
    finished = runs[is_finished(runs) & runs[metric].notna()]
    if finished.empty:
        return None
    if repeated_seeds(finished, ""):
        return Interval(float("nan"), float("nan"), float("nan"), len(finished))
    return compute_interval(finished, metric)


def interval_columns(interval: Interval | None, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a table's columns, such as `test_error_mean`; all are None without an interval."""
    return {f"{name}_{key}": getattr(interval, key) if interval else None for key in keys}


def repeated_seed_note(runs: pd.DataFrame, network: str) -> dict[str, str]:
    """Return a note on why these runs are not averaged, or no note if they are."""
    reasons = repeated_seeds(runs, network)
    return {NOTE: "; ".join(map(str, reasons))} if reasons else {}
