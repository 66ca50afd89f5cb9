"""Read one record into its row of `Frame.runs` and its learning curve.

A record that is missing, unfinished or corrupt yields a row too, with its state and the reason, so
that no run disappears silently from a report.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import error_resolution
from analysis.columns import (
    CHANCE,
    CODE_CHANGE,
    CODE_STATE,
    END_TIME,
    ENDED_AT,
    ERROR_STEP,
    FINISHED_STATES,
    LAST_LR,
    PUBLISHED_CHANGE,
    TEST_STEP,
    TRAIN_IMAGES,
    TRAINING_ERROR,
    TRAINING_ERROR_AT_START,
)
from degradation.checksums import Row
from degradation.config import evaluation_iterations
from degradation.config.errors import escape, is_single_line
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    LR,
    METRICS,
    PERCENT,
    RUNNING_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
    TEST_LOSS,
    is_percentage,
)
from degradation.records import row_validation
from degradation.records.cached_reader import CachedRecord
from degradation.records.config_validation import config_columns
from degradation.records.metadata import COMPLEXITY_COLUMNS
from degradation.records.metadata_validation import find_metadata_problem
from degradation.records.schema import (
    ATTEMPTS_FILE,
    DONE_FILE,
    METRICS_FILE,
    REASON,
    RUN_FILE,
    SECONDS,
    RecordError,
    State,
)
from degradation.records.trained_code import CodeState, TrainedCode, read_trained_code
from degradation.records.valid_rows import read_rows
from degradation.run_id import HASH_DEFAULTS

Curve = dict[str, NDArray[Any]]  # column: one value per evaluation of a run
CURVE_METRICS = (CLEAN_ERROR, AUGMENTED_ERROR, RUNNING_ERROR, TEST_ERROR, CLEAN_LOSS, TEST_LOSS)
EMPTY_CURVE: Curve = {
    ITERATION: np.empty(0, int),
    TRAINING_ERROR: np.empty(0),
    **{name: np.empty(0) for name in CURVE_METRICS},
}


def read_run(
    record: CachedRecord, expected: Row, metric: str, excluded: list[str]
) -> tuple[Row, Curve]:
    """Return the row and the curve of one run, whatever the state of its record.

    Args:
        record: the record, which may be missing or corrupt.
        expected: what is known without the record: `run_id`, and `family`, `config` and
            `trained_code` if known.
        metric: the metric that is the training error, such as `train/clean_error`.
        excluded: receives one line per file or group of rows that cannot be used.

    The row lacks `family` if neither the record nor `expected` has the configuration.
    """
    row: Row = {"run_id": expected["run_id"]}
    try:
        state, metadata = _read_metadata(record, expected, excluded)
        attempts = read_rows(record, ATTEMPTS_FILE, row_validation.find_attempt_problem, excluded)
        row |= _summarise_attempts(attempts)
    # ValueError: the manifest names a file that no file system accepts.
    except (RecordError, OSError, ValueError) as error:
        state, metadata = State.FAILED, expected
        row["reason"] = escape(str(error))
        if "config" in expected:
            excluded.append(f"{expected['run_id']}: {row['reason']}")
    row["state"] = str(state)
    if "config" not in metadata:
        return row, EMPTY_CURVE
    row |= _describe_run(metadata)
    if state in FINISHED_STATES:
        row |= _describe_code(record, expected, metadata["config"])
    row |= _describe_scale(metadata, metric)
    is_verified = state in FINISHED_STATES and record.is_listed(METRICS_FILE)
    metrics = read_metrics(record, excluded, is_verified=is_verified)
    if metrics and metrics[0][ITERATION] == 0:
        # If `metric` is the running error, this is None: the network has not been trained yet.
        row[TRAINING_ERROR_AT_START] = metrics[0].get(metric)
    defect = _find_defect(state, metadata, metrics)
    if defect:
        state = State.FAILED
        row |= {"state": str(state), "reason": f"{record.folder}: {defect}"}
    curve = _build_curve(metrics, metric)
    return _add_result(row, curve, state, metadata["config"], metrics, metric)


def _read_metadata(record: CachedRecord, expected: Row, excluded: list[str]) -> tuple[State, Row]:
    """Return the run's state, and `expected` completed by run.json.

    Raises RecordError, OSError or ValueError if the record cannot be used.
    """
    if not is_single_line(record.run_id):
        raise RecordError("its folder's name is not a valid run id")
    state = record.state()
    if not record.exists(RUN_FILE):
        return state, expected
    metadata = record.read_metadata()
    problem = find_metadata_problem(metadata, record.run_id, expected.get("config"))
    if problem:
        raise RecordError(f"{record.path(RUN_FILE)}: {problem}")
    had_finished = record.exists(DONE_FILE)
    if had_finished and state not in (*FINISHED_STATES, State.RUNNING):
        mismatch = record.find_mismatch()
        line = f"{record.run_id}: {mismatch}; it counts as {state} until it is retrained"
        excluded.append(escape(line))
    return state, expected | metadata


def read_metrics(
    record: CachedRecord, excluded: list[str], *, is_verified: bool = False
) -> list[Row]:
    """Return the valid evaluations, up to the first invalid one.

    `excluded` receives one line if there is an invalid one. `is_verified` is that of `read_rows`.
    """
    return read_rows(
        record,
        METRICS_FILE,
        row_validation.find_metrics_problem,
        excluded,
        sequential=True,
        are_all_valid=row_validation.are_valid_metrics_rows,
        is_verified=is_verified,
    )


def _describe_run(metadata: Row) -> Row:
    """Return the columns that run.json determines: network, data, complexity, configuration."""
    config = metadata["config"]
    row = {
        "family": metadata["family"],
        "depth": config["model"]["depth"],
        "shortcut": config["model"]["shortcut"],
        "seed": config["seed"],
        "data": config["data"]["name"],
    }
    census = metadata.get("census", {})
    row |= {name: census[name] for name in COMPLEXITY_COLUMNS if name in census}
    # Older records lack keys that were added later; the defaults say what the code did then.
    # A mapping, such as that of a block's options, has a column per entry, and by default none.
    defaults = {key: value for key, value in HASH_DEFAULTS.items() if not isinstance(value, dict)}
    row |= {f"config.{key}": value for key, value in defaults.items()}
    return row | config_columns(config)


def _describe_code(record: CachedRecord, expected: Row, config: Row) -> Row:
    """Return whether the current code gives the numbers of a finished run, and why not."""
    trained: TrainedCode = expected.get("trained_code") or read_trained_code(record, config)
    row: Row = {CODE_STATE: str(trained.state)}
    if trained.state is CodeState.OUTDATED:
        row[CODE_CHANGE] = escape(trained.describe_change())
    if trained.published_state is not None:
        is_known = trained.relation is not None
        row[PUBLISHED_CHANGE] = "" if is_known else escape(trained.describe_change())
    return row


def _describe_scale(metadata: Row, metric: str) -> Row:
    """Return the chance error, the resolution of each error and the number of training images.

    Empty if the run ended before it read its data.
    """
    if "data" not in metadata:
        return {}
    return {
        CHANCE: error_resolution.chance_error(metadata),
        ERROR_STEP: error_resolution.training_error_resolution(metadata, metric),
        TEST_STEP: error_resolution.test_error_resolution(metadata),
        TRAIN_IMAGES: metadata["data"].get("train"),
    }


def _find_defect(state: State, metadata: Row, metrics: list[Row]) -> str | None:
    """Return why the record of a finished run cannot be used, or None if it can."""
    if state not in FINISHED_STATES:
        return None
    if "data" not in metadata:
        return f"{RUN_FILE} does not exist"
    if state is State.DONE and not metrics:
        return f"{METRICS_FILE} has no valid rows"
    return None


def _build_curve(metrics: list[Row], metric: str) -> Curve:
    """Return the iterations and metrics of all evaluations; unknown values are NaN."""
    return {
        ITERATION: np.array([row[ITERATION] for row in metrics], int),
        TRAINING_ERROR: np.array([row.get(metric) for row in metrics], float),
        **{name: np.array([row.get(name) for row in metrics], float) for name in CURVE_METRICS},
    }


def _add_result(
    row: Row, curve: Curve, state: State, config: Row, metrics: list[Row], metric: str
) -> tuple[Row, Curve]:
    """Return the row with the result of the last iteration, and the curve up to the end."""
    if state is State.DIVERGED:
        # A result, not a gap: excluding it would flatter the networks that diverge.
        chance = row[CHANCE]
        names = {TRAINING_ERROR, CLEAN_ERROR, TEST_ERROR, *_list_measured_errors(metrics)}
        return row | dict.fromkeys(names, chance), _continue_at_chance(curve, config, chance)
    if state is State.DONE:
        last = dict(metrics[-1])
        row[LAST_LR] = last.pop(LR, None)
        return row | last | {TRAINING_ERROR: last.get(metric)}, curve
    if metrics:
        return row | {ITERATION: metrics[-1][ITERATION]}, curve
    return row, curve


def _list_measured_errors(metrics: list[Row]) -> set[str]:
    """Return the errors that the evaluations have measured, except those of several guesses."""
    measured = {name for row in metrics for name in row}
    errors = {name for name, metric in METRICS.items() if metric.unit == PERCENT}
    return (measured & errors) - {TEN_CROP_TOP5_ERROR}


def _continue_at_chance(curve: Curve, config: Row, chance: float) -> Curve:
    """Return the curve of a diverged run, continued through its remaining evaluations.

    Its errors are at chance there, and its losses are unknown.
    """
    reached = curve[ITERATION][-1] if len(curve[ITERATION]) else 0
    schedule = config["schedule"]
    evaluations = evaluation_iterations(schedule["iterations"], schedule["evaluate_every"])
    remaining = np.array([iteration for iteration in evaluations if iteration > reached], int)
    continued = {ITERATION: np.concatenate([curve[ITERATION], remaining])}
    for name in (TRAINING_ERROR, *CURVE_METRICS):
        is_error = name == TRAINING_ERROR or is_percentage(name)
        filling = np.full(len(remaining), chance if is_error else np.nan)
        continued[name] = np.concatenate([curve[name], filling])
    return continued


def _summarise_attempts(attempts: list[Row]) -> Row:
    """Return where and for how long a run was trained, and how its last attempt ended."""
    starts = [attempt for attempt in attempts if "start" in attempt]
    if not starts:
        return {}
    latest = starts[-1]
    devices = [escape(start["device"]) for start in starts]
    threads = [str(start["threads"]) for start in starts if "threads" in start]
    torch_versions = [escape(start["versions"].get("torch") or "") for start in starts]
    row: Row = {
        "device": _join_distinct(devices),
        "commit": _escape_optional(latest["commit"]),
        "versions": {
            escape(name): _escape_optional(version) for name, version in latest["versions"].items()
        },
        "attempts": len(starts),
        "seconds": sum(_duration_s(before, after) for before, after in pairwise(attempts)),
        "threads": _join_distinct(threads) or None,
        "torch": _join_distinct(list(filter(None, torch_versions))) or None,
        ENDED_AT: attempts[-1].get(ITERATION),
        END_TIME: attempts[-1].get("end"),
    }
    if REASON in attempts[-1]:
        row["reason"] = escape(attempts[-1][REASON])
    return row


def format_versions(versions: dict[str, str | None]) -> str:
    """Return the versions of libraries as text, such as `python 3.12.4, torch 2.14.0`."""
    return ", ".join(f"{library} {version}" for library, version in versions.items())


def _join_distinct(values: list[str]) -> str:
    """Join the distinct values in order, such as `cpu + cuda: NVIDIA H100`."""
    return " + ".join(dict.fromkeys(values))


def _escape_optional(text: str | None) -> str | None:
    return None if text is None else escape(text)


def _duration_s(before: Row, after: Row) -> float:
    """Return the duration that two consecutive rows give, or 0 unless the second ends an attempt.

    Records of earlier releases have wall-clock times only, and the clock may have been set back.
    """
    if "end" not in after:
        return 0.0
    if SECONDS in after:
        return float(after[SECONDS])
    return max(0.0, after["end"] - before["start"]) if "start" in before else 0.0
