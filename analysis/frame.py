"""Turn records into tidy tables: `Frame`, which every claim, figure and report reads.

Failed, diverged, missing and partial runs stay visible: no run is dropped silently. The columns of
the tables are described in `analysis.columns`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.columns import (
    CHANCE,
    FLOAT_COLUMNS,
    INFO_COLUMNS,
    NUMERIC_COLUMNS,
    RUN_COLUMNS,
    TRAINING_ERROR,
    TRAINING_ERRORS,
    UNTRAINED_WITHIN_POINTS,
)
from analysis.probes import read_probe_tables, select_runs
from analysis.run_row import EMPTY_CURVE, Curve, read_run
from degradation.checksums import Row
from degradation.config.errors import escape
from degradation.metrics import ITERATION
from degradation.records.cached_reader import CachedRecord


@dataclass(frozen=True)
class Frame:
    """The runs of a report as tables (columns: `analysis.columns`).

    Attributes:
        runs: one row per run, whether its record exists or not.
        curves: one row per evaluation.
        excluded: one line per record, file or group of rows that could not be used.
        error_kind: which training error `training_error` is: clean, augmented or running.
        probes: the rows of each probe, by the probe's name.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    excluded: tuple[str, ...] = ()
    error_kind: str = "clean"
    probes: dict[str, pd.DataFrame] = field(default_factory=dict)

    def select(self, index: pd.Index) -> "Frame":
        """Return the runs with these index labels, with their curves and probes."""
        runs = self.runs.loc[index]
        curves = self.curves[self.curves["run_id"].isin(runs["run_id"])]
        probes = select_runs(self.probes, runs["run_id"])
        return replace(self, runs=runs, curves=curves, probes=probes)


def load(
    root: Path | str,
    expected: Iterable[Row],
    error_kind: str = "clean",
    with_probes: bool = True,
) -> Frame:
    """Return the frame of the expected runs, whatever the state of their records.

    Args:
        root: the record root: a folder, or an archive of published records.
        expected: one dict per run with `run_id`, and with `family` and `config` (as in run.json)
            where they are known, and with `record` if part of it has been read already. A run of
            unknown family is excluded.
        error_kind: which training error the frame is about: clean, augmented or running.
        with_probes: whether to read the probes too, which takes longer.
    """
    metric = TRAINING_ERRORS[error_kind]
    rows: list[Row] = []
    curves: list[Curve] = []
    excluded: list[str] = []
    for run in expected:
        record = run.get("record") or CachedRecord(root, run["run_id"])
        row, curve = read_run(record, run, metric, excluded)
        if "family" in row:
            rows.append(row)
            curves.append(curve)
        else:
            reason = row.get("reason", "it has no run.json yet")
            excluded.append(f"{escape(row['run_id'])}: {row['state']}, {reason}")
    runs = _build_runs(rows)
    probes = read_probe_tables(root, runs, excluded) if with_probes else {}
    return Frame(runs, _build_curves(rows, curves), tuple(excluded), error_kind, probes)


def group_by_depth(runs: pd.DataFrame, family: str) -> dict[int, pd.DataFrame]:
    """Return the runs of a family at each depth, shallowest first."""
    groups = runs[runs["family"] == family].groupby("depth")
    return {int(str(depth)): group for depth, group in groups}


def _build_runs(rows: list[Row]) -> pd.DataFrame:
    """Return `Frame.runs`: the rows with all columns, sorted by family, depth, seed and run id."""
    runs = complete_columns(pd.DataFrame(rows, columns=None if rows else RUN_COLUMNS))
    # This describes one run; whether a depth is untrained depends on the mean of its runs
    # (analysis.claim.is_no_better_than_chance).
    runs["untrained"] = runs[TRAINING_ERROR] >= runs[CHANCE] - UNTRAINED_WITHIN_POINTS
    runs = runs.sort_values(["family", "depth", "seed", "run_id"], kind="stable")
    return runs.reset_index(drop=True)


def complete_columns(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that these runs lack and every frame has; they hold NaN or None."""
    missing: dict[str, float | None] = {}
    missing |= {name: float("nan") for name in NUMERIC_COLUMNS if name not in runs}
    missing |= {name: None for name in INFO_COLUMNS if name not in runs}
    # A column that holds only None has dtype object, which cannot be compared with numbers.
    return runs.assign(**missing).astype(dict.fromkeys(FLOAT_COLUMNS, float))


def _build_curves(rows: list[Row], curves: list[Curve]) -> pd.DataFrame:
    """Return `Frame.curves`, built from columns: one dict per row would need ten times the memory.

    `rows` and `curves` belong to the same runs, in the same order.
    """
    lengths = [len(curve[ITERATION]) for curve in curves]
    repeats = np.repeat(np.arange(len(rows)), lengths)
    table = pd.DataFrame(rows, columns=RUN_COLUMNS).iloc[repeats].reset_index(drop=True)
    for name, empty in EMPTY_CURVE.items():
        # The empty array determines the type of the column if there are no curves.
        table[name] = np.concatenate([empty, *[curve[name] for curve in curves]])
    return table
