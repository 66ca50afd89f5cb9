"""Error and loss of a network in eval mode, with BN's moving averages or exact statistics."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from degradation.config import Config, Precision
from degradation.data.loaders import Loader
from degradation.models.batchnorm import exact_statistics
from degradation.models.error_counts import ErrorCounts, count_errors
from degradation.training.device import at_least_float32, autocast, memory_format
from degradation.training.distributed import SINGLE, WorkerGroup


def evaluate(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    precision: Precision,
    group: WorkerGroup = SINGLE,
) -> ErrorCounts:
    """Measure errors and loss over all images of the batches; the network is in train mode after.

    Args:
        batches: images (B, C, H, W), or (B, views, C, H, W) to judge each image by the mean
            probability over its views; and int64 labels (B,).
        group: each of its processes passes batches of its own and gets the sums over all of them.
    """
    network.eval()
    counts = count_errors(partial(compute_logits, network, precision=precision), batches)
    network.train()
    if group.is_single:
        return counts
    own = [counts.images, counts.wrong, counts.wrong_top5, counts.loss_sum]
    return ErrorCounts(*group.sum(torch.tensor(own, dtype=torch.float64)).tolist())


def compute_logits(network: nn.Module, images: Tensor, precision: Precision) -> Tensor:
    """Return logits (B, classes) in float32, or in float64 if the network is in float64.

    Args:
        images: (B, C, H, W), or (B, views, C, H, W): then the result is the logarithm of the mean
            probability over the views.
    """
    has_views = images.dim() == 5
    flat = images.flatten(0, 1) if has_views else images
    with autocast(flat.device, precision):
        logits: Tensor = network(flat.contiguous(memory_format=memory_format(precision)))
    logits = at_least_float32(logits)
    if not has_views:
        return logits
    classes = logits.shape[1]
    probabilities = logits.softmax(1).view(-1, images.shape[1], classes)
    return probabilities.mean(1).log()


@contextmanager
def eval_batchnorm(network: nn.Module, config: Config, loader: Loader) -> Iterator[None]:
    """Within this context, BN has the statistics that a run is evaluated with.

    Those are its moving averages (`model.bn_statistics: moving`), or the exact statistics over the
    training images (`exact`).
    """
    if config.model.bn_statistics == "moving":
        yield
        return
    batches = (images for images, _ in loader.shuffled_batches())
    forward = partial(compute_logits, network, precision=config.precision)
    with exact_statistics(network, batches, forward):
        yield
