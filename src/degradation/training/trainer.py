"""Train one network: `fit` yields what happens, from the trainer's iteration to the schedule's end.

Training knows nothing of records: whoever consumes the events decides what to keep. After every
`Progress` the trainer's state is complete, so a checkpoint may be saved there, at any iteration.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from degradation.config import (
    Config,
    Plateau,
    effective_warmup,
    is_applicable,
    is_evaluated,
    probe_iterations,
)
from degradation.data.datasets import Dataset, StreamedDataset
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
from degradation.probes.measure import measure_probe, sample_probe_batch
from degradation.probes.table import Table
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

MetricsRow = dict[str, int | float | None]  # keys and units: degradation.metrics


@dataclass(frozen=True)
class Metrics:
    """The network has been evaluated."""

    row: MetricsRow


@dataclass(frozen=True)
class Snapshot:
    """The weights after an iteration that `schedule.snapshots` names, on the CPU."""

    iteration: int
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class ProbeResult:
    """A probe has measured the network after this iteration."""

    iteration: int
    probe: str
    images: int  # that the probe has seen
    table: Table


@dataclass(frozen=True)
class Progress:
    """An iteration is complete, and so is the trainer's state."""

    iteration: int


@dataclass(frozen=True)
class Divergence:
    """The training loss was NaN or infinite in this iteration. No event follows."""

    iteration: int


Event = Metrics | Snapshot | ProbeResult | Progress | Divergence


