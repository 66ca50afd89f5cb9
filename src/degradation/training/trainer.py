"""Train one network: `fit` runs the training loop and yields an event for all that happens.

Training knows nothing of records: the consumer of the events decides what to store. After every
`Progress` the trainer's state is complete, so a checkpoint can be saved there, at any iteration.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from degradation.config import (
    Config,
    Plateau,
    check_batchnorm,
    effective_schedule,
    is_applicable,
    is_evaluated,
    probe_iterations,
)
from degradation.data.datasets import Dataset, StreamedDataset
from degradation.data.loaders import build_loader
from degradation.data.random_streams import build_generator
from degradation.metrics import (
    ITERATION,
    LR,
    PLATEAUS,
    RUNNING_ERROR,
    RUNNING_LOSS,
    TEST_ERROR,
    VALIDATION_ERROR,
    WARMUP_END,
    is_augmented_measured,
)
from degradation.models.random_draws import network_draws
from degradation.probes.measure import can_measure, measure_probe, sample_probe_batch
from degradation.training.cuda_graph import ReplayedCall, find_capturer
from degradation.training.device import place_network
from degradation.training.distributed import SINGLE, WorkerGroup
from degradation.training.evaluate import eval_batchnorm, evaluate_splits
from degradation.training.events import (
    Divergence,
    Event,
    Metrics,
    MetricsRow,
    ProbeResult,
    Progress,
    Snapshot,
)
from degradation.training.initial_network import build_initial_network
from degradation.training.optimizer import build_optimizer, train_step
from degradation.training.running_sums import RunningSums
from degradation.training.schedule import (
    ScheduleState,
    has_plateaued,
    has_warmup_ended,
    learning_rate,
)
from degradation.training.serialization import copy_weights


class Trainer:
    """A network, its optimiser, its data, and everything else that training resumes from.

    Attributes:
        iteration: number of weight updates so far.
        lr: learning rate of the last update.
        schedule: the schedule, with the warm-up that this run has.
        schedule_state: the end of the warm-up and the plateaus, which change the learning rate.
        recent_errors: training errors in percent of the latest batches, while the warm-up lasts.
        watched_errors: errors in percent at the evaluations since the last plateau. They are
            validation errors, or test errors if there are no validation images.
        sums: running sums over the training batches, and the iteration of a divergence.
    """

    def __init__(
        self, config: Config, dataset: Dataset | StreamedDataset, device: torch.device
    ) -> None:
        self.config, self.device, self.group = config, device, SINGLE
        self.schedule = effective_schedule(config)
        self.loader = build_loader(dataset, config, device)
        check_batchnorm(config, dataset.side)
        self.start_from(build_initial_network(config, dataset.channels, dataset.classes))
        self.iteration = 0
        self.inputs = self.loader.training_inputs(0)
        self.lr = 0.0
        self.schedule_state = ScheduleState()
        self.recent_errors: list[float] = []
        self.watched_errors: list[float] = []
        self.sums = RunningSums(device)

    def start_from(self, network: nn.Module) -> None:
        """Replace the network with this one and the optimiser with a new one."""
        self.network = place_network(network, self.config.precision, self.device)
        self.network.train()
        self.optimizer = build_optimizer(self.network, self.config.optim)
        self.wrapped_network = self.group.wrap(self.network, self.config.model.bn_parts)
        self._prepare_replayed_calls()

    def join(self, group: WorkerGroup) -> None:
        """Continue as one process of a group. All its processes must be in the same state."""
        self.group = group
        self.wrapped_network = group.wrap(self.network, self.config.model.bn_parts)
        self.inputs = self.loader.training_inputs(self.iteration, group.shard)
        self._prepare_replayed_calls()

    def _prepare_replayed_calls(self) -> None:
        """Build the calls that graphs may replay, at first and whenever the weights are replaced.

        Graphs that were captured before hold the addresses of the old weights.
        """
        capturer = find_capturer(self.config, self.network, self.optimizer, self.group, self.device)
        self.replayed_update = ReplayedCall(capturer, "a training step")
        self.replayed_evaluation = ReplayedCall(capturer, "an evaluation")

    def state(self) -> dict[str, Any]:
        """Return everything that the next iteration depends on, as tensors and plain values.

        Random streams are not included: they depend only on the seed and the iteration.
        """
        return self.sums.state() | {
            "network": copy_weights(self.network),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "lr": self.lr,
            "transitions": asdict(self.schedule_state),
            "recent_errors": self.recent_errors,
            "test_errors": self.watched_errors,  # the key that checkpoints have always used
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state()` returned, on this device or another.

        If the state belongs to another network, this raises one of several exceptions, and the
        trainer must not be used any more.
        """
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.lr = state["iteration"], state["lr"]
        self.inputs = self.loader.training_inputs(self.iteration, self.group.shard)
        self.schedule_state = ScheduleState(**state["transitions"])
        self.recent_errors = list(state["recent_errors"])
        self.watched_errors = list(state["test_errors"])
        self.sums.restore(state)
        self._prepare_replayed_calls()

    def step(self) -> None:
        """Do one iteration: update the weights, the running sums and the schedule's state."""
        config, shard = self.config, self.group.shard
        inputs = next(self.inputs)

        # the learning rate depends on the number of updates before this one
        self.lr = learning_rate(self.iteration, config.optim.lr, self.schedule, self.schedule_state)
        self.optimizer.set_learning_rate(self.lr)
        # each process of a group draws for its own share of the batch
        generator = build_generator(config.seed, f"training/{shard.rank}", self.iteration)
        with network_draws(self.network, generator, self.device):
            (wrong,) = self.replayed_update(self._update_weights, *inputs)
        self.iteration += 1
        self.sums.batches += 1
        self._watch_warmup(wrong)

    def _update_weights(self, *inputs: Tensor) -> tuple[Tensor]:
        """Update the weights on one batch, and return the number of its misclassified images.

        A CUDA graph can repeat this: it has no branch on a value and no copy to or from the CPU,
        and all that changes is changed in place.
        """
        config = self.config
        images, labels = self.loader.compute_batch(inputs)
        # each process trains on its share; afterwards BN's moving averages are merged
        with self.group.merged_batchnorm(self.network, config.model.bn_parts):
            loss, wrong = train_step(
                self.wrapped_network, self.optimizer, images, labels, config.precision
            )
        # shares are equally large, so the mean of their losses is the loss of the whole batch
        loss = self.group.sum(loss) / self.group.shard.count
        wrong = self.group.sum(wrong)
        self.sums.add(loss, wrong)
        return (wrong,)

    def _watch_warmup(self, wrong: Tensor) -> None:
        """End the warm-up if its condition is met; while it lasts, a step waits for the device.

        Args:
            wrong: number of misclassified images in the batch.
        """
        warmup = self.schedule.warmup
        if warmup is None or self.schedule_state.warmup_end is not None:
            return
        error = 100 * wrong.item() / self.config.optim.batch_size
        self.recent_errors = [*self.recent_errors, error][-warmup.window :]
        if has_warmup_ended(self.iteration, self.recent_errors, warmup):
            self.schedule_state.warmup_end = self.iteration
            self.recent_errors = []

    def _watch_plateau(self, plateau: Plateau, error: float) -> None:
        """Record a plateau, which lowers the learning rate, if the error has stopped falling.

        Args:
            error: the error at this evaluation, in percent.
        """
        self.watched_errors.append(error)
        if has_plateaued(self.watched_errors, plateau):
            self.schedule_state.plateaus.append(self.iteration)
            self.watched_errors = []

    @property
    def has_just_plateaued(self) -> bool:
        """Whether the evaluation at this iteration has detected a plateau."""
        return self.schedule_state.plateaus[-1:] == [self.iteration]

    def measure_metrics(self) -> MetricsRow:
        """Evaluate the network, and return this iteration's row of metrics.

        Running averages cover the training batches since the last row, and are then reset. The row
        of iteration 0 has no running averages and no learning rate. If `schedule.plateau` is set,
        this also checks for a plateau.
        """
        schedule = self.config.schedule
        row: MetricsRow = {ITERATION: self.iteration}
        if self.sums.batches:
            images = self.sums.batches * self.config.optim.batch_size
            row[LR] = self.lr
            row[RUNNING_ERROR] = 100 * self.sums.wrong.item() / images
            row[RUNNING_LOSS] = self.sums.loss.item() / self.sums.batches
        with eval_batchnorm(self.network, self.config, self.loader):
            row |= evaluate_splits(
                self.network,
                self.loader,
                self.iteration,
                self.config.precision,
                self.group,
                self.replayed_evaluation,
                with_augmented=is_augmented_measured(
                    self.iteration, schedule.iterations, schedule.augmented_every
                ),
            )
        if self.schedule_state.warmup_end is not None:
            row[WARMUP_END] = self.schedule_state.warmup_end
        plateau = schedule.plateau
        if plateau is not None:
            error = row[VALIDATION_ERROR if VALIDATION_ERROR in row else TEST_ERROR]
            assert error is not None
            self._watch_plateau(plateau, error)
            row[PLATEAUS] = len(self.schedule_state.plateaus)
        self.sums.reset()
        return row

    def run_probes(self) -> Iterator[ProbeResult]:
        """Run the configured probes, and yield their results. Training is not affected."""
        for name in self.config.probes.training:
            if not is_applicable(name, self.config.model) or not can_measure(name, self.network):
                continue
            batch = sample_probe_batch(name, self.loader, self.config.probes)
            with eval_batchnorm(self.network, self.config, self.loader):
                table = measure_probe(name, self.network, batch, self.config.seed, self.iteration)
            yield ProbeResult(self.iteration, name, len(batch[1]), table)


