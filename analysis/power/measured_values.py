"""Means and standard deviations over seeds, read from an experiment's tables in the ledger."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.estimates import CONFIDENCE

RANGE_OF_THREE = 1.693  # expected range of three normal values, in standard deviations


@dataclass(frozen=True)
class Normal:
    """The distribution from which a value of a run is drawn."""

    mean: float
    std: float

    def shifted(self, by: float) -> "Normal":
        """Return the distribution with its mean increased by `by`."""
        return Normal(self.mean + by, self.std)

    def draw(self, generator: np.random.Generator, runs: int) -> np.ndarray:
        """Draw one value per run, shape (runs,)."""
        return generator.normal(self.mean, self.std, runs)


NormalByDepth = dict[int, Normal]
# family: depth: the distribution of a value over its runs
NormalByFamily = dict[str, NormalByDepth]
ReadNormal = Callable[[dict[Any, Any]], Normal]


def std_from_interval(low: float, high: float, runs: int) -> float:
    """Return the standard deviation over runs, from the 95 % Student-t interval of their mean."""
    half_width = (high - low) / 2
    return float(half_width * math.sqrt(runs) / stats.t.ppf((1 + CONFIDENCE) / 2, runs - 1))


def read_training_errors(ledger: Path) -> NormalByFamily:
    """Read the training errors, in percent."""
    table = pd.read_csv(ledger / "summary.csv")
    return _group_by_network(table, _build_interval_reader("training_error_{}", "training_error_n"))


def read_correlations(ledger: Path) -> NormalByFamily:
    """Read the correlations of gradients at neighbouring inputs, at initialisation."""
    table = pd.read_csv(ledger / "shattering.csv")
    at_start = table[table["time_point"] == "initialisation"]
    return _group_by_network(at_start, _build_interval_reader("{}", "runs", mean="correlation"))


def read_excess_lengths(ledger: Path) -> NormalByFamily:
    """Read the effective length of the paths minus half of the blocks, at the end of training."""
    table = pd.read_csv(ledger / "paths.csv")
    at_end = table[table["iteration"] == table["iteration"].max()]
    length = _build_interval_reader("effective_length_{}", "runs_known")

    def excess(row: dict[str, Any]) -> Normal:
        return length(row).shifted(-row["mean_path"])

    return _group_by_network(at_end, excess)


def read_responses(ledger: Path) -> NormalByFamily:
    """Read the standard deviations of the layer responses at the end of training.

    The table has no spread over seeds; it follows from the range of three.
    """

    def normal(row: dict[str, Any]) -> Normal:
        seed_range = row["std_end_max"] - row["std_end_min"]
        return Normal(row["std_end"], seed_range / RANGE_OF_THREE)

    return _group_by_network(pd.read_csv(ledger / "responses.csv"), normal)


def read_error_increases(ledger: Path) -> NormalByFamily:
    """Read by how many points the test error increases if one block is deleted.

    The errors with and without that block count as independent.
    """
    table = pd.read_csv(ledger / "lesions.csv")
    error = _build_interval_reader("test_error_{}", "runs")
    intact = _group_by_network(table[table["lesion"] == "none"], error)
    one_deleted = table[(table["lesion"] == "delete") & (table["number"] == 1)]

    def increase(row: dict[str, Any]) -> Normal:
        intact_error = intact[row["family"]][int(row["depth"])]
        std = math.hypot(error(row).std, intact_error.std)
        return Normal(float(row["increase_mean"]), std)

    return _group_by_network(one_deleted, increase)


def read_log_spans(ledger: Path, std: float) -> dict[str, dict[tuple[int, int], Normal]]:
    """Read log10 of the gradient's span by family, and by depth and iteration.

    The table has no spread over seeds, so the standard deviation `std` is passed.
    """
    spans: dict[str, dict[tuple[int, int], Normal]] = {}
    for row in pd.read_csv(ledger / "gradient-flow.csv").to_dict("records"):
        key = (int(row["depth"]), int(row["iteration"]))
        log_span = Normal(math.log10(row["span_gmean"]), std)
        spans.setdefault(row["family"], {})[key] = log_span
    return spans


def _build_interval_reader(columns: str, runs: str, mean: str | None = None) -> ReadNormal:
    """Return a function that reads mean and standard deviation from a row with an interval.

    Args:
        columns: pattern of the columns' names, such as `training_error_{}` for
            `training_error_mean`, `training_error_low` and `training_error_high`.
        runs: the column with the number of runs.
        mean: the column with the mean, if its name does not follow the pattern.
    """
    mean_column = mean or columns.format("mean")

    def normal(row: dict[str, Any]) -> Normal:
        low, high = row[columns.format("low")], row[columns.format("high")]
        return Normal(float(row[mean_column]), std_from_interval(low, high, int(row[runs])))

    return normal


def _group_by_network(table: pd.DataFrame, normal: ReadNormal) -> NormalByFamily:
    networks: NormalByFamily = {}
    for row in table.to_dict("records"):
        networks.setdefault(row["family"], {})[int(row["depth"])] = normal(row)
    return networks
