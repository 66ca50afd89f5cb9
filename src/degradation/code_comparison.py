"""Check whether the current code still reproduces the numbers of a recorded run.

If the hash of the code differs (`degradation.numerical_code`), the run's first updates are
recomputed and compared with the recorded ones. Records from earlier releases lack them; for those,
the first evaluation is repeated if it came early.

Limit: the comparison misses changes that take effect only later in training and affect neither the
first updates nor the learning rates.
"""

import json
import logging
import math
import os
import pickle
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version

import torch

from degradation.checksums import Row
from degradation.config import Config, ConfigError, evaluation_iterations
from degradation.data.datasets import load_dataset
from degradation.data.downloads import find_file_set
from degradation.data.fingerprint import data_fingerprint
from degradation.errors import format_exception_line
from degradation.metrics import ITERATION
from degradation.numerical_code import hash_package, list_edited_files
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, CODE_FILE, METRICS_FILE
from degradation.records.trained_code import (
    ENVIRONMENT,
    NUMBERS,
    CodeState,
    Relation,
    TrainedCode,
    add_comparison,
    build_code_row,
    read_trained_code,
)
from degradation.run_id import hashed_values
from degradation.training.device import choose_device, make_reproducible
from degradation.training.events import Metrics
from degradation.training.first_updates import Numbers, measure_first_updates
from degradation.training.machine import describe_machine, name_device
from degradation.training.trainer import Trainer, fit

log = logging.getLogger(__name__)

# The first evaluation of an earlier release's record is repeated if it came this early.
MAX_REPEATED_ITERATIONS = 100
# The same code gives slightly different numbers on another machine, so there a smaller relative
# difference of the first loss, before any update, is not evidence of a change.
MAX_ROUNDING_DIFFERENCE = 0.01


@dataclass(frozen=True)
class CodeComparison:
    """What a comparison has shown.

    Attributes:
        relation: how the current code relates to the run; None if nothing could be decided.
        is_final: whether this holds on every machine, so that it may be recorded. That numbers
            differ is final only on the machine that trained the run.
    """

    relation: Relation | None = None
    is_final: bool = False


UNDECIDED = CodeComparison()


# Hash the code now, while the files are those that were imported; they may be edited later.
hash_package()


def check_code_is_current(run_id: str) -> None:
    """Raise ConfigError if the training code has been edited since this process imported it.

    A sweep imports the code once for all of its runs. What is edited meanwhile would not be
    executed, or only partly, and the record would name the edited code.
    """
    edited = list_edited_files()
    if edited:
        raise ConfigError(
            f"{run_id}: {', '.join(edited)} was edited after this command had imported the code;"
            " start the command again, so that one version of the code trains each run"
        )


def record_trained_code(
    config: Config, record: Record, device: torch.device, *, is_shared: bool
) -> None:
    """Write code.jsonl for a run whose training starts now, from scratch.

    Args:
        is_shared: several processes share the run, so its batches may be too large for one of them.
            The first updates are then not measured, and only the hashes can show that the code is
            the same.
    """
    values = hashed_values(config, data_fingerprint(config.data))
    row = build_code_row(read_trained_code(record, values).hashes, Relation.TRAINED)
    if not is_shared:
        try:
            dataset = load_dataset(config.data)
            row[NUMBERS] = measure_first_updates(config, dataset, device)
            row[ENVIRONMENT] = describe_machine(device, config.threads)
        except torch.OutOfMemoryError:
            log.warning("%s: too little memory to measure its first updates", record.run_id)
    record.rewrite_rows(CODE_FILE, [row])


def verify_trained_code(config: Config, record: Record) -> TrainedCode:
    """Return what is known about the code that trained a run, after comparing it in this process.

    A final result is recorded, so that each version of the code is compared once.
    """
    values = hashed_values(config, data_fingerprint(config.data))
    trained = read_trained_code(record, values)
    if trained.state is not CodeState.UNVERIFIED:
        return trained
    comparison = compare_numbers(config, record, trained)
    if comparison.relation is None:
        return trained
    return add_comparison(record, trained, comparison.relation, write=comparison.is_final)


def compare_numbers(config: Config, record: Record, trained: TrainedCode) -> CodeComparison:
    """Compute the first numbers of a run with the current code, and compare them with its record.

    Nothing can be decided if the record does not hold the numbers, if they are from another type of
    device or differ by no more than rounding can explain, or if this machine lacks the data or
    cannot run the code. Nothing is downloaded.
    """
    files = find_file_set(config.data)
    if files is not None and not files.is_present():
        return UNDECIDED
    try:
        row = trained.trained_row
        if row is not None:
            return _compare_first_updates(config, row)
        return _compare_first_evaluation(config, record)
    except Exception as error:  # changed code may raise anything
        reason = format_exception_line(error)
        log.warning("%s: cannot be compared with the current code (%s)", record.run_id, reason)
        return UNDECIDED


