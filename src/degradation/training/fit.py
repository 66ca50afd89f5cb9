"""Train one network: a generator of events, from the iteration at which its state stands to the end.

It knows nothing of records: who listens decides what is kept. After each `Progress` the state is whole, so a checkpoint
may be taken there, at any iteration.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from degradation.config import Config, warmup_of
from degradation.data.augment import Pictures, draw_offsets, statistics
from degradation.data.datasets import Dataset
from degradation.data.streams import batch_indices, generator
from degradation.models.cifar import Network, initialise
from degradation.training.checkpoint import weights
from degradation.training.evaluate import augmented_batches, clean_batches, evaluate
from degradation.training.schedule import learning_rate, warmup_is_over
from degradation.training.step import make_optimizer, memory_format, update


@dataclass(frozen=True)
class Metrics:
    """A row; its keys are those of records/schema.py."""

    row: dict[str, int | float | None]


@dataclass(frozen=True)
class Snapshot:
    iteration: int
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class Progress:
    iteration: int


@dataclass(frozen=True)
class Diverged:
    """The training loss became NaN or infinite at this iteration: the end."""

    iteration: int


Event = Metrics | Snapshot | Progress | Diverged


class Training:
    """A network with its optimizer, its data and all that a resume needs."""

    def __init__(self, config: Config, dataset: Dataset, device: torch.device) -> None:
        self.config, self.device = config, device
        self.warmup = warmup_of(config)
        mean, deviation = statistics(dataset.train.pictures, config.data.normalisation)
        self.train = Pictures(dataset.train, mean, deviation, device)
        self.test = Pictures(dataset.test, mean, deviation, device)
        network = Network(config.model, dataset.channels, dataset.classes)
        initialise(network, generator(config.seed, "initialisation"))
        self.network = network.to(device).to(memory_format=memory_format(config.precision))
        self.network.train()
        self.optimizer = make_optimizer(self.network, config.optim)
        self.iteration = 0  # updates done
        self.lr = 0.0  # of the last update
        self.warmup_end: int | None = None
        self.recent_errors: list[float] = []  # percent, of the last batches of the warm-up
        self._reset_running()
        self.diverged_at = torch.zeros((), dtype=torch.int64, device=device)  # 0: not

    def _reset_running(self) -> None:
        self.running_loss = torch.zeros((), device=self.device)  # sum over batches of the mean loss
        self.running_wrong = torch.zeros((), dtype=torch.int64, device=self.device)
        self.running_batches = 0

    def state(self) -> dict[str, Any]:
        """Everything that the next iteration depends on; random streams depend on the iteration alone."""
        return {
            "network": weights(self.network),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "lr": self.lr,
            "warmup_end": self.warmup_end,
            "recent_errors": self.recent_errors,
            "running": [self.running_loss, self.running_wrong, self.running_batches],
            "diverged_at": self.diverged_at,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`, on any device."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.lr = state["iteration"], state["lr"]
        self.warmup_end, self.recent_errors = state["warmup_end"], list(state["recent_errors"])
        loss, wrong, self.running_batches = state["running"]
        self.running_loss, self.running_wrong = loss.to(self.device), wrong.to(self.device)
        self.diverged_at = state["diverged_at"].to(self.device)

    def step(self) -> None:
        """One update, and what is summed over updates."""
        config = self.config
        size = config.optim.batch_size
        index = batch_indices(config.seed, self.iteration, size, len(self.train))
        offsets = draw_offsets(size, config.data, generator(config.seed, "augmentation", self.iteration))
        pictures, labels = self.train.augmented_batch(index, offsets)
        self.lr = learning_rate(self.iteration, config.optim.lr, config.schedule, self.warmup, self.warmup_end)
        loss, wrong = update(self.network, self.optimizer, self.lr, pictures, labels, config.precision)
        self.iteration += 1
        self.running_loss += loss
        self.running_wrong += wrong
        self.running_batches += 1
        first = (self.diverged_at == 0) & ~torch.isfinite(loss)
        self.diverged_at = torch.where(first, self.iteration, self.diverged_at)
        if self.warmup is not None and self.warmup_end is None:
            self.recent_errors = [*self.recent_errors, 100 * wrong.item() / size][-self.warmup.window :]
            if warmup_is_over(self.iteration, self.recent_errors, self.warmup):
                self.warmup_end, self.recent_errors = self.iteration, []

    def metrics(self) -> dict[str, int | float | None]:
        """The row of this iteration; starts new running averages.

        The loss of an evaluation is None where it is not finite: with BN's moving averages a deep plain net overflows
        in its first iterations, though it trains.
        """
        config = self.config
        augmentation = generator(config.seed, "evaluation", self.iteration)
        clean_error, clean_loss = evaluate(self.network, clean_batches(self.train), config.precision)
        augmented_error, augmented_loss = evaluate(
            self.network, augmented_batches(self.train, config.data, augmentation), config.precision
        )
        test_error, test_loss = evaluate(self.network, clean_batches(self.test), config.precision)
        seen = self.running_batches * config.optim.batch_size
        row: dict[str, int | float | None] = {
            "iteration": self.iteration,
            "lr": self.lr,
            "train/running_error": 100 * self.running_wrong.item() / seen,
            "train/running_loss": self.running_loss.item() / self.running_batches,
            "train/augmented_error": augmented_error,
            "train/augmented_loss": _finite(augmented_loss),
            "train/clean_error": clean_error,
            "train/clean_loss": _finite(clean_loss),
            "test/error": test_error,
            "test/loss": _finite(test_loss),
        }
        if self.warmup_end is not None:
            row["schedule/warmup_end"] = self.warmup_end
        self._reset_running()
        return row


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def fit(training: Training) -> Iterator[Event]:
    """Events up to the last iteration; ends early, with `Diverged`, where a loss is not finite."""
    schedule = training.config.schedule
    if training.iteration == 0 and 0 in schedule.snapshots:
        yield Snapshot(0, weights(training.network))
    while training.iteration < schedule.iterations:
        training.step()
        iteration = training.iteration
        if iteration % schedule.evaluate_every == 0 or iteration == schedule.iterations:
            if diverged_at := int(training.diverged_at.item()):
                yield Diverged(diverged_at)
                return
            yield Metrics(training.metrics())
        if iteration in schedule.snapshots:
            yield Snapshot(iteration, weights(training.network))
        yield Progress(iteration)
