"""Train one network: a generator of events, from the iteration at which its state stands to the end.

It knows nothing of records: who listens decides what is kept. After each `Progress` the state is whole, so a checkpoint
may be taken there, at any iteration.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from degradation.config import Config, Plateau, effective_warmup, is_applicable, probe_iterations
from degradation.data.datasets import Dataset
from degradation.data.imagenet import ImageNet
from degradation.data.loaders import build_loader
from degradation.data.random_streams import build_generator
from degradation.metrics import (
    AUGMENTED_ERROR,
    AUGMENTED_LOSS,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    LR,
    PLATEAUS,
    RUNNING_ERROR,
    RUNNING_LOSS,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
    TEST_LOSS,
    VALIDATION_ERROR,
    VALIDATION_LOSS,
    WARMUP_END,
)
from degradation.models.network import Network, initialise
from degradation.probes import Table, measure_probe, sample_probe_batch
from degradation.training.device import memory_format
from degradation.training.distributed import SINGLE, WorkerGroup
from degradation.training.evaluate import eval_batchnorm, evaluate
from degradation.training.optimizer import build_optimizer, set_learning_rate, train_step
from degradation.training.schedule import (
    ScheduleState,
    has_plateaued,
    has_warmup_ended,
    learning_rate,
)
from degradation.training.serialization import copy_weights


@dataclass(frozen=True)
class Metrics:
    """A row of metrics; its keys are those of degradation.metrics."""

    row: dict[str, int | float | None]


@dataclass(frozen=True)
class Snapshot:
    iteration: int
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found after this iteration."""

    iteration: int
    probe: str
    pictures: int
    table: Table


@dataclass(frozen=True)
class Progress:
    iteration: int


@dataclass(frozen=True)
class Divergence:
    """The training loss became NaN or infinite at this iteration: the end."""

    iteration: int


Event = Metrics | Snapshot | ProbeResult | Progress | Divergence