def _compare_first_updates(config: Config, row: Row) -> CodeComparison:
    """Repeat the first updates as the record describes them, if it holds their numbers."""
    recorded, environment = row.get(NUMBERS), row.get(ENVIRONMENT, {})
    if recorded is None:
        return UNDECIDED
    device = _find_device(str(environment.get("device", "")))
    if device is None:
        return UNDECIDED
    threads = environment.get("threads", config.threads)
    make_reproducible(threads, config.precision)
    try:
        numbers = measure_first_updates(config, load_dataset(config.data), device)
    finally:
        make_reproducible(config.threads, config.precision)
    is_same_machine = environment == describe_machine(device, threads)
    # otherwise the same code may give other bits
    is_same_machine &= config.precision.deterministic
    return compare(recorded, numbers, is_same_machine=is_same_machine)


def _compare_first_evaluation(config: Config, record: Record) -> CodeComparison:
    """Repeat the first evaluation of a record of an earlier release, if it came early."""
    first = _find_early_evaluation(config, record)
    starts = [row for row in record.valid_rows(ATTEMPTS_FILE) if "start" in row]
    if first is None or not starts:
        return UNDECIDED
    device = _find_device(str(starts[0].get("device", "")))
    if device is None:
        return UNDECIDED
    make_reproducible(config.threads, config.precision)
    repeated = _repeat_first_evaluation(config, device)
    is_same_machine = all(_was_made_here(start, config, device) for start in starts)
    return compare(_to_numbers(first), _to_numbers(repeated), is_same_machine=is_same_machine)


def _find_device(recorded: str) -> torch.device | None:
    """Return this machine's device of the type that a record names, or None if there is none."""
    try:
        return choose_device(recorded.partition(":")[0])
    except ConfigError:
        return None


def compare(recorded: Numbers, computed: Numbers, *, is_same_machine: bool) -> CodeComparison:
    """Compare recorded numbers with those that the current code computes.

    On the same machine, the same code gives the same bits. On another one, rounding may differ, and
    deep plain networks amplify it, so only the learning rates and the first loss count there. Only
    numbers that both have are compared, since another release may have measured more or fewer.
    """
    names = recorded.keys() & computed.keys()
    if not names:
        return UNDECIDED
    if all(recorded[name] == computed[name] for name in names):
        return CodeComparison(Relation.EQUAL, is_final=True)
    if is_same_machine:
        return CodeComparison(Relation.DIFFERENT, is_final=True)
    differences = [0.0]
    if "rates" in names:
        differences.append(_largest_difference(recorded["rates"], computed["rates"]))
    if "losses" in names:
        differences.append(_largest_difference(recorded["losses"][:1], computed["losses"][:1]))
    is_different = max(differences) > MAX_ROUNDING_DIFFERENCE
    return CodeComparison(Relation.DIFFERENT) if is_different else UNDECIDED


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
    # so few iterations are not worth checking that CUDA graphs may be used
    trainer = Trainer(replace(config, cuda_graphs=False), load_dataset(config.data), device)
    for event in fit(trainer):
        if isinstance(event, Metrics):
            return event.row
    return {}


def _to_numbers(row: Row) -> Numbers:
    """Return the metrics of a row in the form that `compare` takes."""
    return {name: [value] for name, value in row.items()}


def _was_made_here(start: Row, config: Config, device: torch.device) -> bool:
    """Return whether an attempt was made on this machine, alone and with the same libraries."""
    return bool(
        start.get("host") == socket.gethostname()
        and start.get("device") == name_device(device)
        and start.get("threads", config.threads) == config.threads
        and start.get("processes", 1) == 1
        and start.get("versions", {}).get("torch") == version("torch")
    )


def main() -> None:
    """Compare the runs whose pickled (Config, Record) arrive on stdin; print a line for each.

    A line is JSON: the relation, whether it is final, and whether this process holds memory of a
    GPU. `sweep.code_states` starts this in a separate process, so that the process that starts a
    sweep need not import torch.
    """
    # What a user's code prints must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            config, record = pickle.load(sys.stdin.buffer)
        except (EOFError, KeyboardInterrupt):
            return
        values = hashed_values(config, data_fingerprint(config.data))
        comparison = compare_numbers(config, record, read_trained_code(record, values))
        answer = {**asdict(comparison), "holds_gpu": torch.cuda.memory_reserved() > 0}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
