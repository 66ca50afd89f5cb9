"""The final values and the curves of networks and of runs, as the charts show them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.claim import is_no_better_than_chance
from analysis.columns import TRAINING_ERROR
from analysis.page.charts.curve_intervals import MeanCurve, average_curves
from analysis.requirements import repeated_seeds
from analysis.summary import compute_interval, find_resolution
from degradation.metrics import ITERATION, is_percentage

DECIMALS = 3  # of an error in percent
DIGITS = 4  # significant digits of a loss


def describe_groups(
    final: pd.DataFrame,
    curves: pd.DataFrame,
    iterations: NDArray[np.int_],
    metrics: Sequence[str],
    headline: str,
) -> list[dict[str, Any]]:
    """Return the groups that have a finished run, by family and depth."""
    rows = dict(iter(curves.groupby(["family", "depth"])))
    groups = []
    for key, members in final.groupby(["family", "depth"]):
        group: dict[str, Any] = {
            "family": str(members["family"].iloc[0]),
            "depth": int(members["depth"].iloc[0]),
            "finished": len(members),
            "untrained": is_no_better_than_chance(members),
        }
        # As in every table: if several runs have the same seed, nothing is averaged.
        if not repeated_seeds(members, ""):
            columns = {name: TRAINING_ERROR if name == headline else name for name in metrics}
            group["final"] = [_summarise(members, name, columns[name]) for name in metrics]
            resolutions = {name: find_resolution(members, columns[name]) for name in metrics}
            averages = average_curves(rows.get(key, curves[:0]), metrics, iterations, resolutions)
            group["curves"] = [_round_curve(averages[name], name) for name in metrics]
        groups.append(group)
    return groups


def _summarise(members: pd.DataFrame, name: str, column: str) -> list[float | None] | None:
    """Return mean, low, high, lowest and highest of a metric, or None if no run has it."""
    known = members[members[name].notna()]
    if known.empty:
        return None
    interval = compute_interval(known, column)
    numbers = (interval.mean, interval.low, interval.high, known[name].min(), known[name].max())
    return _round_all(numbers, name)


def _round_curve(curve: MeanCurve, name: str) -> list[list[float | None]]:
    return [_round_all(values, name) for values in curve]


def list_run_values(
    final: pd.DataFrame,
    curves: pd.DataFrame,
    iterations: NDArray[np.int_],
    metrics: Sequence[str],
) -> list[dict[str, Any]]:
    """Return the identity, the final values and the curves of each finished run."""
    by_run = {run_id: rows.set_index(ITERATION) for run_id, rows in curves.groupby("run_id")}
    empty = curves.iloc[:0].set_index(ITERATION)
    runs = []
    for row in final.to_dict("records"):
        rows = by_run.get(row["run_id"], empty).reindex(iterations)
        runs.append(
            {
                "id": row["run_id"],
                "family": row["family"],
                "depth": int(row["depth"]),
                "seed": int(row["seed"]),
                "state": str(row["state"]),
                "final": [_round(row[name], name) for name in metrics],
                "curves": [_round_all(rows[name], name) for name in metrics],
            }
        )
    return runs


def _round_all(values: Iterable[Any], name: str) -> list[float | None]:
    return [_round(value, name) for value in values]


def _round(value: Any, name: str) -> float | None:
    """Return a value with the digits that the page shows, or None if it is not finite."""
    if value is None or not np.isfinite(value):
        return None
    return round(float(value), DECIMALS) if is_percentage(name) else float(f"{value:.{DIGITS}g}")
