"""Records to tidy tables. Failed, diverged, missing and partial runs stay visible: no run is dropped in silence."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import error_scale
from analysis.probes import read_probe_tables, select_runs
from degradation.config.errors import escape, is_single_line
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    LR,
    RUNNING_ERROR,
    TEST_ERROR,
    TEST_LOSS,
)
from degradation.records import metadata_validation, row_validation
from degradation.records.cached_reader import CachedRecord
from degradation.records.reader import read_rows
from degradation.records.root import run_ids
from degradation.records.schema import (
    ATTEMPTS,
    DONE,
    METRICS,
    REASON,
    RUN,
    SECONDS,
    RecordError,
    State,
)
from degradation.run_id import HASH_DEFAULTS

FINISHED_STATES = (State.DONE, State.DIVERGED)
UNTRAINED_WITHIN_POINTS = 2.0  # points of chance error
TRAINING_ERROR = "training_error"  # the one of the three that the claims and figures are about
TRAINING_ERRORS = {"clean": CLEAN_ERROR, "augmented": AUGMENTED_ERROR, "running": RUNNING_ERROR}
TRAINING_ERROR_AT_START = (
    "training_error_at_start"  # of a constructed network, before it is trained on
)
ERROR_STEP, TEST_STEP = (
    "error_step",
    "test_step",
)  # points in which the training error and the test error move
ENDED_AT = "ended_at"  # the iteration at which the last attempt diverged, failed or was stopped
# columns that every frame has, whatever its records hold
NUMERIC_COLUMNS = (
    ITERATION, LR, TRAINING_ERROR, TRAINING_ERROR_AT_START, CLEAN_ERROR, CLEAN_LOSS, TEST_ERROR, TEST_LOSS, "chance", ENDED_AT,
    ERROR_STEP, TEST_STEP, *metadata_validation.COUNTED,
)  # fmt: skip
INFO_COLUMNS = ("reason", "device", "threads", "commit", "versions")
RUN_COLUMNS = ["run_id", "family", "depth", "seed", "state"]

Curve = dict[str, NDArray[Any]]  # of a run, a value an evaluation
EMPTY_CURVE: Curve = {
    ITERATION: np.empty(0, int),
    TRAINING_ERROR: np.empty(0),
    TEST_ERROR: np.empty(0),
}


@dataclass(frozen=True)
class Frame:
    """`runs`: a row a run, expected or found. `curves`: a row an evaluation. `excluded`: records and rows, a line each.

    `error_kind` says which training error `training_error` is: clean, augmented, running. `probes`: probe: its rows.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    excluded: tuple[str, ...] = ()
    error_kind: str = "clean"
    probes: dict[str, pd.DataFrame] = field(default_factory=dict)

    def select(self, index: pd.Index) -> "Frame":
        """The runs at these places of `runs`, with their curves."""
        runs = self.runs.loc[index]
        curves = self.curves[self.curves["run_id"].isin(runs["run_id"])]
        return replace(
            self, runs=runs, curves=curves, probes=select_runs(self.probes, runs["run_id"])
        )


def load(root: Path | str, expected: Sequence[dict[str, Any]], kind: str = "clean") -> Frame:
    """The frame of these runs, whatever became of them. `kind`: of training error.

    `expected`: a dict a run with `run_id`, and with `family` and `config` as in run.json where they are known.
    """
    rows: list[dict[str, Any]] = []
    curves: list[Curve] = []
    excluded: list[str] = []
    for run in expected:
        row, curve = _read(CachedRecord(root, run["run_id"]), run, TRAINING_ERRORS[kind], excluded)
        if "family" in row:
            rows.append(row)
            curves.append(curve)
        else:
            excluded.append(
                f"{escape(row['run_id'])}: {row['state']}, {row.get('reason', 'no run.json yet')}"
            )
    runs = pd.DataFrame(rows, columns=None if rows else RUN_COLUMNS)
    for column in (*NUMERIC_COLUMNS, *INFO_COLUMNS):
        if column not in runs:
            runs[column] = float("nan") if column in NUMERIC_COLUMNS else None
    numbers = (TRAINING_ERROR, TRAINING_ERROR_AT_START, "chance", ENDED_AT, ERROR_STEP, TEST_STEP)
    runs = runs.astype(dict.fromkeys(numbers, float))  # not None, which cannot be compared
    # of one run: whether a depth is untrained is a matter of its runs' mean (analysis.claim.untrained)
    runs["untrained"] = runs[TRAINING_ERROR] >= runs["chance"] - UNTRAINED_WITHIN_POINTS
    runs = runs.sort_values(["family", "depth", "seed", "run_id"], kind="stable").reset_index(
        drop=True
    )
    probes = read_probe_tables(root, runs, excluded)
    return Frame(runs, _table(rows, curves), tuple(excluded), kind, probes)


