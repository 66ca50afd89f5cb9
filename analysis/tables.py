"""Records as tidy pandas tables, for notebooks and scripts: runs, curves and probes.

`import degradation` offers these functions. The columns are described in `analysis.columns`; here a
configuration key is a column under its own name, such as `optim.lr`.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.columns import CHANCE, RUN_COLUMNS, TRAINING_ERROR, TRAINING_ERRORS
from analysis.frame import Frame, complete_columns, load
from analysis.key_columns import drop_prefix, list_keys, restore_prefix
from analysis.missing_records import describe_nested_records
from analysis.query import load_where
from analysis.run_row import format_versions, read_metrics
from degradation.checksums import Row
from degradation.config import ConfigError, quote
from degradation.counting import format_count
from degradation.metrics import ITERATION, METRICS, TEST_ERROR
from degradation.records.cached_reader import CachedRecord
from degradation.records.schema import State

# Entries of `DataFrame.attrs`.
EXCLUDED = "excluded"
ERROR_KIND = "error_kind"
KEYS = "keys"

NEEDED_COLUMNS = (*RUN_COLUMNS, "data", "shortcut", TRAINING_ERROR, CHANCE)
LISTED_COLUMNS = 5  # how many missing columns a message names


def load_runs(
    record_root: Path | str = "runs", where: str | None = None, training_error: str = "clean"
) -> pd.DataFrame:
    """Return one row per record under a root, unfinished and failed runs included.

    Args:
        record_root: the folder of the records, or an archive of published ones (records.zip).
        where: a pandas query over the columns, such as "family == 'plain' and depth < 60" or
            "`optim.lr` == 0.1", as for `experiments/report.py --where`. None: all records.
        training_error: which error the column `training_error` is: clean, augmented or running.

    Returns:
        The columns of `analysis.columns` (errors in percent), and each configuration key under its
        own name. Records in a subfolder of the root are not loaded, and a warning names such
        subfolders. `attrs["excluded"]` has one line per record, file or group of rows that could
        not be used, and a warning says so if there are any. `attrs["error_kind"]` repeats
        `training_error`, and `attrs["keys"]` lists the columns of configuration keys, by which
        `verdicts` and the plots distinguish runs that must not be averaged.

    Raises:
        UserError: the root has no records, or the query is invalid or selects nothing.
    """
    frame = _load(record_root, where, training_error)
    runs = drop_prefix(frame.runs).reset_index(drop=True)
    # A mapping could be neither compared nor grouped by.
    runs["versions"] = runs["versions"].map(format_versions, na_action="ignore")
    return _describe(runs, frame)


def load_curves(
    record_root: Path | str = "runs",
    where: str | None = None,
    training_error: str = "clean",
    keys: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one row per evaluation of each selected run.

    Args:
        record_root, where, training_error: as for `load_runs`; the query is about runs.
        keys: further columns of `load_runs` to add to each row, such as "parameters".

    Returns:
        run_id, family, depth, seed, state, `chance` (percent), `iteration`, `training_error`
        (percent), all metrics (`degradation.metrics`) and each configuration key under its own
        name. A diverged run counts as chance error from its divergence on; its other metrics are
        NaN there. `attrs` as for `load_runs`.

    Raises:
        UserError: as for `load_runs`, or a key is not a column.
    """
    frame = _load(record_root, where, training_error)
    return build_curves(record_root, frame, keys)


