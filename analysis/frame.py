"""Records to tidy tables. Failed, diverged, missing and partial runs stay visible: no run is dropped in silence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from degradation.records.schema import (
    ATTEMPTS,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    LR,
    METRICS,
    RUN,
    TEST_ERROR,
    TEST_LOSS,
    RecordError,
    State,
)
from degradation.records.store import Record, run_ids

OVER = (State.DONE, State.DIVERGED)
UNTRAINED_WITHIN = 2.0  # points of chance error
COMPARED = ("config.model.depth", "config.seed")  # what may differ between the runs of one condition, beside the family
WARMUP = "config.schedule.warmup."
# columns that every frame has, whatever its records hold
MEASURED = (ITERATION, LR, CLEAN_ERROR, CLEAN_LOSS, TEST_ERROR, TEST_LOSS, "chance", "parameters", "multiply_adds")
TOLD = ("reason", "device", "commit", "versions")


@dataclass(frozen=True)
class Frame:
    """`runs`: a row a run, expected or found. `curves`: a row an evaluation. `left_out`: unreadable records."""

    runs: pd.DataFrame
    curves: pd.DataFrame
    left_out: tuple[str, ...] = ()

    def where(self, index: pd.Index) -> "Frame":
        """The runs at these places of `runs`, with their curves."""
        runs = self.runs.loc[index]
        return Frame(runs, self.curves[self.curves["run_id"].isin(runs["run_id"])], self.left_out)


def load(root: Path | str, expected: Sequence[dict[str, Any]]) -> Frame:
    """The frame of these runs, whatever became of them.

    `expected`: a dict a run with `run_id`, and with `family` and `config` as in run.json where they are known.
    """
    rows, curves, left_out = [], [], []
    for run in expected:
        row, curve = _read(Record(root, run["run_id"]), run)
        if "family" in row:
            rows.append(row)
            curves.extend(curve)
        else:
            left_out.append(f"{row['run_id']}: {row['state']}, {row.get('reason', 'no run.json yet')}")
    runs = pd.DataFrame(rows, columns=None if rows else ["run_id", "family", "depth", "seed", "state"])
    for column in (*MEASURED, *TOLD):
        if column not in runs:
            runs[column] = float("nan") if column in MEASURED else None
    runs["untrained"] = runs[CLEAN_ERROR] >= runs["chance"] - UNTRAINED_WITHIN
    runs = runs.sort_values(["family", "depth", "seed", "run_id"], kind="stable").reset_index(drop=True)
    columns = ["run_id", "family", "depth", "seed", ITERATION, CLEAN_ERROR, TEST_ERROR]
    return Frame(runs, pd.DataFrame(curves) if curves else pd.DataFrame(columns=columns), tuple(left_out))


def load_where(root: Path | str, query: str | None) -> Frame:
    """The frame of all records under a root that a pandas query holds for, such as `family == "plain" and depth < 60`.

    Raises RecordError where the query does not fit the frame, or no run is left.
    """
    found = [{"run_id": identifier} for identifier in run_ids(root)]
    if not found:
        raise RecordError(f"{root}: holds no record")
    frame = load(root, found)
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


def _read(record: Record, run: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A run's row and its curve."""
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
        **dict(_flat("config", config)),
    }
    if "data" in description:
        row["chance"] = 100 * (1 - 1 / description["data"]["classes"])
    metrics = record.rows(METRICS)
    if state is State.DIVERGED:
        # a result, not a gap: it counts as chance, and leaving it out would flatter the networks that diverge
        at_chance = {CLEAN_ERROR: row["chance"], TEST_ERROR: row["chance"]}
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


def conditions(frame: Frame) -> list[tuple[str, Frame]]:
    """The frame cut so that within a part nothing but family, depth and seed differs: (what is particular, part).

    A plain net has no shortcut and a shallow net may have no warm-up: such a run stands in every part that it fits.
    """
    runs = frame.runs
    keys = [key for key in map(str, runs) if key.startswith("config.") and key not in COMPARED]
    values = runs[keys].astype(object).where(runs[keys].notna(), None)
    fits_all = pd.DataFrame(False, index=runs.index, columns=keys)
    for key in keys:
        if key == "config.model.shortcut":
            fits_all[key] = runs["family"] == "plain"
        elif key.startswith(WARMUP.removesuffix(".")):
            fits_all[key] = values[key].isna()
    varying = [key for key in keys if values.loc[~fits_all[key], key].nunique(dropna=False) > 1]
    if not varying:
        return [("", frame)]
    whole = values.loc[~fits_all[varying].any(axis=1), varying]
    if whole.empty:
        whole = values[varying]
    parts = []
    for _, particular in whole.drop_duplicates().sort_values(varying, key=lambda column: column.map(str)).iterrows():
        fits = ((values[varying] == particular) | fits_all[varying]).all(axis=1)
        label = ", ".join(f"{key.removeprefix('config.')}={particular[key]}" for key in varying)
        parts.append((label, frame.where(runs.index[fits])))
    return parts


def by_depth(runs: pd.DataFrame, family: str) -> dict[int, pd.DataFrame]:
    """The runs of a family at each depth, shallowest first."""
    return {int(str(depth)): part for depth, part in runs[runs["family"] == family].groupby("depth")}