def fit(trainer: Trainer) -> Iterator[Event]:
    """Train from the trainer's iteration to the end of the schedule, and yield the events.

    Within one iteration the order is Metrics, Snapshot, ProbeResult, Progress: a checkpoint that is
    saved at `Progress` comes after everything measured at that iteration. Training ends early, with
    `Divergence`, at the first evaluation after a loss that was not finite.
    """
    schedule, probed = trainer.config.schedule, probe_iterations(trainer.config)
    if trainer.iteration == 0:
        yield from _begin(trainer)
    while trainer.iteration < schedule.iterations:
        trainer.step()
        iteration = trainer.iteration
        if is_evaluated(iteration, schedule.iterations, schedule.evaluate_every):
            diverged_at = int(trainer.sums.diverged_at.item())
            if diverged_at:
                yield Divergence(diverged_at)
                return
            yield Metrics(trainer.measure_metrics())
        if iteration in schedule.snapshots:
            yield Snapshot(iteration, copy_weights(trainer.network))
        if iteration in probed or trainer.has_just_plateaued:
            yield from trainer.run_probes()
        yield Progress(iteration)


def _begin(trainer: Trainer) -> Iterator[Event]:
    """Yield the events before the first update."""
    if 0 in trainer.config.schedule.snapshots:
        yield Snapshot(0, copy_weights(trainer.network))
    if trainer.config.model.grown_from is not None:
        yield Metrics(trainer.measure_metrics())  # before any training of the constructed network
    yield from trainer.run_probes()
