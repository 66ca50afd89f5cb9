"""Check whether the current code still reproduces the numbers of a recorded run.

If the hash of the code differs (`degradation.numerical_code`), the run's first updates are
recomputed and compared with the recorded ones. Records from earlier releases lack them; for those,
the first evaluation is repeated if it came early.

Limit: the comparison misses changes that take effect only later in training and affect neither the
first updates nor the learning rates.
"""

import logging
import math
import pickle
import platform
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from degradation.checksums import Row
from degradation.config import Config, evaluation_iterations
from degradation.data.datasets import load_dataset
from degradation.data.fingerprint import data_fingerprint
from degradation.errors import UserError
from degradation.metrics import ITERATION
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, CODE_FILE, METRICS_FILE
from degradation.records.trained_code import (
    ENVIRONMENT,
    NUMBERS,
    CodeState,
    Relation,
    TrainedCode,
    append_comparison,
    build_code_row,
    read_trained_code,
)
from degradation.run_id import hashed_values
from degradation.training.device import choose_device, make_reproducible
from degradation.training.events import Metrics
from degradation.training.first_updates import Numbers, measure_first_updates
from degradation.training.trainer import Trainer, fit

log = logging.getLogger(__name__)

# The first evaluation of an earlier release's record is repeated if it came this early.
MAX_REPEATED_ITERATIONS = 100
# The same code gives slightly different numbers on another machine, so there a smaller relative
# difference is no evidence of a change.
MAX_ROUNDING_DIFFERENCE = 0.01


def record_trained_code(config: Config, record: Record, device: torch.device) -> None:
    """Write code.jsonl for a run whose training starts now, from scratch."""
    values = hashed_values(config, data_fingerprint(config.data))
    row = build_code_row(read_trained_code(record, values).hashes, Relation.TRAINED)
    row[NUMBERS] = measure_first_updates(config, load_dataset(config.data), device)
    row[ENVIRONMENT] = describe_machine(config, device)
    record.rewrite_rows(CODE_FILE, [row])


def verify_trained_code(config: Config, record: Record) -> TrainedCode:
    """Return what is known about the code that trained a run, after comparing it in this process.

    The result is recorded, so that each version of the code is compared once.
    """
    values = hashed_values(config, data_fingerprint(config.data))
    trained = read_trained_code(record, values)
    if trained.state is not CodeState.UNVERIFIED:
        return trained
    relation = compare_numbers(config, record, trained)
    return trained if relation is None else append_comparison(record, trained, relation)


def compare_numbers(config: Config, record: Record, trained: TrainedCode) -> Relation | None:
    """Compute the first numbers of a run with the current code, and compare them with its record.

    Returns None if nothing can be decided: the record does not hold the numbers, or they were
    computed on another machine and differ by no more than rounding can explain.

    Raises ConfigError, DataError and RecordError.
    """
    device = choose_device(config.device)
    make_reproducible(config.threads)
    present = describe_machine(config, device)
    row = trained.trained_row
    if row is not None:
        recorded, environment = row.get(NUMBERS, {}), row.get(ENVIRONMENT, {})
        numbers = measure_first_updates(config, load_dataset(config.data), device)
        return compare(recorded, numbers, is_same_machine=environment == present)
    first = _find_early_evaluation(config, record)
    if first is None:
        return None
    repeated = _repeat_first_evaluation(config, device)
    return compare(
        _to_numbers(first),
        _to_numbers(repeated),
        is_same_machine=_was_trained_here(config, record, device),
    )


def compare(recorded: Numbers, computed: Numbers, *, is_same_machine: bool) -> Relation | None:
    """Compare recorded numbers with those that the current code computes; None: undecided.

    On the same machine, the same code gives the same bits. On another one, a small difference may
    be rounding, so it decides nothing. Only numbers that both have are compared, since another
    release may have measured more or fewer.
    """
    names = recorded.keys() & computed.keys()
    if not names:
        return None
    if all(recorded[name] == computed[name] for name in names):
        return Relation.EQUAL
    difference = max(_largest_difference(recorded[name], computed[name]) for name in names)
    if is_same_machine or difference > MAX_ROUNDING_DIFFERENCE:
        return Relation.DIFFERENT
    return None


def _largest_difference(before: Sequence[float | None], after: Sequence[float | None]) -> float:
    """Return the largest relative difference, or infinity if the numbers do not correspond."""
    if len(before) != len(after):
        return math.inf
    return max(map(_relative_difference, before, after), default=0.0)


def _relative_difference(before: float | None, after: float | None) -> float:
    if before is None or after is None:
        return 0.0 if before is after else math.inf
    largest = max(abs(before), abs(after))
    return abs(before - after) / largest if largest else 0.0


def describe_machine(config: Config, device: torch.device) -> Row:
    """Return what rounding depends on: the device, the number of threads and the libraries."""
    is_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if is_gpu else device.type,
        "processor": "" if is_gpu else _name_processor(),
        "threads": config.threads,
        "torch": torch.__version__,
    }


def _name_processor() -> str:
    """Return the model of the CPU, or its architecture where the system does not name the model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _find_early_evaluation(config: Config, record: Record) -> Row | None:
    """Return the row of the first evaluation during training if repeating it is cheap."""
    first = next(evaluation_iterations(config.schedule.iterations, config.schedule.evaluate_every))
    if first > MAX_REPEATED_ITERATIONS or config.model.grown_from is not None:
        return None
    for row in record.valid_prefix(METRICS_FILE):
        if row[ITERATION] == first:
            return row
    return None


def _repeat_first_evaluation(config: Config, device: torch.device) -> Row:
    """Train to the first evaluation, and return its row; empty if the loss is not finite."""
    trainer = Trainer(config, load_dataset(config.data), device)
    for event in fit(trainer):
        if isinstance(event, Metrics):
            return event.row
    return {}


def _to_numbers(row: Row) -> Numbers:
    """Return the metrics of a row in the form that `compare` takes."""
    return {name: [value] for name, value in row.items()}


def _was_trained_here(config: Config, record: Record, device: torch.device) -> bool:
    """Return whether all attempts at a run were made on this machine, with the same libraries."""
    starts = [row for row in record.valid_rows(ATTEMPTS_FILE) if "start" in row]
    return bool(starts) and all(_is_here(start, config, device) for start in starts)


def _is_here(start: Row, config: Config, device: torch.device) -> bool:
    versions = start.get("versions", {})
    return (
        start.get("host") == socket.gethostname()
        and str(start.get("device", "")).startswith(device.type)
        and start.get("threads", config.threads) == config.threads
        and versions.get("torch") == version("torch")
    )


def main() -> None:
    """Compare the runs whose pickled (Config, Record) arrive on stdin; print one result per line.

    `degradation.sweep.code_states` starts this in a separate process, so that the process that
    starts a sweep need not import torch.
    """
    while True:
        try:
            config, record = pickle.load(sys.stdin.buffer)
        except (EOFError, KeyboardInterrupt):
            return
        values = hashed_values(config, data_fingerprint(config.data))
        try:
            relation = compare_numbers(config, record, read_trained_code(record, values))
        except (UserError, OSError) as error:
            # a machine that cannot run the configuration cannot compare it either
            log.warning("%s: cannot be compared: %s", record.run_id, error)
            relation = None
        print(relation or "", flush=True)


if __name__ == "__main__":
    main()
