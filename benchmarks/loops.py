"""The loops that are timed against one another, each in a process of its own."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import torch

from benchmarks.images import load_images
from degradation.config import Config, ConfigError, evaluation_iterations
from degradation.metrics import is_augmented_measured
from degradation.training.device import choose_device, make_reproducible
from degradation.training.trainer import Trainer

AS_IT_IS = "as it is"  # the suite's step without a change
HUGE_PAGES = "memory in huge pages"
# By alternative, the environment that its process starts with: PyTorch reads it when imported
ENVIRONMENTS = {HUGE_PAGES: {"THP_MEM_ALLOC_ENABLE": "1"}}


class LoopKind(StrEnum):
    """What an iteration of a loop is."""

    REFERENCE = "reference"  # an update by the plain recipe
    SUITE = "suite"  # an update by the suite
    EVALUATION = "evaluation"  # an evaluation by the suite that measures augmented images too
    CLEAN_EVALUATION = "clean evaluation"  # one that does not


class Loop(Protocol):
    """Something to time."""

    device: torch.device

    def advance(self, iterations: int) -> int:
        """Do some iterations, and return the number of images that they processed."""
        ...


@dataclass(frozen=True)
class LoopSpec:
    """What a process builds its loop from.

    Attributes:
        kind: which loop.
        config: its network, data, device and, except for the reference loop, precision.
        threads: CPU threads.
        alternative: how the suite's step is changed, a key of `alternatives.ALTERNATIVES`.
    """

    kind: LoopKind
    config: Config
    threads: int
    alternative: str = AS_IT_IS


def build_loop(spec: LoopSpec) -> Loop:
    """Build a loop, and set the threads and the precision of this process.

    Raises ConfigError, DataError.
    """
    config = spec.config
    if spec.kind is LoopKind.REFERENCE:
        from benchmarks.reference_loop import ReferenceLoop  # torchvision is slow to import

        torch.set_num_threads(spec.threads)
        return ReferenceLoop(config, load_images(config.data), choose_device(config.device))
    make_reproducible(spec.threads, config.precision)
    if spec.kind is LoopKind.SUITE:
        loop = SuiteLoop(config)
        if spec.alternative != AS_IT_IS:
            from benchmarks.alternatives import ALTERNATIVES  # which imports this module

            ALTERNATIVES[spec.alternative](loop.trainer)
        return loop
    return EvaluationLoop(config, with_augmented=spec.kind is LoopKind.EVALUATION)


def build_trainer(config: Config) -> Trainer:
    """Build the trainer of a run without the warm-up of deep networks.

    A warm-up waits for the device at each of its iterations, and ends after few of them.
    """
    schedule = replace(config.schedule, warmup=None)
    dataset = load_images(config.data)
    return Trainer(replace(config, schedule=schedule), dataset, choose_device(config.device))


class SuiteLoop:
    """The suite's training step."""

    def __init__(self, config: Config) -> None:
        self.trainer = build_trainer(config)
        self.device = self.trainer.device

    def advance(self, iterations: int) -> int:
        """Train for some iterations, and return the number of images that they had.

        Raises ConfigError if steps are to be captured in a CUDA graph, and cannot be.
        """
        for _ in range(iterations):
            self.trainer.step()
        problem = self.trainer.replayed_update.problem
        if problem is not None:  # the row would be that of eager steps
            raise ConfigError(
                f"cuda_graphs: a training step cannot be captured ({problem}); allowed: false"
            )
        return iterations * self.trainer.config.optim.batch_size


class EvaluationLoop:
    """The suite's evaluation of all splits."""

    def __init__(self, config: Config, *, with_augmented: bool) -> None:
        self.trainer = build_trainer(config)
        self.device = self.trainer.device
        self.trainer.iteration = find_evaluation(config, with_augmented)
        self.images = count_evaluated(self.trainer.loader.sizes, with_augmented)

    def advance(self, iterations: int) -> int:
        """Evaluate so many times, and return the number of images evaluated."""
        for _ in range(iterations):
            self.trainer.measure_metrics()
        problem = self.trainer.replayed_evaluation.problem
        if problem is not None:  # the row would be that of eager evaluations
            raise ConfigError(
                f"cuda_graphs: an evaluation cannot be captured ({problem}); allowed: false"
            )
        return iterations * self.images


def count_evaluated(sizes: dict[str, int], with_augmented: bool) -> int:
    """Return the number of images of one evaluation: the training images count once or twice.

    Args:
        sizes: images per split.
    """
    return sum(sizes.values()) + (sizes["train"] if with_augmented else 0)


def count_evaluations(config: Config) -> dict[bool, int]:
    """Return how many evaluations of a run measure augmented images too (True), or do not."""
    counts = {True: 0, False: 0}
    for iteration in _evaluation_iterations(config):
        counts[_is_augmented(config, iteration)] += 1
    return counts


def find_evaluation(config: Config, with_augmented: bool) -> int:
    """Return the first iteration with such an evaluation."""
    return next(
        iteration
        for iteration in _evaluation_iterations(config)
        if _is_augmented(config, iteration) == with_augmented
    )


def _evaluation_iterations(config: Config) -> list[int]:
    schedule = config.schedule
    return list(evaluation_iterations(schedule.iterations, schedule.evaluate_every))


def _is_augmented(config: Config, iteration: int) -> bool:
    schedule = config.schedule
    return is_augmented_measured(iteration, schedule.iterations, schedule.augmented_every)
