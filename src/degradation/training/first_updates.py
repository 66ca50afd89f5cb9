"""Measure the numbers of a run's first updates, by which two versions of the code are compared."""

import math
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from degradation.config import Config, effective_schedule, effective_warmup, parent_config
from degradation.data.datasets import Dataset, StreamedDataset
from degradation.registry import SHAPES
from degradation.training.constructed_network import start_from_grown
from degradation.training.evaluate import eval_batchnorm, evaluate
from degradation.training.schedule import (
    ScheduleState,
    has_plateaued,
    has_warmup_ended,
    learning_rate,
)
from degradation.training.trainer import Trainer

UPDATES = 4
EVALUATED_IMAGES = 250

Numbers = dict[str, list[float | None]]  # None: not finite


def measure_first_updates(
    config: Config, dataset: Dataset | StreamedDataset, device: torch.device
) -> Numbers:
    """Return what the code computes in the first updates of a run.

    The first three updates are the run's own; the fourth uses the schedule's last learning rate, to
    show how the optimiser handles a drop.

    Numbers of different releases are compared by name, so the meaning of a name must never change.
    The training of the run itself is not affected. A constructed network is grown from an untrained
    parent, since its trained parent may not exist.

    Returns:
        losses: the training loss of each update, in nats.
        weights: the sum of all squared parameters after the last update. It reveals a change in
        weight decay, which barely affects the losses of a network with BN.
        evaluation: error in percent and mean loss of some training images without and with
            augmentation, and of some test images.
        rates: the learning rates of the schedule, and how often its conditions are met for a
            made-up history of errors.
    """
    # capturing a graph would take longer than these few updates
    trainer = Trainer(replace(config, cuda_graphs=False), dataset, device)
    _grow_from_initial_parent(config, trainer)
    losses = []
    for update in range(UPDATES):
        if update == UPDATES - 1:
            _skip_to_last_learning_rate(trainer)
        before = trainer.sums.loss.item()
        trainer.step()
        losses.append(trainer.sums.loss.item() - before)
    squares = [_sum_squares(parameter) for parameter in trainer.network.parameters()]
    numbers = {
        "losses": losses,
        "weights": [sum(squares)],
        "evaluation": _evaluate_samples(trainer),
        "rates": [*_list_learning_rates(config), float(_count_met_conditions(config))],
    }
    return {name: list(map(_finite_or_none, values)) for name, values in numbers.items()}


def _sum_squares(parameter: nn.Parameter) -> float:
    return float(parameter.detach().cpu().double().square().sum())


def _skip_to_last_learning_rate(trainer: Trainer) -> None:
    """Move the trainer to the schedule's last iteration, past the warm-up and all drops."""
    trainer.iteration = trainer.config.schedule.iterations - 1
    trainer.sums.updates.fill_(trainer.iteration)
    if trainer.schedule.warmup is not None:
        trainer.schedule_state.warmup_end = trainer.iteration


def _grow_from_initial_parent(config: Config, trainer: Trainer) -> None:
    parent = parent_config(config)
    if parent is None:
        return
    batches = partial(trainer.loader.sample_batches, "train", EVALUATED_IMAGES)
    start_from_grown(trainer, parent, batches)


def _evaluate_samples(trainer: Trainer) -> list[float]:
    """Return the error in percent and the mean loss of a sample of images of each kind."""
    loader = trainer.loader
    # larger batches are evaluated on a GPU, but the images must be those of every release
    images, labels = next(loader.augmented_batches(trainer.iteration))
    samples = [
        loader.sample_batches("train", EVALUATED_IMAGES),
        [(images[:EVALUATED_IMAGES], labels[:EVALUATED_IMAGES])],
        loader.sample_batches("test", EVALUATED_IMAGES),
    ]
    values = []
    with eval_batchnorm(trainer.network, trainer.config, loader, EVALUATED_IMAGES):
        for batches in samples:
            counts = evaluate(trainer.network, batches, trainer.config.precision)
            values += [counts.error, counts.loss]
    return values


def _list_learning_rates(config: Config) -> list[float]:
    """Return the learning rate of the warm-up, and those at the start, the milestones and the end.

    At a milestone, and at the end of a linear warm-up, both sides count. If the learning rate falls
    without drops, those after each quarter of the schedule count too.
    """
    schedule, lr = effective_schedule(config), config.optim.lr
    after_warmup = replace(schedule, warmup=None)
    iterations = {0, schedule.iterations - 1}
    if schedule.linear_warmup:
        iterations |= {schedule.linear_warmup - 1, schedule.linear_warmup}
    if not SHAPES.facts(schedule.shape)["has_drops"]:
        iterations |= {schedule.iterations * quarter // 4 for quarter in (1, 2, 3)}
    for milestone in schedule.milestones:
        iterations |= {milestone - 1, milestone}
    first_rate = learning_rate(0, lr, schedule, ScheduleState())
    later_rates = [
        learning_rate(iteration, lr, after_warmup, ScheduleState())
        for iteration in sorted(iterations)
    ]
    return [first_rate, *later_rates]


def _count_met_conditions(config: Config) -> int:
    """Return how often the schedule's conditions are met for a made-up history of errors.

    The error falls from 100 % to 0 % in steps of 1 point, and stays there.
    """
    length = 200
    history = [max(100.0 - step, 0.0) for step in range(length)]
    count = 0
    warmup, plateau = effective_warmup(config), config.schedule.plateau
    for iteration in range(1, length):
        past = history[:iteration]
        if warmup is not None and has_warmup_ended(iteration, past[-warmup.window :], warmup):
            count += 1
        if plateau is not None and has_plateaued(past, plateau):
            count += 1
    return count


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