def load_probes(
    record_root: Path | str, name: str, where: str | None = None, keys: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the rows that a probe measured in each selected run that is done.

    Args:
        record_root, where: as for `load_runs`.
        name: the probe, such as "gradient_flow", or "landscape".
        keys: as for `load_curves`.

    Returns:
        run_id, family, depth, seed, `iteration`, `time_point` (the iteration in words), `device`,
        `pictures` (the number of images), the columns that the probe measures and each
        configuration key under its own name. `attrs` as for `load_runs`.

    Raises:
        UserError: as for `load_runs`, or no selected run has this probe.
    """
    frame = _load(record_root, where, "clean", with_probes=True)
    if name not in frame.probes:
        available = ", ".join(sorted(frame.probes)) or "none; experiments/explain.py runs them"
        raise ConfigError(
            f"name: {quote(name)} is not a probe of the selected runs; allowed: {available}"
        )
    rows = frame.probes[name].reset_index(drop=True)
    return _describe(_add_keys(rows, frame.runs, keys), frame)


def read_curve(record_root: Path | str, run_id: str) -> pd.DataFrame:
    """Return the rows of `load_curves` for one run; no other record is read."""
    frame = load(record_root, [{"run_id": run_id}], with_probes=False)
    return build_curves(record_root, frame, ())


def build_curves(record_root: Path | str, frame: Frame, keys: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `load_curves` for the runs of a frame."""
    tables = [_read_rows(record_root, run_id) for run_id in frame.runs["run_id"]]
    measured = pd.concat(tables, ignore_index=True)
    # The frame's curves have these too, continued at chance for a diverged run.
    measured = measured.drop(columns=[TEST_ERROR])
    curves = frame.curves[[*RUN_COLUMNS, ITERATION, TRAINING_ERROR, TEST_ERROR]]
    curves = curves.merge(measured, on=["run_id", ITERATION], how="left")
    curves = _add_keys(curves, frame.runs, [CHANCE, *keys])
    return _describe(curves, frame)


def to_frame(runs: pd.DataFrame) -> Frame:
    """Return the frame of a table that `load_runs` returned, and the user may have filtered.

    It has no curves and no probes. Raises ConfigError if the table is empty, or lacks columns: runs
    whose configuration is unknown would be averaged with those of other settings.
    """
    if not isinstance(runs, pd.DataFrame):
        kind = type(runs).__name__
        raise ConfigError(f"runs: {kind} is not allowed; allowed: the table that load_runs returns")
    needed = dict.fromkeys([*NEEDED_COLUMNS, *runs.attrs.get(KEYS, ())])
    missing = [name for name in needed if name not in runs]
    if missing:
        columns = abbreviate(missing, most=LISTED_COLUMNS)
        raise ConfigError(
            f"runs: lacks the columns {columns}; allowed: rows that load_runs returned, with these"
            " columns"
        )
    if runs.empty:
        raise ConfigError("runs: has no rows; allowed: at least one run")
    _check_keys_distinguish(runs)
    curves = pd.DataFrame(columns=[*RUN_COLUMNS, ITERATION, TRAINING_ERROR, TEST_ERROR])
    excluded = tuple(runs.attrs.get(EXCLUDED, ()))
    error_kind = str(runs.attrs.get(ERROR_KIND) or _find_error_kind(runs))
    completed = complete_columns(restore_prefix(runs)).reset_index(drop=True)
    return Frame(completed, curves, excluded, error_kind)


def check_keys_are_present(table: pd.DataFrame, name: str) -> None:
    """Raise ConfigError if a loaded table lacks keys by which its runs are distinguished.

    `name`: what the message calls the table.
    """
    missing = [key for key in table.attrs.get(KEYS, ()) if key not in table]
    if missing:
        columns = abbreviate(missing, most=LISTED_COLUMNS)
        raise ConfigError(
            f"{name}: lacks the columns {columns}; allowed: rows that were loaded, with all columns"
            " of the configuration"
        )


def _check_keys_distinguish(runs: pd.DataFrame) -> None:
    """Raise ConfigError if runs with different ids have equal keys: a column has been dropped.

    Pandas drops `attrs` when it merges or reads tables; the ids remain.
    """
    keys = [key for key in list_keys(runs) if key != "seed"]
    setting = ["family", "depth", "seed", *keys]
    setting += ["numerics_version"] if "numerics_version" in runs else []
    distinct = runs.drop_duplicates(["run_id", *setting])
    equal = distinct[distinct.duplicated(setting, keep=False)]
    if len(equal):
        _, group = next(iter(equal.groupby(setting, dropna=False, sort=False)))
        names = " and ".join(map(str, group["run_id"].head(2)))
        raise ConfigError(
            f"runs: {names} have equal keys, but are different runs; allowed: rows that load_runs"
            " returned, with all columns of the configuration"
        )


def _find_error_kind(runs: pd.DataFrame) -> str:
    """Return which error `training_error` is; tables with different `attrs` have none if joined."""
    done = runs[runs["state"] == State.DONE]
    for kind, metric in TRAINING_ERRORS.items():
        if metric in done and done[TRAINING_ERROR].eq(done[metric]).all():
            return kind
    return "clean"


def _load(
    record_root: Path | str, where: str | None, training_error: str, with_probes: bool = False
) -> Frame:
    """Return the frame of the selected runs, and warn if something is excluded."""
    if training_error not in TRAINING_ERRORS:
        allowed = ", ".join(TRAINING_ERRORS)
        raise ConfigError(
            f"training_error: {quote(training_error)} is not allowed; allowed: {allowed}"
        )
    frame = load_where(record_root, where, training_error, with_probes=with_probes)
    if frame.excluded:
        count = len(frame.excluded)
        warnings.warn(
            f"{format_count(count, 'record or part of one', 'records or parts of records')}"
            f" cannot be used, such as {frame.excluded[0]};"
            f" attrs[{EXCLUDED!r}] lists all",
            stacklevel=3,
        )
    nested = describe_nested_records(record_root)
    if nested is not None:
        warnings.warn(nested, stacklevel=3)
    return frame


def _read_rows(record_root: Path | str, run_id: str) -> pd.DataFrame:
    """Return all metrics of one run, whose invalid rows the frame has excluded already."""
    excluded: list[str] = []
    rows: list[Row] = read_metrics(CachedRecord(record_root, run_id), excluded)
    table = pd.DataFrame(rows, columns=None if rows else [*METRICS])
    return table.assign(run_id=run_id)


def _add_keys(rows: pd.DataFrame, runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Add columns of the runs, and all keys, to rows that have a `run_id`. Raises ConfigError."""
    named = drop_prefix(runs).set_index("run_id")
    for key in keys:
        if key not in named:
            allowed = ", ".join(map(str, named))
            raise ConfigError(f"keys: {quote(key)} is not a column of the runs; allowed: {allowed}")
    version = ["numerics_version"] if "numerics_version" in named else []
    wanted = dict.fromkeys([*keys, *list_keys(named), *version])
    added = [key for key in wanted if key not in rows]
    return rows.join(named[added], on="run_id")


def _describe(table: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """Return the table with its `attrs`."""
    attributes: dict[Any, Any] = {
        EXCLUDED: frame.excluded,
        ERROR_KIND: frame.error_kind,
        KEYS: tuple(list_keys(table)),
    }
    table.attrs = attributes
    return table
