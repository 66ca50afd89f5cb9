"""The table of runs on the page: every run of a small report, a bounded number of a large one."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.columns import CODE_STATE, TRAINING_ERROR_AT_START
from analysis.evidence import describe_end
from analysis.finished_runs import is_finished
from analysis.page.number_formats import format_number
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    ITERATION,
    METRICS,
    RUNNING_ERROR,
    TEST_ERROR,
)
from degradation.records.trained_code import CodeState

MAX_RUNS = 300  # rows; runs.csv has every run
RUN_METRICS = (CLEAN_ERROR, AUGMENTED_ERROR, RUNNING_ERROR, TEST_ERROR)


@dataclass(frozen=True)
class RunTable:
    """The rows of the table, as text.

    Attributes:
        labels: the columns; the first `text_columns` of them hold text, the others numbers.
        text_columns: how many columns hold text.
        rows: one row per run.
        total: how many runs the report has.
    """

    labels: list[str]
    text_columns: int
    rows: list[list[str]]
    total: int


def build_run_table(runs: pd.DataFrame, with_condition: bool) -> RunTable:
    """Return the table of runs: those without a result first, if there are too many for a page.

    Args:
        runs: the table of runs.csv.
        with_condition: whether the report has several conditions.
    """
    shown = runs
    if len(runs) > MAX_RUNS:
        has_result = is_finished(runs)
        shown = pd.concat([runs[~has_result], runs[has_result]]).head(MAX_RUNS)
    labels = ["run", *(["condition"] if with_condition else []), "state"]
    text_columns = len(labels)
    metrics = [(name, f"{METRICS[name].label} (%)", 2) for name in RUN_METRICS]
    if runs[TRAINING_ERROR_AT_START].notna().any():
        metrics.append((TRAINING_ERROR_AT_START, "training error before training (%)", 2))
    numbers = [(ITERATION, "iteration", 0), *metrics, ("seconds", "seconds", 0)]
    labels += [label for _, label, _ in numbers]
    rows = []
    for run in shown.to_dict("records"):
        row = [str(run["run_id"])]
        if with_condition:
            row.append(str(run["condition"]))
        row.append(_describe_state(run))
        row += [format_number(run[column], decimals) for column, _, decimals in numbers]
        rows.append(row)
    return RunTable(labels, text_columns, rows, len(runs))


def _describe_state(run: dict[Any, Any]) -> str:
    """Return a run's state, and when and why it ended if it has no result."""
    state = str(run["state"])
    if run[CODE_STATE] == CodeState.OUTDATED:
        state += f" ({CodeState.OUTDATED})"
    if end := describe_end(run):
        state += f" {end}"
    if run["untrained"] is True:
        state += ", no better than chance"
    if isinstance(run["reason"], str) and run["reason"]:
        state += f": {run['reason']}"
    return state
