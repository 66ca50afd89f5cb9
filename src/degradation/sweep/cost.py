"""What a grid costs, before it is started: iterations, multiply-adds, hours and disk space."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from degradation.config import Config, Model, evaluation_iterations, family
from degradation.data.datasets import find_image_shape
from degradation.metrics import ITERATION
from degradation.models.complexity import Complexity, measure_complexity
from degradation.models.network import Network
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import (
    ATTEMPTS_FILE,
    DEVICE,
    METRICS_FILE,
    OUTCOME,
    SECONDS,
    RecordError,
    State,
)
from degradation.sweep.jobs import SweepRun
from degradation.training.serialization import copy_weights, dump

PASSES = (
    3  # an update costs a forward pass and twice as much backward: by the input, and by the weights
)
# Multiply-adds a second of a device of which no record tells. A CPU core with AVX-512 was measured at 60e9
# (ResNet-20, batches of 128, fp32); the others are a guess at a tenth of what such a card is sold for.
ASSUMED_SPEEDS = {"cpu": 60e9, "mps": 300e9, "cuda": 1000e9}
ROW_BYTES = 450  # of metrics


@dataclass(frozen=True)
class Measured:
    """How fast a run of a record was trained, all that a run does included."""

    multiply_adds: int  # of its network, of one picture forward
    rate: float  # multiply-adds a second, forward and backward


@dataclass(frozen=True)
class Planned:
    """One run of the plan."""

    family: str
    depth: int
    state: State
    iterations: int
    left: int  # iterations
    multiply_adds: int  # of one picture, forward
    work: float  # multiply-adds of what is left, forward and backward
    seconds: float  # for what is left
    bytes: int  # of the record in the end
    checkpoint: int  # bytes beside it while the run is trained


def plan(runs: Sequence[SweepRun], rates: Sequence[Measured], assumed: float) -> list[Planned]:
    """A line a run. `assumed`: multiply-adds a second, where no rate was measured. Raises RecordError, ConfigError."""
    sizes: dict[str, tuple[Complexity, int]] = {}
    for run in runs:
        key = repr(run.config.model)
        if key not in sizes:
            sizes[key] = _size(run.config.model, find_image_shape(run.config.data))
    return [_planned(run, *sizes[repr(run.config.model)], rates, assumed) for run in runs]


def _planned(
    run: SweepRun, counted: Complexity, stored: int, rates: Sequence[Measured], assumed: float
) -> Planned:
    config, state = run.config, run.record.state()
    rows = run.record.valid_prefix(METRICS_FILE)
    total = config.schedule.iterations
    done = (
        total if state in (State.DONE, State.DIVERGED) else int(rows[-1][ITERATION]) if rows else 0
    )
    rate = rate_of(counted.multiply_adds, rates) or assumed
    work = float((total - done) * config.optim.batch_size * counted.multiply_adds * PASSES)
    evaluations = sum(1 for _ in evaluation_iterations(total, config.schedule.evaluate_every))
    written = stored * (1 + len(config.schedule.snapshots)) + evaluations * ROW_BYTES
    kept = 2 * stored * 2  # with the momentum, and twice where a new one takes the old one's place
    who = family(config.model), config.model.depth, state
    return Planned(
        *who, total, total - done, counted.multiply_adds, work, work / rate, written, kept
    )


def _size(model: Model, picture: tuple[int, int, int]) -> tuple[Complexity, int]:
    """What a network consists of, and the bytes of a file of its weights."""
    channels, _, classes = picture
    return measure_complexity(model, *picture), len(
        dump(copy_weights(Network(model, channels, classes)))
    )


def rate_of(multiply_adds: int, rates: Iterable[Measured]) -> float | None:
    """The median rate of the networks that are the nearest in size; None where there are none."""
    by_size: dict[int, list[float]] = {}
    for one in rates:
        by_size.setdefault(one.multiply_adds, []).append(one.rate)
    if not by_size:
        return None
    nearest = min(by_size, key=lambda size: abs(math.log(size / multiply_adds)))
    return median(by_size[nearest])


def measured(root: Path, device: str, like: Config) -> list[Measured]:
    """The rates of the runs under a root that were trained in one go, by one process on such a device.

    `device`: how its name begins, such as `cuda` or `cuda: NVIDIA A100`. `like`: with as many threads and in the same
    precision as this. What cannot be read tells of no rate.
    """
    found = []
    for run_id in list_run_ids(root):
        try:
            one = _measured(Record(root, run_id), device, like)
        except (RecordError, KeyError, TypeError):
            continue
        if one is not None:
            found.append(one)
    return found


def _measured(record: Record, device: str, like: Config) -> Measured | None:
    attempts = record.valid_prefix(ATTEMPTS_FILE)
    if len(attempts) != 2 or attempts[1].get(OUTCOME) != State.DONE:
        return None
    start, end = attempts
    described = record.read_metadata()
    config = described["config"]
    alike = (
        str(start[DEVICE]).startswith(device)
        and start["threads"] == like.threads
        and start.get("processes", 1) == 1
        and config["precision"]["dtype"] == like.precision.dtype
    )
    if not alike or not end[SECONDS] > 0:
        return None
    multiply_adds = int(described["census"]["multiply_adds"])
    return Measured(
        multiply_adds,
        end[ITERATION] * config["optim"]["batch_size"] * multiply_adds * PASSES / end[SECONDS],
    )


def makespan(seconds: Iterable[float], devices: int) -> float:
    """How long they take on so many devices, the longest first, as the pool takes them."""
    free = [0.0] * devices
    for one in sorted(seconds, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free)
