"""What a sweep costs before it starts: iterations, multiply-adds, hours and disk space."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from degradation.config import Config, Data, Model, evaluation_iterations, family
from degradation.data.datasets import find_image_shape
from degradation.metrics import ITERATION
from degradation.models.build import build_network
from degradation.models.complexity import measure_complexity
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import (
    ATTEMPTS_FILE,
    DEVICE,
    OUTCOME,
    SECONDS,
    RecordError,
    State,
)
from degradation.records.trained_code import CodeState
from degradation.registry import OPTIMIZERS
from degradation.sweep.code_states import verify_in_subprocess
from degradation.sweep.jobs import count_recorded_iterations
from degradation.sweep.runs import SweepRun
from degradation.training.serialization import copy_weights, dump

# An iteration costs a forward pass and a backward pass, which costs twice as much: gradients with
# respect to the activations, and with respect to the weights.
PASSES = 3
# Multiply-adds per second of a device without any recorded run. CPU: one core of an AMD EPYC
# (experiments/ledger/bench/step.csv: residual-20, fp32, 32x32 pixels, without evaluations). CUDA:
# half of what an H200 does in fp32 (check-gpu.txt in the same folder). MPS: a guess, a tenth of
# what data sheets state.
ASSUMED_SPEEDS = {"cpu": 40e9, "mps": 300e9, "cuda": 1000e9}
DATA_KEYS = ("name", "size", "root")  # keys of data that determine the shape of the images
ROW_BYTES = 450  # size of a row of metrics.jsonl
REPLACEMENT_FACTOR = 2  # a new checkpoint exists beside the old one until it replaces it


@dataclass(frozen=True)
class MeasuredRate:
    """The speed of a recorded run, including everything that a run does besides training."""

    multiply_adds: int  # those of the network, for one image forward
    rate: float  # multiply-adds per second, forward and backward


@dataclass(frozen=True)
class NetworkSize:
    """What a network costs to evaluate and to store."""

    multiply_adds: int  # those for one image forward
    weights_bytes: int  # size of a file of its weights


@dataclass(frozen=True)
class RunCost:
    """What one run of a sweep still costs."""

    family: str
    depth: int
    state: State
    iterations: int
    remaining_iterations: int
    multiply_adds: int  # those for one image forward
    work: float  # multiply-adds of the remaining iterations, forward and backward
    seconds: float  # time of the remaining iterations; NaN if no multiply-adds are counted
    record_bytes: int  # size of the finished record
    checkpoint_bytes: int  # size of its checkpoint, in addition, while the run is trained


def estimate_costs(
    runs: Sequence[SweepRun], rates: Sequence[MeasuredRate], assumed_rate: float
) -> list[RunCost]:
    """Return the cost of each run.

    Args:
        rates: measured on the device that is to train the runs
        assumed_rate: multiply-adds per second, used if there are no measured rates

    Raises RecordError, ConfigError, DataError.
    """
    sizes: dict[str, NetworkSize] = {}
    costs = []
    for run in runs:
        key = repr((run.config.model, run.config.data))
        if key not in sizes:
            sizes[key] = _measure_size(run.config.model, run.config.data)
        rate = find_nearest_rate(sizes[key].multiply_adds, rates) or assumed_rate
        costs.append(_estimate_cost(run, sizes[key], rate))
    return costs


def _measure_size(model: Model, data: Data) -> NetworkSize:
    channels, side, classes = find_image_shape(data)
    complexity = measure_complexity(model, channels, side, classes)
    weights = copy_weights(build_network(model, channels, classes))
    return NetworkSize(complexity.multiply_adds, len(dump(weights)))


def _estimate_cost(run: SweepRun, size: NetworkSize, rate: float) -> RunCost:
    config, state = run.config, run.record.state()
    schedule = config.schedule
    remaining = schedule.iterations - _count_completed_iterations(run, state)
    work = float(remaining * config.optim.batch_size * size.multiply_adds * PASSES)
    is_known = size.multiply_adds > 0 or remaining == 0
    evaluations = len(list(evaluation_iterations(schedule.iterations, schedule.evaluate_every)))
    weights_files = 1 + len(schedule.snapshots)
    state_values: int = OPTIMIZERS.facts(config.optim.name)["state_values"]
    return RunCost(
        family=family(config.model),
        depth=config.model.depth,
        state=state,
        iterations=schedule.iterations,
        remaining_iterations=remaining,
        multiply_adds=size.multiply_adds,
        work=work,
        seconds=work / rate if is_known else math.nan,
        record_bytes=size.weights_bytes * weights_files + evaluations * ROW_BYTES,
        checkpoint_bytes=size.weights_bytes * (1 + state_values) * REPLACEMENT_FACTOR,
    )


def list_network_keys(configs: Sequence[Config]) -> dict[str, list[str]]:
    """Return the values, as text, of each key by which networks of one family and depth differ.

    These keys may change what a network costs. There is one value per configuration, in its order.
    """
    rows = [
        {f"model.{name}": value for name, value in vars(config.model).items() if name != "depth"}
        | {f"data.{name}": getattr(config.data, name) for name in DATA_KEYS}
        for config in configs
    ]
    columns = {}
    for key in rows[0]:
        values = [str(row[key]) for row in rows]
        networks = [(family(config.model), config.model.depth) for config in configs]
        if len(set(zip(networks, values, strict=True))) > len(set(networks)):
            columns[key] = values
    return columns


def _count_completed_iterations(run: SweepRun, state: State) -> int:
    """Return how many iterations a sweep would not train again."""
    if state in (State.DONE, State.DIVERGED):
        if run.config.retrain_outdated and _is_outdated(run):
            return 0
        return run.config.schedule.iterations
    return count_recorded_iterations(run.record)


def _is_outdated(run: SweepRun) -> bool:
    return verify_in_subprocess(run).state is CodeState.OUTDATED


def find_nearest_rate(multiply_adds: int, rates: Iterable[MeasuredRate]) -> float | None:
    """Return the median rate of the networks nearest in size, or None without any rate.

    Networks of layers whose multiply-adds are not counted have no size, and are ignored.
    """
    rates_by_size: dict[int, list[float]] = {}
    for measured in rates:
        if measured.multiply_adds > 0:
            rates_by_size.setdefault(measured.multiply_adds, []).append(measured.rate)
    if not rates_by_size or multiply_adds == 0:
        return None
    nearest = min(rates_by_size, key=lambda size: abs(math.log(size / multiply_adds)))
    return median(rates_by_size[nearest])


def read_rates(root: Path, device: str, config: Config) -> list[MeasuredRate]:
    """Return the rates of comparable runs under a record root; a corrupt record is skipped.

    Comparable runs were trained in one attempt, by one process, with the threads and the precision
    of `config`.

    Args:
        device: the beginning of the device's name, such as `cuda` or `cuda: NVIDIA A100`
    """
    rates = []
    for run_id in list_run_ids(root):
        try:
            rate = _read_rate(Record(root, run_id), device, config)
        except (RecordError, KeyError, TypeError):
            continue
        if rate is not None:
            rates.append(rate)
    return rates


def _read_rate(record: Record, device: str, config: Config) -> MeasuredRate | None:
    attempts = record.valid_prefix(ATTEMPTS_FILE)
    if len(attempts) != 2 or attempts[1].get(OUTCOME) != State.DONE:
        return None
    start, end = attempts
    metadata = record.read_metadata()
    if not end[SECONDS] > 0 or not _is_comparable(start, metadata["config"], device, config):
        return None
    multiply_adds = int(metadata["census"]["multiply_adds"])
    if multiply_adds <= 0:  # of a user's own layers, none are counted
        return None
    images = end[ITERATION] * metadata["config"]["optim"]["batch_size"]
    return MeasuredRate(multiply_adds, images * multiply_adds * PASSES / end[SECONDS])


def _is_comparable(
    start: dict[str, Any], recorded: dict[str, Any], device: str, config: Config
) -> bool:
    """Return whether an attempt had the device, and the threads and precision of `config`."""
    return (
        str(start[DEVICE]).startswith(device)
        and start["threads"] == config.threads
        and start.get("processes", 1) == 1
        and recorded["precision"]["dtype"] == config.precision.dtype
    )


def makespan(seconds: Iterable[float], devices: int) -> float:
    """Return the wall time of jobs on several devices; as in the pool, the longest start first."""
    free_at = [0.0] * devices
    for duration in sorted(seconds, reverse=True):
        heapq.heappush(free_at, heapq.heappop(free_at) + duration)
    return max(free_at)
