"""Compare a training of captured steps with one of eager steps, on one device.

Where cuDNN's algorithms are deterministic, all numbers must be equal to the bit. Otherwise two
eager trainings differ too, and a captured one may differ by a little more than they do.
"""

import gc
import logging
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from degradation.config import Config
from degradation.data.datasets import Dataset
from degradation.errors import format_exception_line
from degradation.graph_check.check import Check, build_synthetic_data
from degradation.graph_check.result import GraphComparison
from degradation.metrics import LR, RUNNING_ERROR, RUNNING_LOSS
from degradation.training import cuda_graph, serialization
from degradation.training.device import make_reproducible, restored_settings
from degradation.training.events import Metrics, MetricsRow, Progress
from degradation.training.trainer import Trainer, fit

TRAINING_METRICS = (LR, RUNNING_ERROR, RUNNING_LOSS)
# Where algorithms are not deterministic: what the weights may differ by, as a fraction of how far
# training has moved them, ...
TOLERANCE = 0.01
# ... or this multiple of what two eager trainings differ by, if that is more
REPETITION_FACTOR = 10
MAX_TOLERANCE = 0.5  # with a larger one, hardly anything would count as different


# Errors that other processes on the GPU may cause. Where they have filled it, libraries report less
# than PyTorch's allocator does: no algorithm whose workspace fits, a handle without memory. MPS is
# NVIDIA's service through which processes share a GPU: it ends, or admits too many.
TRANSIENT_ERROR = re.compile(
    r"out[ _]?of[ _]?memory|alloc(ation)?_failed|unable to find an engine|\bMPS\b", re.IGNORECASE
)


class NotCaptured(Exception):
    """A step or an evaluation was not captured. The message is one line."""


@dataclass(frozen=True)
class _Training:
    """The numbers of one short training; its tensors are on the CPU."""

    rows: list[MetricsRow]
    start: dict[str, Tensor]  # the weights before training
    checkpoint: bytes  # of captured steps, at the first evaluation
    state: dict[str, Any]  # after training
    memory: int | None
    rate: float | None  # None if it resumed


def compare_steps(check: Check, device: torch.device) -> GraphComparison:
    """Train with captured and with eager steps, and compare all numbers.

    Never raises: whatever is raised is the comparison's `problem`. Random states and PyTorch's
    settings are restored; statistics of peak memory are reset.
    """
    names = check.network, check.config.precision.dtype
    devices = [device] if device.type == "cuda" else []
    try:
        # on a GPU that a graph has put out of order, restoring may raise too
        with restored_settings(), torch.random.fork_rng(devices), _muted(cuda_graph.log):
            make_reproducible(check.config.threads, check.config.precision)
            return _compare(check, build_synthetic_data(check), device)
    except torch.OutOfMemoryError:
        return GraphComparison(*names, "too little free memory on the GPU", is_transient=True)
    except NotCaptured as problem:
        return GraphComparison(*names, str(problem), is_transient=_is_transient(str(problem)))
    except Exception as error:  # a graph, or what it is compared with, may raise anything
        message = f"a check of captured steps failed ({format_exception_line(error)})"
        is_transient = _is_transient(f"{type(error).__name__}: {error}")
        return GraphComparison(*names, message, is_transient=is_transient)
    finally:
        with suppress(Exception):
            _free_memory(device)


def _is_transient(text: str) -> bool:
    """Return whether an error may be gone next time, so that its result must not be stored.

    Other errors of CUDA are stored: a graph that sometimes crashes must not be trusted because it
    did not crash once.
    """
    return TRANSIENT_ERROR.search(text) is not None


def _compare(check: Check, dataset: Dataset, device: torch.device) -> GraphComparison:
    """Compare the trainings. Raises NotCaptured, or what training raises."""
    config = check.config
    eager_config = replace(config, cuda_graphs=False)
    captured = _train(config, dataset, device)
    resumed = _train(config, dataset, device, captured.checkpoint)
    eager = _train(eager_config, dataset, device)
    are_equal = _are_equal(captured, eager)
    tolerance = 0.0
    if not config.precision.deterministic or not are_equal:
        repeated = _train(eager_config, dataset, device)
        spread = _measure_distance(eager, repeated)
        if not config.precision.deterministic or spread > 0:
            tolerance = max(TOLERANCE, REPETITION_FACTOR * spread)
    if tolerance > MAX_TOLERANCE:
        problem = "two eager trainings differ too much for a comparison"
        return GraphComparison(check.network, config.precision.dtype, problem, is_transient=True)
    if are_equal:
        evaluated = eager.rows[-1]  # of the same weights
    else:
        evaluated = _evaluate(eager_config, dataset, device, captured.state)
    return GraphComparison(
        network=check.network,
        precision=config.precision.dtype,
        difference=_measure_distance(captured, eager),
        tolerance=tolerance,
        is_training_equal=_is_within(captured, eager, tolerance),
        is_resume_equal=_is_within(resumed, captured, tolerance),
        is_evaluation_equal=_are_rows_close(captured.rows[-1], evaluated, tolerance),
        eager_memory=eager.memory,
        captured_memory=captured.memory,
        eager_rate=eager.rate,
        captured_rate=captured.rate,
    )


