"""What the probes of the runs found, as one tidy table a probe."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import fitting
from analysis.sound import read_rows
from degradation.records.schema import DEVICE, ITERATION, LANDSCAPE, PICTURES, PROBE, PROBES, TABLE
from degradation.records.store import Record

WHO = ("run_id", "family", "depth", "seed")
LAST = "config.schedule.iterations"
START, END = "initialisation", "end"  # the other moments are told by their iteration


def probe_tables(root: Path | str, runs: pd.DataFrame, left_out: list[str]) -> dict[str, pd.DataFrame]:
    """Probe: its rows with who they are of, `iteration` and, in words, `moment`; `landscape` with its points.

    `left_out` gets a line for each file of which rows are damaged or make no sense.

    Of the runs that are done: what a run that is still trained has found so far is of no figure yet.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for run in runs[runs["state"] == "done"].to_dict("records"):
        for name, table in _tables(Record(root, run["run_id"]), left_out):
            who: dict[str, Any] = {key: run[key] for key in WHO}
            if ITERATION in table:
                who["moment"] = [_moment(iteration, run[LAST]) for iteration in table[ITERATION]]
            found.setdefault(name, []).append(table.assign(**who))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in found.items()}


def _tables(record: Record, left_out: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    told = len(left_out)
    rows = read_rows(record, PROBES, fitting.probe, left_out)
    if len(left_out) == told and (lost := record.lost_probes()):
        left_out.append(f"{record.run_id}: {PROBES}, {lost} rows that were written are not there")
    for row in rows:
        table = pd.DataFrame({ITERATION: row[ITERATION], **row[TABLE]})
        # None, which stands for what is not finite, is NaN among numbers, and a column of nothing else is one too
        empty = [name for name in table if table[name].isna().all()]
        yield row[PROBE], table.astype(dict.fromkeys(empty, float)).assign(pictures=row[PICTURES], device=row[DEVICE])
    files = sorted(path.name for path in record.path(LANDSCAPE).glob("*.jsonl"))
    points = [row for name in files for row in read_rows(record, f"{LANDSCAPE}/{name}", fitting.point, left_out)]
    if points:
        table = pd.DataFrame(points)[[*fitting.POINT]].drop_duplicates(ignore_index=True)
        counts = ["all" if count is None or pd.isna(count) else f"{count:.0f}" for count in table[PICTURES]]
        yield LANDSCAPE, table.assign(pictures=counts)


def _moment(iteration: int, last: int) -> str:
    return {0: START, last: END}.get(iteration, f"iteration {iteration}")


def of_runs(probes: dict[str, pd.DataFrame], run_ids: pd.Series) -> dict[str, pd.DataFrame]:
    """The tables of these runs alone; a probe that none of them has is left out."""
    kept = {name: table[table["run_id"].isin(run_ids)] for name, table in probes.items()}
    return {name: table for name, table in kept.items() if len(table)}