class Trainer:
    """A network, its optimizer, its data, and everything else that a resume needs.

    Attributes:
        iteration: updates done so far.
        lr: the learning rate of the last update.
        schedule_state: what has changed the learning rate besides the iteration.
        recent_errors: training errors of the last batches of the warm-up, in percent.
        watched_errors: errors of the evaluations since the last plateau, in percent: of the
            validation images, or of the test images if no images are held out.
        diverged_at: the first iteration whose loss was not finite; 0 if there is none. It stays on
            the device, since reading it in every iteration would wait for the device.
    """

    def __init__(
        self, config: Config, dataset: Dataset | StreamedDataset, device: torch.device
    ) -> None:
        self.config, self.device, self.group = config, device, SINGLE
        self.warmup = effective_warmup(config)
        self.loader = build_loader(dataset, config, device)
        network = Network(config.model, dataset.channels, dataset.classes)
        initialise(
            network, build_generator(config.seed, "initialisation"), config.model.initialisation
        )
        self.start_from(network)
        self.iteration = 0
        self.batches = self.loader.training_batches(0)
        self.lr = 0.0
        self.schedule_state = ScheduleState()
        self.recent_errors: list[float] = []
        self.watched_errors: list[float] = []
        self._reset_running()
        self.diverged_at = torch.zeros((), dtype=torch.int64, device=device)

    def start_from(self, network: Network) -> None:
        """Train this network instead, with a new optimizer."""
        layout = memory_format(self.config.precision)
        self.network = network.to(self.device).to(memory_format=layout)
        self.network.train()
        self.optimizer = build_optimizer(self.network, self.config.optim)
        self.parallel = self.group.wrap(self.network, self.config.model.bn_parts)

    def join(self, group: WorkerGroup) -> None:
        """Continue as one process of a group. All its processes must be in the same state."""
        self.group = group
        self.parallel = group.wrap(self.network, self.config.model.bn_parts)
        self.batches = self.loader.training_batches(self.iteration, group.shard)

    def state(self) -> dict[str, Any]:
        """Return everything that the next iteration depends on, as tensors and plain values.

        Random streams are not in it: they depend on the seed and the iteration alone.
        """
        return {
            "network": copy_weights(self.network),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "lr": self.lr,
            "transitions": asdict(self.schedule_state),
            "recent_errors": self.recent_errors,
            "test_errors": self.watched_errors,  # the key that checkpoints have always used
            "running": [self.running_loss, self.running_wrong, self.running_batches],
            "diverged_at": self.diverged_at,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state()`, which may come from another device.

        Any exception means that the state is another network's; the trainer is then unusable.
        """
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.lr = state["iteration"], state["lr"]
        self.batches = self.loader.training_batches(self.iteration, self.group.shard)
        self.schedule_state = ScheduleState(**state["transitions"])
        self.recent_errors = list(state["recent_errors"])
        self.watched_errors = list(state["test_errors"])
        loss, wrong, self.running_batches = state["running"]
        self.running_loss, self.running_wrong = loss.to(self.device), wrong.to(self.device)
        self.diverged_at = state["diverged_at"].to(self.device)

    def step(self) -> None:
        """Update the weights once, and what is recorded between evaluations."""
        config = self.config
        images, labels = next(self.batches)

        # the rate depends on the updates done before this one
        self.lr = learning_rate(
            self.iteration, config.optim.lr, config.schedule, self.warmup, self.schedule_state
        )
        set_learning_rate(self.optimizer, self.lr, config.optim.momentum_form)

        # each process trains on its share; BN's moving averages become those of one process
        with self.group.merged_batchnorm(self.network, config.model.bn_parts):
            loss, wrong = train_step(
                self.parallel, self.optimizer, images, labels, config.precision
            )

        # shares are equal, so the mean of their mean losses is the loss of the whole batch
        loss = self.group.sum(loss) / self.group.shard.count
        wrong = self.group.sum(wrong)

        self.iteration += 1
        self._add_to_running(loss, wrong)
        self._watch_divergence(loss)
        self._watch_warmup(wrong)

    def _reset_running(self) -> None:
        """Start new averages over the training batches."""
        self.running_loss = torch.zeros((), device=self.device)  # sum of the batches' mean losses
        self.running_wrong = torch.zeros((), dtype=torch.int64, device=self.device)  # images
        self.running_batches = 0

    def _add_to_running(self, loss: Tensor, wrong: Tensor) -> None:
        self.running_loss += loss
        self.running_wrong += wrong
        self.running_batches += 1

    def _watch_divergence(self, loss: Tensor) -> None:
        """Remember the first iteration whose loss is not finite."""
        is_first = (self.diverged_at == 0) & ~torch.isfinite(loss)
        self.diverged_at = torch.where(is_first, self.iteration, self.diverged_at)

    def _watch_warmup(self, wrong: Tensor) -> None:
        """End the warm-up if its error or its time says so. Waits for the device while it lasts."""
        if self.warmup is None or self.schedule_state.warmup_end is not None:
            return
        error = 100 * wrong.item() / self.config.optim.batch_size
        self.recent_errors = [*self.recent_errors, error][-self.warmup.window :]
        if has_warmup_ended(self.iteration, self.recent_errors, self.warmup):
            self.schedule_state.warmup_end = self.iteration
            self.recent_errors = []

    def _watch_plateau(self, plateau: Plateau, error: float) -> None:
        """Lower the learning rate from here on if the error (percent) has stopped falling."""
        self.watched_errors.append(error)
        if has_plateaued(self.watched_errors, plateau):
            self.schedule_state.plateaus.append(self.iteration)
            self.watched_errors = []

    @property
    def has_just_plateaued(self) -> bool:
        """Has the evaluation of this iteration found a plateau?"""
        return self.schedule_state.plateaus[-1:] == [self.iteration]

    def measure_metrics(self) -> MetricsRow:
        """Evaluate the network, and return the row of this iteration.

        The running averages are those over the batches since the last row; new ones start here. At
        iteration 0 the row has neither them nor a learning rate. May find a plateau.
        """
        row: MetricsRow = {ITERATION: self.iteration}
        if self.running_batches:
            images = self.running_batches * self.config.optim.batch_size
            row[LR] = self.lr
            row[RUNNING_ERROR] = 100 * self.running_wrong.item() / images
            row[RUNNING_LOSS] = self.running_loss.item() / self.running_batches
        with eval_batchnorm(self.network, self.config, self.loader):
            row |= self._measure_errors()
        if self.schedule_state.warmup_end is not None:
            row[WARMUP_END] = self.schedule_state.warmup_end
        plateau = self.config.schedule.plateau
        if plateau is not None:
            watched = VALIDATION_ERROR if VALIDATION_ERROR in row else TEST_ERROR
            self._watch_plateau(plateau, float(row[watched] or 0.0))
            row[PLATEAUS] = len(self.schedule_state.plateaus)
        self._reset_running()
        return row

    def _measure_errors(self) -> MetricsRow:
        """Return every error and loss of the network on every split."""
        precision, shard = self.config.precision, self.group.shard
        evaluations = [
            (CLEAN_ERROR, CLEAN_LOSS, self.loader.clean_batches("train", shard)),
            (AUGMENTED_ERROR, AUGMENTED_LOSS, self.loader.augmented_batches(self.iteration, shard)),
            (TEST_ERROR, TEST_LOSS, self.loader.clean_batches("test", shard)),
        ]
        if "validation" in self.loader.sizes:
            validation = self.loader.clean_batches("validation", shard)
            evaluations.append((VALIDATION_ERROR, VALIDATION_LOSS, validation))
        row: MetricsRow = {}
        for error, loss, batches in evaluations:
            result = evaluate(self.network, batches, precision, self.group)
            row[error] = result.error
            # with BN's moving averages, the logits of a deep plain network may overflow in its
            # first iterations although it trains
            row[loss] = result.loss if math.isfinite(result.loss) else None
        views = self.loader.ten_crop_batches(shard)
        if views is not None:
            result = evaluate(self.network, views, precision, self.group)
            row[TEN_CROP_ERROR] = result.error
            row[TEN_CROP_TOP5_ERROR] = result.top5_error
        return row

    def take_probes(self) -> Iterator[ProbeResult]:
        """Run the configured probes on the network; they do not change the training."""
        for name in self.config.probes.training:
            if not is_applicable(name, self.config.model.shortcut):
                continue
            batch = sample_probe_batch(name, self.loader, self.config.probes)
            with eval_batchnorm(self.network, self.config, self.loader):
                table = measure_probe(name, self.network, batch, self.config.seed, self.iteration)
            yield ProbeResult(self.iteration, name, len(batch[1]), table)


def fit(trainer: Trainer) -> Iterator[Event]:
    """Train to the end of the schedule, and yield what happens.

    The order within one iteration is: Metrics, Snapshot, ProbeResult, Progress, so that all rows of
    an iteration come before the state that contains them. Training ends early, with `Divergence`,
    at the first evaluation after a loss that was not finite.
    """
    schedule, probed = trainer.config.schedule, probe_iterations(trainer.config)
    if trainer.iteration == 0:
        yield from _begin(trainer)
    while trainer.iteration < schedule.iterations:
        trainer.step()
        iteration = trainer.iteration
        if is_evaluated(iteration, schedule.iterations, schedule.evaluate_every):
            diverged_at = int(trainer.diverged_at.item())
            if diverged_at:
                yield Divergence(diverged_at)
                return
            yield Metrics(trainer.measure_metrics())
        if iteration in schedule.snapshots:
            yield Snapshot(iteration, copy_weights(trainer.network))
        if iteration in probed or trainer.has_just_plateaued:
            yield from trainer.take_probes()
        yield Progress(iteration)


def _begin(trainer: Trainer) -> Iterator[Event]:
    """Yield what is measured before the first update."""
    if 0 in trainer.config.schedule.snapshots:
        yield Snapshot(0, copy_weights(trainer.network))
    if trainer.config.model.grown_from is not None:
        yield Metrics(trainer.measure_metrics())  # what the construction alone has reached
    yield from trainer.take_probes()