def _train(
    config: Config, dataset: Dataset, device: torch.device, checkpoint: bytes = b""
) -> _Training:
    """Train from the start, or from a checkpoint. Raises NotCaptured."""
    _free_memory(device)
    trainer = Trainer(config, dataset, device)
    start = serialization.copy_weights(trainer.network)
    resumes = bool(checkpoint)
    if resumes:
        trainer.restore(serialization.load(checkpoint))
    schedule = config.schedule
    rows: list[MetricsRow] = []
    started, rate = None, None
    last_timed = schedule.iterations - 1
    timed_images = (last_timed - schedule.evaluate_every) * config.optim.batch_size
    for event in fit(trainer):
        match event:
            case Metrics(row):
                rows.append(row)
            case Progress(iteration) if iteration == schedule.evaluate_every:
                if config.cuda_graphs:
                    checkpoint = serialization.dump(trainer.state())
                started = _wait(device)
            case Progress(iteration) if iteration == last_timed and started is not None:
                rate = timed_images / (_wait(device) - started)
    if config.cuda_graphs:
        _check_capture(trainer, is_complete=not resumes)
    memory = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
    return _Training(rows, start, checkpoint, _copy_to_cpu(trainer.state()), memory, rate)


def _copy_to_cpu(value: Any) -> Any:
    """Return a copy of a state whose tensors are on the CPU."""
    if isinstance(value, Tensor):
        return value.to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copy_to_cpu(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copy_to_cpu, value))
    return value


def _check_capture(trainer: Trainer, *, is_complete: bool) -> None:
    """Raise NotCaptured unless the trainer's steps and evaluations are replayed.

    A resumed training is not complete: it has too few evaluations to be captured.
    """
    for call in (trainer.replayed_update, trainer.replayed_evaluation):
        if call.problem is not None:
            raise NotCaptured(f"{call.name} cannot be captured ({call.problem})")
    if not trainer.replayed_update.is_captured:
        raise NotCaptured("a training step was never captured")
    if is_complete and not trainer.replayed_evaluation.is_captured:
        raise NotCaptured("an evaluation was never captured")


def _evaluate(
    config: Config, dataset: Dataset, device: torch.device, state: dict[str, Any]
) -> MetricsRow:
    """Return the metrics of a trained state."""
    _free_memory(device)
    trainer = Trainer(config, dataset, device)
    trainer.restore(state)
    return trainer.measure_metrics()


def _is_within(first: _Training, second: _Training, tolerance: float) -> bool:
    """Return whether two trainings are equal to the bit or, with a tolerance, close."""
    if tolerance == 0:
        return _are_equal(first, second)
    return _measure_distance(first, second) <= tolerance


def _are_equal(first: _Training, second: _Training) -> bool:
    """Return whether the last row's numbers of training and the final states are equal."""
    first_numbers = [first.rows[-1].get(name) for name in TRAINING_METRICS]
    second_numbers = [second.rows[-1].get(name) for name in TRAINING_METRICS]
    if repr(first_numbers) != repr(second_numbers):
        return False
    return _is_identical(first.state, second.state)


def _is_identical(first: Any, second: Any) -> bool:
    """Return whether two states have the same values, to the bit; NaN equals itself."""
    if isinstance(first, Tensor):
        first_bits = first.reshape(-1).view(torch.uint8)
        second_bits = second.reshape(-1).view(torch.uint8)
        return first.dtype == second.dtype and torch.equal(first_bits, second_bits)
    if isinstance(first, dict):
        if first.keys() != second.keys():
            return False
        return all(_is_identical(value, second[key]) for key, value in first.items())
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(_is_identical, first, second))
    return repr(first) == repr(second)


def _measure_distance(first: _Training, second: _Training) -> float:
    """Return the largest distance of a weight tensor, or of BN's statistics, in two trainings.

    It is relative to how far the second training has moved the tensor: 0 if equal, infinity if only
    the first has moved it.
    """
    distances = [0.0]
    for name, before in second.start.items():
        first_values = first.state["network"][name].double()
        second_values = second.state["network"][name].double()
        apart = (first_values - second_values).norm().item()
        moved = (second_values - before.double()).norm().item()
        if apart != 0:  # NaN is not 0
            distances.append(apart / moved if moved > 0 else math.inf)
    return max(distances, key=lambda distance: math.inf if math.isnan(distance) else distance)


def _are_rows_close(first: MetricsRow, second: MetricsRow, tolerance: float) -> bool:
    """Return whether the metrics of the second row, of the same weights, are those of the first."""
    if tolerance == 0:
        return all(repr(first.get(name)) == repr(value) for name, value in second.items())
    return all(_are_close(first.get(name) or 0, value or 0) for name, value in second.items())


def _are_close(first: float, second: float) -> bool:
    return abs(first - second) <= TOLERANCE * max(abs(first), abs(second))


def _wait(device: torch.device) -> float:
    """Wait for the device, and return the time in seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


def _free_memory(device: torch.device) -> None:
    """Return the memory of earlier trainings to the driver, and forget how much they took."""
    gc.collect()
    if device.type == "cuda":
        # cuBLAS has a workspace for each stream and thread, and every capturer has a new stream
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


@contextmanager
def _muted(log: logging.Logger) -> Iterator[None]:
    """Within the context, drop a logger's messages: the comparison reports the problem itself."""
    was_disabled = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = was_disabled
