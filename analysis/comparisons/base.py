"""What a comparison across conditions is made of."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.claim import Claim
from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.summary import compute_finished_interval, interval_columns, repeated_seed_note
from degradation.metrics import TEST_ERROR

BARS = "Points are runs, bars are Student 95 % intervals of the mean over seeds."


@dataclass(frozen=True)
class Comparison:
    name: str  # of its files
    title: str
    claims: list[Claim]
    table: pd.DataFrame
    figures: dict[str, tuple[Figure, str]]  # name: figure, caption


def build_table(runs: pd.DataFrame, key: str) -> pd.DataFrame:
    """A row a value of `key`, family and depth: the errors' mean and Student 95 % interval over seeds."""
    rows: list[dict[str, Any]] = []
    for (value, family, depth), part in runs.groupby([key, "family", "depth"], sort=True):
        finished = int(part["state"].isin([*FINISHED_STATES]).sum())
        row: dict[str, Any] = {
            key.removeprefix("config."): value,
            "family": family,
            "depth": depth,
            "runs": finished,
        }
        for name, metric in (("training_error", TRAINING_ERROR), ("test_error", TEST_ERROR)):
            row |= interval_columns(
                compute_finished_interval(part, metric), name, ("mean", "low", "high")
            )
        for name in ("parameters", "multiply_adds"):
            row[name] = part[name].dropna().max()
        rows.append(row | repeated_seed_note(part, f"{family}-{depth}"))
    return pd.DataFrame(rows)