def load_where(root: Path | str, query: str | None, kind: str = "clean") -> Frame:
    """The frame of all records under a root that a pandas query holds for, such as `family == "plain" and depth < 60`.

    Raises RecordError where the query does not fit the frame, or no run is left.
    """
    found = [{"run_id": identifier} for identifier in run_ids(root)]
    if not found:
        raise RecordError(f"{root}: holds no record")
    frame = load(root, found, kind)
    if frame.runs.empty:
        raise RecordError(f"{root}: holds no record that can be read: {'; '.join(frame.excluded)}")
    if query:
        try:
            kept = frame.runs.query(query)
        except Exception as error:
            raise RecordError(
                f"--where: {query!r} does not fit: {error}; columns: {', '.join(map(str, frame.runs))}"
            ) from None
        frame = frame.select(kept.index)
    if frame.runs.empty:
        raise RecordError(f"{root}: holds no record for which {query!r} is true")
    return frame


def _read(
    record: CachedRecord, run: dict[str, Any], metric: str, excluded: list[str]
) -> tuple[dict[str, Any], Curve]:
    """A run's row and its curve. `metric`: the row key that is the training error."""
    row: dict[str, Any] = {"run_id": run["run_id"]}
    try:
        state, description = _describe(record, run, excluded)
        row |= _of_attempts(read_rows(record, ATTEMPTS, row_validation.attempt, excluded))
    except (
        RecordError,
        OSError,
        ValueError,
    ) as problem:  # the last: names in a manifest that no file can have
        state, description = State.FAILED, run
        row["reason"] = escape(str(problem))
        if "config" in run:
            excluded.append(f"{run['run_id']}: {row['reason']}")
    row["state"] = str(state)
    if "config" not in description:
        return row, EMPTY_CURVE
    config = description["config"]
    row |= {
        "family": description["family"],
        "depth": config["model"]["depth"],
        "shortcut": config["model"]["shortcut"],
        "seed": config["seed"],
        "data": config["data"]["name"],
        **{
            name: value
            for name, value in description.get("census", {}).items()
            if name in metadata_validation.COUNTED
        },
        **{f"config.{key}": value for key, value in HASH_DEFAULTS.items()},
        **metadata_validation.columns(config),
    }
    if "data" in description:
        row |= {
            "chance": error_scale.chance_error(description),
            ERROR_STEP: error_scale.training_error_step(description, metric),
            TEST_STEP: error_scale.test_error_step(description),
        }
    metrics = read_rows(
        record,
        METRICS,
        row_validation.metric,
        excluded,
        in_order=True,
        all_fit=row_validation.all_metrics,
    )
    curve = _curve(metrics, metric)
    if metrics and metrics[0][ITERATION] == 0:
        row[TRAINING_ERROR_AT_START] = metrics[0].get(
            metric
        )  # None for `running`: the network has not trained yet
    if state in FINISHED_STATES and ("chance" not in row or (state is State.DONE and not metrics)):
        state = State.FAILED
        row |= {
            "state": str(state),
            "reason": f"{record.folder}: lacks {METRICS if 'chance' in row else RUN}",
        }
    if state is State.DIVERGED:
        # a result, not a gap: it counts as chance, and leaving it out would flatter the networks that diverge
        at_chance = {
            TRAINING_ERROR: row["chance"],
            CLEAN_ERROR: row["chance"],
            TEST_ERROR: row["chance"],
        }
        row |= at_chance
        reached = metrics[-1][ITERATION] if metrics else 0
        at = np.array([at for at in _evaluations(config) if at > reached], int)
        after = {ITERATION: at} | {
            name: np.full(len(at), row["chance"]) for name in (TRAINING_ERROR, TEST_ERROR)
        }
        curve = {name: np.concatenate([curve[name], after[name]]) for name in curve}
    elif state is State.DONE:
        row |= metrics[-1] | {
            TRAINING_ERROR: metrics[-1].get(metric)
        }  # the last iteration's, never the best one's
    elif metrics:
        row[ITERATION] = metrics[-1][ITERATION]
    return row, curve


