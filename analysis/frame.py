"""Records to tidy tables. Failed, diverged, missing and partial runs stay visible: no run is dropped in silence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from degradation.records.schema import ATTEMPTS, CLEAN_ERROR, ITERATION, METRICS, TEST_ERROR, RecordError, State
from degradation.records.store import Record, run_ids

OVER = (State.DONE, State.DIVERGED)
UNTRAINED_WITHIN = 2.0  # points of chance error
# What may differ between the runs that one claim compares; anything else that differs makes another condition.
COMPARED = ("config.model.shortcut", "config.model.depth", "config.seed")


@dataclass(frozen=True)
class Frame:
    """`runs`: a row a run, expected or found. `curves`: a row an evaluation of a run."""

    runs: pd.DataFrame
    curves: pd.DataFrame

    def where(self, index: pd.Index) -> "Frame":
        """The runs at these places of `runs`, with their curves."""
        runs = self.runs.loc[index]
        return Frame(runs, self.curves[self.curves["run_id"].isin(runs["run_id"])])


def load(root: Path | str, expected: Sequence[dict[str, Any]]) -> Frame:
    """The frame of these runs (dicts with run_id, family, depth, shortcut, seed, data), whatever became of them."""
    rows, curves = [], []
    for run in expected:
        row, curve = _read(Record(root, run["run_id"]), run)
        rows.append(row)
        curves.extend(curve)
    runs = pd.DataFrame(rows)
    for column in (
        "lr",
        "train/clean_error",
        "train/clean_loss",
        "test/error",
        "parameters",
        "chance",
        "reason",
        "device",
    ):
        if column not in runs:
            runs[column] = None if column in ("reason", "device") else float("nan")
    runs["untrained"] = runs[CLEAN_ERROR] >= runs["chance"] - UNTRAINED_WITHIN
    runs = runs.sort_values(["family", "depth", "seed", "run_id"], kind="stable").reset_index(drop=True)
    columns = ["run_id", "family", "depth", "seed", ITERATION, CLEAN_ERROR, TEST_ERROR]
    return Frame(runs, pd.DataFrame(curves) if curves else pd.DataFrame(columns=columns))


def load_where(root: Path | str, query: str | None) -> Frame:
    """The frame of all records under a root that a pandas query holds for, such as `family == "plain" and depth < 60`.

    Raises RecordError where the query does not fit the frame, or no run is left.
    """
    found = [{"run_id": identifier} for identifier in run_ids(root)]
    if not found:
        raise RecordError(f"{root}: holds no record")
    frame = load(root, found)
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
    state = record.state()
    row: dict[str, Any] = {**run, "state": str(state)}
    if state is State.MISSING:
        return row, []
    attempts = record.rows(ATTEMPTS)
    starts = [attempt for attempt in attempts if "start" in attempt]
    if starts:
        last = starts[-1]
        row |= {
            "device": last["device"],
            "commit": last["commit"],
            "versions": last["versions"],
            "attempts": len(starts),
        }
        row["seconds"] = sum(b["end"] - a["start"] for a, b in pairwise(attempts) if "end" in b)
    if attempts and "reason" in attempts[-1]:
        row["reason"] = attempts[-1]["reason"]
    try:
        description = record.describe()
    except RecordError as problem:
        return row | {"state": str(State.FAILED), "reason": str(problem)}, []
    config = description["config"]
    row |= {
        "family": description["family"],
        "depth": config["model"]["depth"],
        "shortcut": config["model"]["shortcut"],
        "seed": config["seed"],
        "data": description["data"]["name"],
        "chance": 100 * (1 - 1 / description["data"]["classes"]),
        "iterations": config["schedule"]["iterations"],
        **description["census"],
        **dict(_flat("config", config)),
    }
    metrics = record.rows(METRICS)
    if state is State.DIVERGED:
        # a result, not a gap: it counts as chance, and leaving it out would flatter the networks that diverge
        row |= {CLEAN_ERROR: row["chance"], TEST_ERROR: row["chance"]}
    elif state is State.DONE:
        row |= metrics[-1]  # the last iteration's, never the best one's
    elif metrics:
        row[ITERATION] = metrics[-1][ITERATION]
    who = {key: row[key] for key in ("run_id", "family", "depth", "seed")}
    return row, [who | metric for metric in metrics]


def _flat(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{key}", value)
        else:
            yield f"{prefix}.{key}", str(value) if isinstance(value, list) else value


def conditions(frame: Frame) -> list[tuple[str, Frame]]:
    """The frame cut so that within a part nothing but family, depth and seed differs: (what is particular, part).

    Runs without a record have no configuration here; they stand in every part. Plain nets are compared with each of
    several shortcuts in turn.
    """
    runs = frame.runs
    keys = [column for column in map(str, runs) if column.startswith("config.") and column not in COMPARED]
    varying = [key for key in keys if runs.dropna(subset=["iterations"])[key].nunique(dropna=False) > 1]
    parts = [("", runs)]
    if varying:
        absent = runs["iterations"].isna()
        known = runs[~absent]
        parts = [
            (", ".join(f"{key.removeprefix('config.')}={value}" for key, value in zip(varying, values, strict=True)),
             runs[absent | runs.index.isin(part.index)])
            for values, part in known.groupby(varying, dropna=False)
        ]  # fmt: skip
    cut = []
    for label, part in parts:
        shortcuts = sorted(part.loc[part["family"] != "plain", "shortcut"].dropna().unique())
        for shortcut in shortcuts if len(shortcuts) > 1 else [None]:
            kept = part if shortcut is None else part[(part["family"] == "plain") | (part["shortcut"] == shortcut)]
            name = ", ".join(filter(None, [label, f"shortcut {shortcut}" if shortcut else ""]))
            cut.append((name, frame.where(kept.index)))
    return cut


def by_depth(runs: pd.DataFrame, family: str) -> dict[int, pd.DataFrame]:
    """The runs of a family at each depth, shallowest first."""
    return {int(str(depth)): part for depth, part in runs[runs["family"] == family].groupby("depth")}
