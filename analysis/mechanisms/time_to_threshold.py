"""When a run reaches an error: each time lies between two evaluations, or beyond the last one."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import RUN_COLUMNS, TRAINING_ERROR
from degradation.metrics import ITERATION

# Fractions of chance error.
THRESHOLDS = (Fraction(3, 4), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8))


def measure_times(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Measure when each run reaches each fraction of chance error.

    A run is evaluated only at intervals, so its time is known to lie between two evaluations. A
    diverged run counts as chance error, starting at its divergence: it never reaches an error that
    it had not reached before.

    Args:
        runs: rows of `Frame.runs`.
        curves: rows of `Frame.curves`, one per run and evaluation.

    Returns:
        One row per run and threshold, which is a fraction of chance error. The time, in iterations,
        lies in (`after`, `by`]; `by` is infinite for a run that never reaches the error. `last`:
        the run's last evaluation. Runs without an evaluation after the start have no row.
    """
    evaluations = curves[curves[ITERATION] > 0]
    run_rows = evaluations.groupby("run_id").indices
    iterations = evaluations[ITERATION].to_numpy(float)
    errors = evaluations[TRAINING_ERROR].to_numpy(float)
    rows: list[dict[str, Any]] = []
    for run in runs[[*RUN_COLUMNS, "chance"]].to_dict("records"):
        if run["run_id"] not in run_rows:
            continue
        indices = run_rows[run["run_id"]]
        indices = indices[~np.isnan(errors[indices])]
        indices = indices[np.argsort(iterations[indices], kind="stable")]
        identity = {key: run[key] for key in RUN_COLUMNS}
        for fraction in THRESHOLDS:
            limit = float(fraction) * run["chance"]
            interval = _locate_time(iterations[indices], errors[indices] <= limit)
            rows.append(identity | {"threshold": float(fraction)} | interval)
    return pd.DataFrame(rows)


def _locate_time(iterations: np.ndarray, is_reached: np.ndarray) -> dict[str, float]:
    """Return the interval of a run's time: between two evaluations, or beyond the last one.

    `iterations`: the iterations of a run's evaluations, ascending. `is_reached`: whether the error
    is reached at each of them.
    """
    ends = [0.0, *iterations.tolist(), math.inf]
    reached_indices = np.flatnonzero(is_reached)
    first = int(reached_indices[0]) if len(reached_indices) else len(iterations)
    return {"after": ends[first], "by": ends[first + 1], "last": ends[-2]}


def censor_at(times: pd.DataFrame, last: float) -> pd.DataFrame:
    """Return the times as if no run had been trained beyond the iteration `last`."""
    is_later = times["by"] > last
    return times.assign(
        after=times["after"].clip(upper=last), by=times["by"].mask(is_later, math.inf)
    )


def describe_times(times: pd.DataFrame) -> list[str]:
    """Return one line per depth: how many runs reached the error, and when.

    `times`: rows of `measure_times` of one family and threshold.
    """
    lines = []
    for depth, group in times.groupby("depth"):
        reached_count, censored_count = np.isfinite(group["by"]).sum(), np.isinf(group["by"]).sum()
        lines.append(
            f"{depth} layers: {reached_count} of {len(group)} runs reached it, median"
            f" {_format_median(group)} iterations; {censored_count} censored"
        )
    return lines


def _format_median(group: pd.DataFrame) -> str:
    """Return the interval of the median run; with an even number of runs, the later middle one."""
    median = group.sort_values("by").iloc[len(group) // 2]
    if math.isinf(median["by"]):
        return f"> {median['last']:,.0f}"
    return f"{median['after']:,.0f} to {median['by']:,.0f}"


def summarise(times: pd.DataFrame) -> pd.DataFrame:
    """Summarise the times over seeds.

    Returns one row per family and depth: for each fraction of chance error, the number of runs that
    reached it and the interval of the median run, as text.
    """
    rows = []
    for (family, depth), depth_rows in times.groupby(["family", "depth"]):
        row = {"family": family, "depth": depth, "runs": depth_rows["run_id"].nunique()}
        for fraction in THRESHOLDS:
            group = depth_rows[depth_rows["threshold"] == float(fraction)]
            row[f"reached {fraction}"] = int(np.isfinite(group["by"]).sum())
            row[f"iterations to {fraction}"] = _format_median(group)
        rows.append(row)
    return pd.DataFrame(rows)


def list_evaluations(runs: pd.DataFrame, curves: pd.DataFrame) -> list[int]:
    """Return the iterations at which any of these runs was evaluated, ascending, without 0."""
    is_evaluation = curves["run_id"].isin(runs["run_id"]) & (curves[ITERATION] > 0)
    return sorted(int(iteration) for iteration in curves.loc[is_evaluation, ITERATION].unique())
