"""The probes' measurements of all runs, as one tidy table per probe."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.abbreviation import abbreviate
from degradation.checksums import Row
from degradation.counting import format_count
from degradation.metrics import ITERATION
from degradation.records import row_validation
from degradation.records.cached_reader import CachedRecord
from degradation.records.schema import DEVICE, IMAGES, LANDSCAPE_DIR, PROBE, PROBES_FILE, TABLE
from degradation.records.valid_rows import read_rows

ID_COLUMNS = ("run_id", "family", "depth", "seed")
LAST_ITERATION = "config.schedule.iterations"
# Names of time points; all others are named by their iteration.
INITIALISATION, END = "initialisation", "end"

ProbeTables = dict[str, pd.DataFrame]  # probe: its table


def read_probe_tables(root: Path | str, runs: pd.DataFrame, excluded: list[str]) -> ProbeTables:
    """Return the tables of all probes that were run on the finished networks.

    A row has the columns that its probe measures, those of ID_COLUMNS, `iteration`, `time_point`
    (the iteration in words), `pictures` (the number of images) and `device`. The table `landscape`
    has one row per point, without iteration and time point.

    Only runs that are done count: the probes of an unfinished run are incomplete.

    Args:
        root: the record root: a folder, or an archive of published records.
        runs: `Frame.runs`.
        excluded: receives one line per file with corrupt, invalid or missing rows.
    """
    builders: dict[str, _TableBuilder] = {}
    landscapes: list[pd.DataFrame] = []
    done = runs[runs["state"] == "done"].reindex(columns=[*ID_COLUMNS, LAST_ITERATION])
    for run in done.to_dict("records"):
        identity: dict[str, Any] = {key: run[key] for key in ID_COLUMNS}
        record = CachedRecord(root, run["run_id"])
        for row in _read_probe_rows(record, excluded):
            head = {
                ITERATION: row[ITERATION],
                IMAGES: row[IMAGES],
                DEVICE: row[DEVICE],
                **identity,
                "time_point": name_time_point(row[ITERATION], run[LAST_ITERATION]),
            }
            builders.setdefault(row[PROBE], _TableBuilder()).add(head, row[TABLE])
        points = _read_landscape_points(record, excluded)
        if points:
            landscapes.append(_build_landscape(points).assign(**identity))
    tables = {name: builder.build() for name, builder in builders.items()}
    if landscapes:
        tables[LANDSCAPE_DIR] = pd.concat(landscapes, ignore_index=True)
    return tables


class _TableBuilder:
    """The rows of one probe, collected by column.

    Building one data frame per row of the file would take most of a report's time.
    """

    def __init__(self) -> None:
        self.heads: list[dict[str, Any]] = []
        self.lengths: list[int] = []
        self.columns: dict[str, list[Any]] = {}
        self.length = 0

    def add(self, head: dict[str, Any], table: dict[str, list[Any]]) -> None:
        """Add a table whose rows all have the values of `head`.

        The values of a column that is missing or empty in this table are None.
        """
        length = max(map(len, table.values()))
        for name in table:
            if name not in self.columns:
                self.columns[name] = [None] * self.length
        for name, column in self.columns.items():
            column.extend(table.get(name) or [None] * length)
        self.heads.append(head)
        self.lengths.append(length)
        self.length += length

    def build(self) -> pd.DataFrame:
        """Return the table. None becomes NaN in columns of numbers and in columns of None only."""
        table = pd.DataFrame(self.columns)
        empty = [name for name in table if table[name].isna().all()]
        table = table.astype(dict.fromkeys(empty, float))
        repeats = np.repeat(np.arange(len(self.heads)), self.lengths)
        heads = pd.DataFrame(self.heads).iloc[repeats]
        return table.assign(**{str(name): heads[name].to_numpy() for name in heads})


def _read_probe_rows(record: CachedRecord, excluded: list[str]) -> list[Row]:
    already_excluded = len(excluded)
    rows = read_rows(record, PROBES_FILE, row_validation.find_probe_problem, excluded)
    # The line about corrupt rows accounts for these rows already.
    lost = record.count_lost_probes() if len(excluded) == already_excluded else 0
    if lost:
        excluded.append(
            f"{record.run_id}: {PROBES_FILE}, "
            f"{format_count(lost, 'row that was written is', 'rows that were written are')} missing"
        )
    return rows


def _read_landscape_points(record: CachedRecord, excluded: list[str]) -> list[Row]:
    points: list[Row] = []
    for name in record.list_landscape_files():
        points += read_rows(record, name, row_validation.find_landscape_problem, excluded)
    return points


def _build_landscape(points: list[Row]) -> pd.DataFrame:
    """Return the distinct points; the column `pictures` is text, `all` if every image was used."""
    table = pd.DataFrame(points, columns=[*row_validation.POINT]).drop_duplicates(ignore_index=True)
    counts = ["all" if pd.isna(count) else f"{count:.0f}" for count in table[IMAGES]]
    return table.assign(**{IMAGES: counts})


def name_time_point(iteration: int, last_iteration: int) -> str:
    """Return the point in training at which a probe measured, as tables and figures name it."""
    if iteration == 0:
        return INITIALISATION
    if iteration == last_iteration:
        return END
    return f"iteration {iteration}"


def select_sample_size(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of one probe that were measured on the same number of images.

    Measurements on samples of different sizes must not be averaged. The size that most runs have is
    selected; a tie goes to the size with the most time points, then to the largest.

    Returns:
        The rows, and a list with one sentence that names the excluded runs, or an empty list if
        there are none.
    """
    if IMAGES not in table or table[IMAGES].nunique() < 2:
        return table, []
    time_points = table.drop_duplicates(["run_id", ITERATION, IMAGES])
    counts = time_points.groupby(IMAGES)["run_id"].agg(["nunique", "size"])
    ranked = counts.reset_index().sort_values(["nunique", "size", IMAGES])
    selected_size = ranked[IMAGES].iloc[-1]
    is_selected = table[IMAGES] == selected_size
    others = table.loc[~is_selected, ["run_id", IMAGES]].drop_duplicates().sort_values("run_id")
    runs = [f"{run_id} ({size} images)" for run_id, size in others.itertuples(index=False)]
    sentence = (
        f"Only measurements on {selected_size} images are used. Runs measured on a different"
        f" number of images are excluded: {abbreviate(runs)}."
    )
    return table[is_selected], [sentence]


def select_runs(tables: ProbeTables, run_ids: pd.Series) -> ProbeTables:
    """Return the rows of these runs, without the probes that none of them has."""
    selected = {name: table[table["run_id"].isin(run_ids)] for name, table in tables.items()}
    return {name: table for name, table in selected.items() if len(table)}