def _curve(metrics: list[dict[str, Any]], metric: str) -> Curve:
    def column(key: str) -> NDArray[Any]:
        return np.array([row.get(key) for row in metrics], float)  # what is not known is NaN

    at = np.array([row[ITERATION] for row in metrics], int)
    return {ITERATION: at, TRAINING_ERROR: column(metric), TEST_ERROR: column(TEST_ERROR)}


def _table(rows: list[dict[str, Any]], curves: list[Curve]) -> pd.DataFrame:
    """A row an evaluation, with who it is of. Made of columns: a dict a row would take ten times the memory."""
    evaluations = [len(curve[ITERATION]) for curve in curves]
    who = (
        pd.DataFrame(rows, columns=RUN_COLUMNS)
        .iloc[np.repeat(np.arange(len(rows)), evaluations)]
        .reset_index(drop=True)
    )
    return who.assign(
        **{
            name: np.concatenate([none, *(one[name] for one in curves)])
            for name, none in EMPTY_CURVE.items()
        }
    )


def _describe(
    record: CachedRecord, run: dict[str, Any], excluded: list[str]
) -> tuple[State, dict[str, Any]]:
    """The run's state, and what is known of it. Raises RecordError, OSError, ValueError: it cannot be shown."""
    if not is_single_line(record.run_id):
        raise RecordError("its name is not that of a run")
    state = record.state()
    if not record.path(RUN).exists():
        return state, run
    description = record.describe()
    if problem := metadata_validation.find_mismatch(description, record.run_id):
        raise RecordError(f"{record.path(RUN)}: {problem}")
    if (
        state not in (*FINISHED_STATES, State.RUNNING) and record.path(DONE).exists()
    ):  # it was over once
        excluded.append(
            escape(
                f"{record.run_id}: {record.find_mismatch()}; it is {state} until it is trained again"
            )
        )
    return state, run | description


def _evaluations(config: dict[str, Any]) -> list[int]:
    """The iterations at which a run is evaluated."""
    schedule = config["schedule"]
    every, last = schedule["evaluate_every"], schedule["iterations"]
    return sorted({*range(every, last + 1, every), last})


def _of_attempts(attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """Where and how long a run was trained, over all its attempts, and how the last one ended."""
    starts = [attempt for attempt in attempts if "start" in attempt]
    if not starts:
        return {}
    versions = starts[-1]["versions"]
    told: dict[str, Any] = {
        "device": " + ".join(dict.fromkeys(escape(start["device"]) for start in starts)),
        "commit": None if starts[-1]["commit"] is None else escape(starts[-1]["commit"]),
        "versions": {
            escape(name): None if it is None else escape(it) for name, it in versions.items()
        },
        "attempts": len(starts),
        "seconds": sum(_seconds(a, b) for a, b in pairwise(attempts) if "end" in b),
        "threads": " + ".join(
            dict.fromkeys(str(start["threads"]) for start in starts if "threads" in start)
        )
        or None,
        ENDED_AT: attempts[-1].get(ITERATION),
    }
    if REASON in attempts[-1]:
        told["reason"] = escape(attempts[-1][REASON])
    return told


def _seconds(before: dict[str, Any], end: dict[str, Any]) -> float:
    """How long an attempt took; of earlier releases by a clock that may have been set back meanwhile."""
    if SECONDS in end:
        return float(end[SECONDS])
    return max(0.0, end["end"] - before["start"]) if "start" in before else 0.0


def group_by_depth(runs: pd.DataFrame, family: str) -> dict[int, pd.DataFrame]:
    """The runs of a family at each depth, shallowest first."""
    return {
        int(str(depth)): part for depth, part in runs[runs["family"] == family].groupby("depth")
    }