class Trainer:
    """A network with its optimizer, its data and all that a resume needs."""

    def __init__(self, config: Config, dataset: Dataset | ImageNet, device: torch.device) -> None:
        self.config, self.device, self.group = config, device, SINGLE
        self.warmup = effective_warmup(config)
        self.feed = build_loader(dataset, config, device)
        network = Network(config.model, dataset.channels, dataset.classes)
        initialise(
            network, build_generator(config.seed, "initialisation"), config.model.initialisation
        )
        self.start_from(network)
        self.iteration = 0  # updates done
        self.batches = self.feed.training_batches(0)
        self.lr = 0.0  # of the last update
        self.transitions = ScheduleState()
        self.recent_errors: list[float] = []  # percent, of the last batches of the warm-up
        # percent, of the evaluations since the last plateau: of held-out images, or of test images where there are none
        self.watched_errors: list[float] = []
        self._reset_running()
        self.diverged_at = torch.zeros((), dtype=torch.int64, device=device)  # 0: not

    def start_from(self, network: Network) -> None:
        """Train this network, with an optimizer that has no memory."""
        self.network = network.to(self.device).to(
            memory_format=memory_format(self.config.precision)
        )
        self.network.train()
        self.optimizer = build_optimizer(self.network, self.config.optim)
        self.parallel = self.group.wrap(self.network, self.config.model.bn_parts)

    def share(self, group: WorkerGroup) -> None:
        """Go on from here as one of a group of processes, all of which stand at the same state."""
        self.group = group
        self.parallel = group.wrap(self.network, self.config.model.bn_parts)
        self.batches = self.feed.training_batches(self.iteration, group.shard)

    def _reset_running(self) -> None:
        self.running_loss = torch.zeros((), device=self.device)  # sum over batches of the mean loss
        self.running_wrong = torch.zeros((), dtype=torch.int64, device=self.device)
        self.running_batches = 0

    def state(self) -> dict[str, Any]:
        """Everything that the next iteration depends on; random streams depend on the iteration alone."""
        return {
            "network": copy_weights(self.network),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "lr": self.lr,
            "transitions": asdict(self.transitions),
            "recent_errors": self.recent_errors,
            "test_errors": self.watched_errors,  # under the name that checkpoints have always had
            "running": [self.running_loss, self.running_wrong, self.running_batches],
            "diverged_at": self.diverged_at,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`, on any device."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.lr = state["iteration"], state["lr"]
        self.batches = self.feed.training_batches(self.iteration, self.group.shard)
        self.transitions = ScheduleState(**state["transitions"])
        self.recent_errors, self.watched_errors = (
            list(state["recent_errors"]),
            list(state["test_errors"]),
        )
        loss, wrong, self.running_batches = state["running"]
        self.running_loss, self.running_wrong = loss.to(self.device), wrong.to(self.device)
        self.diverged_at = state["diverged_at"].to(self.device)

    def step(self) -> None:
        """One update, and what is summed over updates."""
        config = self.config
        pictures, labels = next(self.batches)
        self.lr = learning_rate(
            self.iteration, config.optim.lr, config.schedule, self.warmup, self.transitions
        )
        set_learning_rate(self.optimizer, self.lr, config.optim.momentum_form)
        with self.group.merged_batchnorm(self.network, config.model.bn_parts):
            loss, wrong = train_step(
                self.parallel, self.optimizer, pictures, labels, config.precision
            )
        loss, wrong = self.group.sum(loss) / self.group.shard.count, self.group.sum(wrong)
        self.iteration += 1
        self.running_loss += loss
        self.running_wrong += wrong
        self.running_batches += 1
        first = (self.diverged_at == 0) & ~torch.isfinite(loss)
        self.diverged_at = torch.where(first, self.iteration, self.diverged_at)
        if self.warmup is not None and self.transitions.warmup_end is None:
            error = 100 * wrong.item() / config.optim.batch_size
            self.recent_errors = [*self.recent_errors, error][-self.warmup.window :]
            if has_warmup_ended(self.iteration, self.recent_errors, self.warmup):
                self.transitions.warmup_end, self.recent_errors = self.iteration, []

    def metrics(self) -> dict[str, int | float | None]:
        """The row of this iteration; starts new running averages. At iteration 0 it has neither those nor an lr.

        The loss of an evaluation is None where it is not finite: with BN's moving averages a deep plain net overflows
        in its first iterations, though it trains.
        """
        row: dict[str, int | float | None] = {ITERATION: self.iteration}
        if self.running_batches:
            seen = self.running_batches * self.config.optim.batch_size
            row[LR] = self.lr
            row[RUNNING_ERROR] = 100 * self.running_wrong.item() / seen
            row[RUNNING_LOSS] = self.running_loss.item() / self.running_batches
        with eval_batchnorm(self.network, self.config, self.feed):
            row |= self._errors()
        if self.transitions.warmup_end is not None:
            row[WARMUP_END] = self.transitions.warmup_end
        plateau = self.config.schedule.plateau
        if plateau is not None:
            watched = VALIDATION_ERROR if VALIDATION_ERROR in row else TEST_ERROR
            self._watch_plateau(plateau, float(row[watched] or 0.0))
            row[PLATEAUS] = len(self.transitions.plateaus)
        self._reset_running()
        return row

    def _errors(self) -> dict[str, int | float | None]:
        """Every error and loss of the network as it is."""
        precision, share = self.config.precision, self.group.shard
        found: dict[str, int | float | None] = {}
        evaluations = [
            (CLEAN_ERROR, CLEAN_LOSS, self.feed.clean_batches("train", share)),
            (AUGMENTED_ERROR, AUGMENTED_LOSS, self.feed.augmented_batches(self.iteration, share)),
            (TEST_ERROR, TEST_LOSS, self.feed.clean_batches("test", share)),
        ]
        if "validation" in self.feed.sizes:
            held_out = self.feed.clean_batches("validation", share)
            evaluations.append((VALIDATION_ERROR, VALIDATION_LOSS, held_out))
        for error, loss, batches in evaluations:
            measured = evaluate(self.network, batches, precision, self.group)
            found[error] = measured.error
            found[loss] = measured.loss if math.isfinite(measured.loss) else None
        views = self.feed.ten_crop_batches(share)
        if views is not None:
            measured = evaluate(self.network, views, precision, self.group)
            found[TEN_CROP_ERROR] = measured.error
            found[TEN_CROP_TOP5_ERROR] = measured.top5_error
        return found

    def probes(self) -> Iterator[ProbeResult]:
        """What the configured probes find in the network as it is; training goes on as if they were not."""
        for name in self.config.probes.training:
            if not is_applicable(name, self.config.model.shortcut):
                continue
            pictures, labels = sample_probe_batch(name, self.feed, self.config.probes)
            with eval_batchnorm(self.network, self.config, self.feed):
                table = measure_probe(
                    name, self.network, (pictures, labels), self.config.seed, self.iteration
                )
            yield ProbeResult(self.iteration, name, len(labels), table)

    def _watch_plateau(self, plateau: Plateau, error: float) -> None:
        self.watched_errors.append(error)
        if has_plateaued(self.watched_errors, plateau):
            self.transitions.plateaus.append(self.iteration)
            self.watched_errors = []


def fit(training: Trainer) -> Iterator[Event]:
    """Events up to the last iteration; ends early, with `Divergence`, where a loss is not finite."""
    schedule, probed = training.config.schedule, probe_iterations(training.config)
    if training.iteration == 0:
        if 0 in schedule.snapshots:
            yield Snapshot(0, copy_weights(training.network))
        if training.config.model.grown_from is not None:
            yield Metrics(training.metrics())  # what the construction alone has reached
        yield from training.probes()
    while training.iteration < schedule.iterations:
        training.step()
        iteration = training.iteration
        if iteration % schedule.evaluate_every == 0 or iteration == schedule.iterations:
            if diverged_at := int(training.diverged_at.item()):
                yield Divergence(diverged_at)
                return
            yield Metrics(training.metrics())
        if iteration in schedule.snapshots:
            yield Snapshot(iteration, copy_weights(training.network))
        if iteration in probed or training.transitions.plateaus[-1:] == [iteration]:
            yield from training.probes()
        yield Progress(iteration)
