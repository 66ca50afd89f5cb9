"""Which statistics BN normalises by: a batch's own, or exact ones; its moving averages are as they were afterwards."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def norms_of(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Inside, BN normalises by each batch's own statistics, as in training, and its moving averages stay.

    By those of the whole batch, whatever `model.bn_parts` is.
    """
    was_training, norms = network.training, norms_of(network)
    tracked = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    network.train()
    try:
        yield
    finally:
        for norm, track in zip(norms, tracked, strict=True):
            norm.track_running_stats = track
        network.train(was_training)


@contextmanager
def exact_statistics(
    network: nn.Module, batches: Iterable[Tensor], forward: Callable[[Tensor], Tensor] | None = None
) -> Iterator[None]:
    """Inside, BN's moving averages are exact ones over the batches: the mean of the batches' statistics.

    `forward` passes a batch through the network, where that is not `network(batch)`. Outside the averages are as they
    were, so that training goes on unchanged.
    """
    was_training, norms = network.training, norms_of(network)
    kept = [{name: value.clone() for name, value in norm.named_buffers()} for norm in norms]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for a cumulative average
    network.train()
    with torch.no_grad():
        for pictures in batches:
            (forward or network)(pictures)
    network.train(was_training)
    try:
        yield
    finally:
        for norm, buffers, momentum in zip(norms, kept, momenta, strict=True):
            norm.momentum = momentum
            for name, value in buffers.items():
                norm.get_buffer(name).copy_(value)
