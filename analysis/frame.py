"""Records to tidy tables. Failed, diverged, missing and partial runs stay visible: no run is dropped in silence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.probes import of_runs, probe_tables
from degradation.identity import ADDED_LATER
from degradation.records.schema import (
    ATTEMPTS,
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    LR,
    METRICS,
    RUN,
    RUNNING_ERROR,
    TEST_ERROR,
    TEST_LOSS,
    RecordError,
    State,
)
from degradation.records.store import Record, run_ids

OVER = (State.DONE, State.DIVERGED)
UNTRAINED_WITHIN = 2.0  # points of chance error
TRAINING_ERROR = "training_error"  # the one of the three that the claims and figures are about
TRAINING_ERRORS = {"clean": CLEAN_ERROR, "augmented": AUGMENTED_ERROR, "running": RUNNING_ERROR}
AT_START = "training_error_at_start"  # of a constructed network, before it is trained on
# columns that every frame has, whatever its records hold
MEASURED = (
    ITERATION, LR, TRAINING_ERROR, AT_START, CLEAN_ERROR, CLEAN_LOSS, TEST_ERROR, TEST_LOSS, "chance", "parameters",
    "multiply_adds", "activations",
)  # fmt: skip
TOLD = ("reason", "device", "commit", "versions")


@dataclass(frozen=True)
class Frame:
    """`runs`: a row a run, expected or found. `curves`: a row an evaluation. `left_out`: unreadable records.

    `kind` says which training error `training_error` is: clean, augmented, running. `probes`: probe: its rows.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    left_out: tuple[str, ...] = ()
    kind: str = "clean"
    probes: dict[str, pd.DataFrame] = field(default_factory=dict)

    def where(self, index: pd.Index) -> "Frame":
        """The runs at these places of `runs`, with their curves."""
        runs = self.runs.loc[index]
        curves = self.curves[self.curves["run_id"].isin(runs["run_id"])]
        return replace(self, runs=runs, curves=curves, probes=of_runs(self.probes, runs["run_id"]))


def load(root: Path | str, expected: Sequence[dict[str, Any]], kind: str = "clean") -> Frame:
    """The frame of these runs, whatever became of them. `kind`: of training error.

    `expected`: a dict a run with `run_id`, and with `family` and `config` as in run.json where they are known.
    """
    rows, curves, left_out = [], [], []
    for run in expected:
        row, curve = _read(Record(root, run["run_id"]), run, TRAINING_ERRORS[kind])
        if "family" in row:
            rows.append(row)
            curves.extend(curve)
        else:
            left_out.append(f"{row['run_id']}: {row['state']}, {row.get('reason', 'no run.json yet')}")
    runs = pd.DataFrame(rows, columns=None if rows else ["run_id", "family", "depth", "seed", "state"])
    for column in (*MEASURED, *TOLD):
        if column not in runs:
            runs[column] = float("nan") if column in MEASURED else None
    runs["untrained"] = runs[TRAINING_ERROR] >= runs["chance"] - UNTRAINED_WITHIN
    runs = runs.sort_values(["family", "depth", "seed", "run_id"], kind="stable").reset_index(drop=True)
    columns = ["run_id", "family", "depth", "seed", ITERATION, TRAINING_ERROR, TEST_ERROR]
    found = pd.DataFrame(curves) if curves else pd.DataFrame(columns=columns)
    return Frame(runs, found, tuple(left_out), kind, probe_tables(root, runs))


