"""Measure errors and losses in eval mode, with BN's moving averages or exact statistics."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from functools import partial
from itertools import count

import torch
from torch import Tensor, nn

from degradation.config import Config, Precision
from degradation.data.loaders import Loader
from degradation.data.random_streams import build_generator
from degradation.metrics import (
    AUGMENTED_ERROR,
    AUGMENTED_LOSS,
    CLEAN_ERROR,
    CLEAN_LOSS,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
    TEST_LOSS,
    VALIDATION_ERROR,
    VALIDATION_LOSS,
)
from degradation.models.batchnorm import exact_statistics
from degradation.models.error_counts import (
    BatchCounts,
    ErrorCounts,
    SplitCounts,
    count_batch_errors,
    enqueue_counts,
    read_counts,
)
from degradation.models.random_draws import network_draws
from degradation.training.cuda_graph import ReplayedCall
from degradation.training.device import at_least_float32, autocast, memory_format
from degradation.training.distributed import WorkerGroup
from degradation.training.events import MetricsRow

EAGER_CALLS = ReplayedCall(None, "an evaluation")


def evaluate_splits(
    network: nn.Module,
    loader: Loader,
    iteration: int,
    precision: Precision,
    group: WorkerGroup,
    calls: ReplayedCall = EAGER_CALLS,
    *,
    with_augmented: bool = True,
) -> MetricsRow:
    """Evaluate the network on every split, and return all errors (percent) and losses (nats).

    The training images are evaluated without augmentation and augmented. A loss that is not
    finite becomes None. Ten-crop errors are measured only if the data set is streamed. This waits
    for the device once.

    Args:
        iteration: selects the random stream of the augmentation.
        group: each of its processes evaluates its share of the batches.
        calls: as for `count_split`.
        with_augmented: whether the training images are evaluated augmented too.
    """
    shard = group.shard
    evaluations = [
        (CLEAN_ERROR, CLEAN_LOSS, loader.clean_batches("train", shard)),
        (TEST_ERROR, TEST_LOSS, loader.clean_batches("test", shard)),
    ]
    if with_augmented:
        augmented = loader.augmented_batches(iteration, shard)
        evaluations.append((AUGMENTED_ERROR, AUGMENTED_LOSS, augmented))
    if "validation" in loader.sizes:
        validation = loader.clean_batches("validation", shard)
        evaluations.append((VALIDATION_ERROR, VALIDATION_LOSS, validation))
    splits = [count_split(network, batches, precision, calls) for _, _, batches in evaluations]
    views = loader.ten_crop_batches(shard)
    if views is not None:
        splits.append(count_split(network, views, precision))
    results = _read_and_share(splits, group)
    row: MetricsRow = {}
    # the results of the views, if there are any, come after those of all evaluations
    for (error, loss, _), counts in zip(evaluations, results, strict=False):
        row[error] = counts.error
        # with BN's moving averages, the logits of a deep plain network may overflow in its first
        # iterations although its training loss is finite
        row[loss] = counts.loss if math.isfinite(counts.loss) else None
    if views is not None:
        row[TEN_CROP_ERROR] = results[-1].error
        row[TEN_CROP_TOP5_ERROR] = results[-1].top5_error
    return row


def evaluate(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    precision: Precision,
) -> ErrorCounts:
    """Count errors and sum losses over all images of the batches, as `count_split` does."""
    (counts,) = read_counts([count_split(network, batches, precision)])
    return counts


def count_split(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    precision: Precision,
    calls: ReplayedCall = EAGER_CALLS,
) -> SplitCounts:
    """Count the errors and losses of all batches in eval mode, without waiting for the device.

    Afterwards the network is in train mode.

    Args:
        batches: images (B, C, H, W) and int64 labels (B,). Images (B, views, C, H, W) are
            classified by the mean probability over their views.
        calls: make each call that evaluates a batch, perhaps as a CUDA graph. They must be of
            this network only.
    """

    def evaluate_batch(images: Tensor, labels: Tensor) -> BatchCounts:
        return count_batch_errors(compute_logits(network, images, precision), labels)

    network.eval()
    counts = enqueue_counts(partial(calls, evaluate_batch), batches)
    network.train()
    return counts


def _read_and_share(splits: Sequence[SplitCounts], group: WorkerGroup) -> list[ErrorCounts]:
    """Return the counts of each split, summed over the processes of a group."""
    own = read_counts(splits)
    if group.is_single:
        return own
    summed = group.sum(torch.tensor([astuple(counts) for counts in own], dtype=torch.float64))
    return [ErrorCounts(*values) for values in summed.tolist()]


def compute_logits(network: nn.Module, images: Tensor, precision: Precision) -> Tensor:
    """Return logits (B, classes) in float32, or in float64 if the network is in float64.

    Args:
        images: (B, C, H, W), or (B, views, C, H, W). With views, the logits are the logarithm of
            the mean probability over the views.
    """
    has_views = images.dim() == 5
    flat = images.flatten(0, 1) if has_views else images
    with autocast(flat.device, precision):
        layout = memory_format(precision, flat.device)
        logits: Tensor = network(flat.contiguous(memory_format=layout))
    logits = at_least_float32(logits)
    if not has_views:
        return logits
    classes = logits.shape[1]
    probabilities = logits.softmax(1).view(-1, images.shape[1], classes)
    return probabilities.mean(1).log()


@contextmanager
def eval_batchnorm(
    network: nn.Module, config: Config, loader: Loader, sample: int | None = None
) -> Iterator[None]:
    """Within this context, BN has the statistics for evaluation.

    These are its moving averages (`model.bn_statistics: moving`), or the exact statistics over the
    training images (`exact`).

    Args:
        sample: use only so many training images for exact statistics, spread evenly over all.
    """
    if config.model.bn_statistics == "moving":
        yield
        return
    chosen = loader.shuffled_batches() if sample is None else loader.sample_batches("train", sample)
    batches = (images for images, _ in chosen)
    numbers = count()

    def forward(images: Tensor) -> Tensor:
        # what the network draws follows from the run's seed and the batch
        generator = build_generator(config.seed, "statistics", next(numbers))
        with network_draws(network, generator, images.device):
            return compute_logits(network, images, config.precision)

    with exact_statistics(network, batches, forward):
        yield
