"""What the probes of the runs found, as one tidy table a probe."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from degradation.durable_io import Row
from degradation.metrics import ITERATION
from degradation.records import row_validation
from degradation.records.cached_reader import CachedRecord
from degradation.records.reader import read_rows
from degradation.records.schema import DEVICE, LANDSCAPE, PICTURES, PROBE, PROBES, TABLE

NAMED = 3  # runs that a sentence names before it counts the rest
RUN_COLUMNS = ("run_id", "family", "depth", "seed")
LAST = "config.schedule.iterations"
INITIALISATION, END = "initialisation", "end"  # the other moments are told by their iteration


def read_probe_tables(
    root: Path | str, runs: pd.DataFrame, excluded: list[str]
) -> dict[str, pd.DataFrame]:
    """Probe: its rows with who they are of, `iteration` and, in words, `moment`; `landscape` with its points.

    `excluded` gets a line for each file of which rows are damaged or make no sense.

    Of the runs that are done: what a run that is still trained has found so far is of no figure yet.
    """
    tables: dict[str, _Table] = {}
    landscapes: list[pd.DataFrame] = []
    for run in (
        runs[runs["state"] == "done"].reindex(columns=[*RUN_COLUMNS, LAST]).to_dict("records")
    ):
        who: dict[str, Any] = {key: run[key] for key in RUN_COLUMNS}
        record = CachedRecord(root, run["run_id"])
        for row in _rows(record, excluded):
            head = {ITERATION: row[ITERATION], PICTURES: row[PICTURES], DEVICE: row[DEVICE], **who}
            head["moment"] = _moment(row[ITERATION], run[LAST])
            tables.setdefault(row[PROBE], _Table()).add(head, row[TABLE])
        if points := _points(record, excluded):
            landscapes.append(_landscape(points).assign(**who))
    found = {name: table.frame() for name, table in tables.items()}
    return found | ({LANDSCAPE: pd.concat(landscapes, ignore_index=True)} if landscapes else {})


class _Table:
    """Grows by the rows of a probe, column by column: a frame a row of the file would take most of a report's time."""

    def __init__(self) -> None:
        self.heads: list[dict[str, Any]] = []
        self.lengths: list[int] = []
        self.columns: dict[str, list[Any]] = {}
        self.length = 0

    def add(self, head: dict[str, Any], table: dict[str, list[Any]]) -> None:
        """`head`: of all rows of `table`. A column that one table lacks, or has empty, is of nothing there."""
        length = max(map(len, table.values()))
        for name in [name for name in table if name not in self.columns]:
            self.columns[name] = [None] * self.length
        for name, column in self.columns.items():
            column.extend(table.get(name) or [None] * length)
        self.heads.append(head)
        self.lengths.append(length)
        self.length += length

    def frame(self) -> pd.DataFrame:
        """None, which stands for what is not finite, is NaN among numbers, and a column of nothing else is one too."""
        found = pd.DataFrame(self.columns)
        empty = [name for name in found if found[name].isna().all()]
        heads = pd.DataFrame(self.heads).iloc[np.repeat(np.arange(len(self.heads)), self.lengths)]
        return found.astype(dict.fromkeys(empty, float)).assign(
            **{str(name): heads[name].to_numpy() for name in heads}
        )


def _rows(record: CachedRecord, excluded: list[str]) -> list[Row]:
    told = len(excluded)
    rows = read_rows(record, PROBES, row_validation.probe, excluded)
    if len(excluded) == told and (lost := record.lost_probes()):
        excluded.append(f"{record.run_id}: {PROBES}, {lost} rows that were written are not there")
    return rows


def _points(record: CachedRecord, excluded: list[str]) -> list[Row]:
    files = sorted(path.name for path in record.path(LANDSCAPE).glob("*.jsonl"))
    return [
        row
        for name in files
        for row in read_rows(record, f"{LANDSCAPE}/{name}", row_validation.point, excluded)
    ]


def _landscape(points: list[Row]) -> pd.DataFrame:
    table = pd.DataFrame(points, columns=[*row_validation.POINT]).drop_duplicates(ignore_index=True)
    counts = [
        "all" if count is None or pd.isna(count) else f"{count:.0f}" for count in table[PICTURES]
    ]
    return table.assign(pictures=counts)


def _moment(iteration: int, last: int) -> str:
    return {0: INITIALISATION, last: END}.get(iteration, f"iteration {iteration}")


def select_sample_size(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows of one probe that were measured on as many images as most runs have, and a sentence on the others.

    Numbers of different samples are not averaged. Of two sizes that equally many runs have, the larger is kept.
    """
    if PICTURES not in table or table[PICTURES].nunique() < 2:
        return table, []
    moments = table.drop_duplicates(["run_id", ITERATION, PICTURES])
    counts = moments.groupby(PICTURES)["run_id"].agg(["nunique", "size"]).sort_index()
    size = max(counts.index, key=lambda pictures: (*counts.loc[pictures], pictures))
    kept = table[table[PICTURES] == size]
    excluded = (
        table.loc[table[PICTURES] != size, ["run_id", PICTURES]]
        .drop_duplicates()
        .sort_values("run_id")
    )
    others = [f"{run} ({count} images)" for run, count in excluded.itertuples(index=False)]
    named = ", ".join(others[:NAMED]) + (
        f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    )
    return kept, [
        f"Shown is what was measured on {size} images; not shown is what was measured on others: {named}."
    ]


def select_runs(probes: dict[str, pd.DataFrame], run_ids: pd.Series) -> dict[str, pd.DataFrame]:
    """The tables of these runs alone; a probe that none of them has is left out."""
    kept = {name: table[table["run_id"].isin(run_ids)] for name, table in probes.items()}
    return {name: table for name, table in kept.items() if len(table)}