def load_where(root: Path | str, query: str | None, kind: str = "clean") -> Frame:
    """The frame of all records under a root that a pandas query holds for, such as `family == "plain" and depth < 60`.

    Raises RecordError where the query does not fit the frame, or no run is left.
    """
    found = [{"run_id": identifier} for identifier in run_ids(root)]
    if not found:
        raise RecordError(f"{root}: holds no record")
    frame = load(root, found, kind)
    if frame.runs.empty:
        raise RecordError(f"{root}: holds no record that can be read: {'; '.join(frame.left_out)}")
    if query:
        try:
            kept = frame.runs.query(query)
        except Exception as error:
            raise RecordError(
                f"--where: {query!r} does not fit: {error}; columns: {', '.join(map(str, frame.runs))}"
            ) from None
        frame = frame.where(kept.index)
    if frame.runs.empty:
        raise RecordError(f"{root}: holds no record for which {query!r} is true")
    return frame


def _read(record: Record, run: dict[str, Any], metric: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A run's row and its curve. `metric`: the row key that is the training error."""
    state = record.state()
    attempts = record.rows(ATTEMPTS)
    row: dict[str, Any] = {"run_id": run["run_id"], "state": str(state), **_of_attempts(attempts)}
    description = dict(run)
    if record.path(RUN).exists():
        try:
            description |= record.describe()
        except RecordError as problem:
            state = State.FAILED
            row |= {"state": str(state), "reason": str(problem)}
    if "config" not in description:
        return row, []
    config = description["config"]
    row |= {
        "family": description["family"],
        "depth": config["model"]["depth"],
        "shortcut": config["model"]["shortcut"],
        "seed": config["seed"],
        "data": config["data"]["name"],
        **description.get("census", {}),
        **{f"config.{key}": value for key, value in ADDED_LATER.items()},
        **dict(_flat("config", config)),
    }
    if "data" in description:
        row["chance"] = 100 * (1 - 1 / description["data"]["classes"])
    metrics = [measured | {TRAINING_ERROR: measured.get(metric)} for measured in record.rows(METRICS)]
    if metrics and metrics[0][ITERATION] == 0:
        row[AT_START] = metrics[0][TRAINING_ERROR]  # None for `running`: the network has not trained yet
    if state is State.DIVERGED:
        # a result, not a gap: it counts as chance, and leaving it out would flatter the networks that diverge
        at_chance = {TRAINING_ERROR: row["chance"], CLEAN_ERROR: row["chance"], TEST_ERROR: row["chance"]}
        row |= at_chance
        reached = metrics[-1][ITERATION] if metrics else 0
        metrics += [{ITERATION: at, **at_chance} for at in _evaluations(config) if at > reached]
    elif state is State.DONE:
        row |= metrics[-1]  # the last iteration's, never the best one's
    elif metrics:
        row[ITERATION] = metrics[-1][ITERATION]
    who = {key: row[key] for key in ("run_id", "family", "depth", "seed", "state")}
    return row, [who | metric for metric in metrics]


def _evaluations(config: dict[str, Any]) -> list[int]:
    """The iterations at which a run is evaluated."""
    schedule = config["schedule"]
    every, last = schedule["evaluate_every"], schedule["iterations"]
    return sorted({*range(every, last + 1, every), last})


def _of_attempts(attempts: list[dict[str, Any]]) -> dict[str, Any]:
    """Where and how long a run was trained: over all its attempts."""
    starts = [attempt for attempt in attempts if "start" in attempt]
    if not starts:
        return {}
    told: dict[str, Any] = {
        "device": " + ".join(dict.fromkeys(start["device"] for start in starts)),
        "commit": starts[-1]["commit"],
        "versions": starts[-1]["versions"],
        "attempts": len(starts),
        "seconds": sum(b["end"] - a["start"] for a, b in pairwise(attempts) if "start" in a and "end" in b),
    }
    if "reason" in attempts[-1]:
        told["reason"] = attempts[-1]["reason"]
    return told


def _flat(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{key}", value)
        else:
            yield f"{prefix}.{key}", str(value) if isinstance(value, list) else value


def by_depth(runs: pd.DataFrame, family: str) -> dict[int, pd.DataFrame]:
    """The runs of a family at each depth, shallowest first."""
    return {int(str(depth)): part for depth, part in runs[runs["family"] == family].groupby("depth")}
