"""Records written by hand, without training."""

from degradation.records.manifest import build_manifest
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, RUN_FILE, State

CONFIG = {
    "model": {"depth": 20, "shortcut": "none"},
    "seed": 0,
    "data": {"name": "digits"},
    "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
}

# What `write_distinct_record` writes: all numbers differ, so none can be mistaken for another.
DISTINCT_CONFIG = {
    "model": {"depth": 26, "shortcut": "B"},
    "seed": 7,
    "data": {"name": "digits"},
    "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
}
DISTINCT_DATA = {"name": "digits", "classes": 10, "train": 800, "test": 250, "commonest": 96}
DISTINCT_CENSUS = {"parameters": 1234, "multiply_adds": 5678, "activations": 91}
DISTINCT_ATTEMPT = {
    "attempt": 1,
    "start": 10.0,
    "device": "cuda: X",
    "threads": 3,
    "commit": "abc",
    "versions": {"torch": "2.0"},
}
DISTINCT_LAST_ROW = {
    "iteration": 120,
    "lr": 0.013,
    "train/running_error": 21.5,
    "train/running_loss": 0.62,
    "train/augmented_error": 17.25,
    "train/augmented_loss": 0.51,
    "train/clean_error": 12.75,
    "train/clean_loss": 0.43,
    "test/error": 33.125,
    "test/loss": 0.94,
}


def write_record(
    root, run_id, outcome=None, errors=(30.0, 10.0), family="plain", images=None, **config
):
    """Write a record with evaluations at 40, 80, ... and return what `analysis.frame.load` expects.

    Args:
        root: the folder of the records.
        run_id: the run's id.
        outcome: the state that the run ends in, or None for a run that has not ended.
        errors: the clean training error of each evaluation; the test error is one point higher.
        family: the run's family.
        images: what run.json says of the data besides its classes.
        config: sections of the configuration that replace those of CONFIG.
    """
    record = Record(root, run_id)
    metadata = {
        "run_id": run_id,
        "family": family,
        "config": {**CONFIG, **config},
        "data": {"name": "digits", "classes": 10, **(images or {})},
        "census": {"parameters": 1, "multiply_adds": 2},
    }
    checksum = record.write_metadata(metadata)
    start = {"attempt": 1, "start": 10.0, "device": "cpu", "commit": "c", "versions": {}}
    record.append(ATTEMPTS_FILE, start)
    for number, error in enumerate(errors, start=1):
        row = {
            "iteration": 40 * number,
            "train/clean_error": error,
            "train/clean_loss": 0.1,
            "test/error": error + 1,
            "lr": 0.1,
        }
        record.append(METRICS_FILE, row)
    if outcome is not None:
        record.append(ATTEMPTS_FILE, {"attempt": 1, "end": 15.0, "outcome": str(outcome)})
    if outcome not in (None, State.FAILED):
        _finish(record, outcome, checksum)
    return {"run_id": run_id}


def write_distinct_record(root, outcome, rows=3, with_start=False):
    """Write a record whose numbers all differ and return what `analysis.frame.load` expects.

    It has three evaluations. The last one is DISTINCT_LAST_ROW; those before are higher by 1 and 2
    in every number.

    Args:
        root: the folder of the records.
        outcome: the state that the run ends in, or None for a run that has not ended.
        rows: how many of the evaluations are recorded.
        with_start: whether an evaluation before the first update is recorded.
    """
    record = Record(root, "distinct")
    metadata = {
        "run_id": "distinct",
        "family": "residual",
        "config": DISTINCT_CONFIG,
        "data": DISTINCT_DATA,
        "census": DISTINCT_CENSUS,
    }
    checksum = record.write_metadata(metadata)
    record.append(ATTEMPTS_FILE, DISTINCT_ATTEMPT)
    if with_start:
        known = [key for key in DISTINCT_LAST_ROW if "running" not in key and key != "lr"]
        start = {key: DISTINCT_LAST_ROW[key] + 30 for key in known}
        record.append(METRICS_FILE, start | {"iteration": 0})
    for number in range(1, rows + 1):
        row = {key: value + (3 - number) for key, value in DISTINCT_LAST_ROW.items()}
        record.append(METRICS_FILE, row | {"iteration": 40 * number})
    end = {"attempt": 1, "end": 15.0, "seconds": 4.5}
    if outcome is not None:
        end["outcome"] = str(outcome)
    if outcome is State.DIVERGED:
        end |= {"iteration": 97, "reason": "the loss is not finite"}
    record.append(ATTEMPTS_FILE, end)
    if outcome is not None:
        _finish(record, outcome, checksum)
    return {"run_id": "distinct"}


def _finish(record, outcome, checksum):
    rows = record.valid_prefix(METRICS_FILE)
    record.finish(build_manifest(outcome, 120, {RUN_FILE: checksum}, rows, []))
