"""Means and standard deviations over seeds, out of the tables of an experiment in the ledger."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics import CONFIDENCE

RANGE_OF_THREE = 1.693  # expected range of three normal values, in standard deviations


@dataclass(frozen=True)
class Normal:
    """What a number of a run is drawn from."""

    mean: float
    deviation: float

    def shifted(self, by: float) -> "Normal":
        return Normal(self.mean + by, self.deviation)

    def draw(self, generator: np.random.Generator, runs: int) -> np.ndarray:
        return generator.normal(self.mean, self.deviation, runs)


Nets = dict[str, dict[int, Normal]]  # family: depth: a number of its runs
OfRow = Callable[[dict[Any, Any]], Normal]


def deviation_of(low: float, high: float, runs: int) -> float:
    """Of the runs, from Student's 95 % interval of their mean."""
    half = (high - low) / 2
    return float(half * math.sqrt(runs) / stats.t.ppf((1 + CONFIDENCE) / 2, runs - 1))


def training_errors(ledger: Path) -> Nets:
    return _nets(
        pd.read_csv(ledger / "summary.csv"), _of_interval("training_error_{}", "training_error_n")
    )


def correlations(ledger: Path) -> Nets:
    """Of the gradients at neighbouring inputs, at initialisation."""
    table = pd.read_csv(ledger / "shattering.csv")
    return _nets(
        table[table["moment"] == "initialisation"], _of_interval("{}", "runs", mean="correlation")
    )


def excess_lengths(ledger: Path) -> Nets:
    """Effective length of the paths minus half of the blocks, at the end."""
    table = pd.read_csv(ledger / "paths.csv")
    end = table[table["iteration"] == table["iteration"].max()]
    lengths = _of_interval("effective_length_{}", "runs_known")
    return _nets(end, lambda row: lengths(row).shifted(-row["mean_path"]))


def responses(ledger: Path) -> Nets:
    """Standard deviations of layer responses at the end; their spread over three seeds, from their range."""

    def normal(row: dict[str, Any]) -> Normal:
        return Normal(
            row["deviation_end"],
            (row["deviation_end_most"] - row["deviation_end_least"]) / RANGE_OF_THREE,
        )

    return _nets(pd.read_csv(ledger / "responses.csv"), normal)


def increases(ledger: Path) -> Nets:
    """Of the test error, where one block is deleted. The errors with it and without it count as independent."""
    table = pd.read_csv(ledger / "lesions.csv")
    error = _of_interval("test_error_{}", "runs")
    intact = _nets(table[table["lesion"] == "none"], error)
    single = table[(table["lesion"] == "delete") & (table["number"] == 1)]

    def normal(row: dict[str, Any]) -> Normal:
        without_lesion = intact[row["family"]][int(row["depth"])]
        deviation = math.hypot(error(row).deviation, without_lesion.deviation)
        return Normal(float(row["increase_mean"]), deviation)

    return _nets(single, normal)


def log_spans(ledger: Path, deviation: float) -> dict[str, dict[tuple[int, int], Normal]]:
    """Family: (depth, iteration): log10 of the gradient's span; the table has no spread of it."""
    found: dict[str, dict[tuple[int, int], Normal]] = {}
    for row in pd.read_csv(ledger / "gradient-flow.csv").to_dict("records"):
        place = (int(row["depth"]), int(row["iteration"]))
        found.setdefault(row["family"], {})[place] = Normal(
            math.log10(row["span_gmean"]), deviation
        )
    return found


def _of_interval(columns: str, runs: str, mean: str | None = None) -> OfRow:
    """row -> Normal, of columns such as `training_error_mean`, `training_error_low`, `training_error_high`."""
    centre = mean or columns.format("mean")

    def normal(row: dict[str, Any]) -> Normal:
        low, high = row[columns.format("low")], row[columns.format("high")]
        return Normal(float(row[centre]), deviation_of(low, high, int(row[runs])))

    return normal


def _nets(table: pd.DataFrame, normal: OfRow) -> Nets:
    found: Nets = {}
    for row in table.to_dict("records"):
        found.setdefault(row["family"], {})[int(row["depth"])] = normal(row)
    return found
