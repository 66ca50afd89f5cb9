"""Which statistics BN normalises by: a batch's own, or exact ones; its moving averages are restored afterwards."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def batchnorm_layers(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Inside, BN normalises by each batch's own statistics, as in training, and its moving averages stay.

    By those of the whole batch, whatever `model.bn_parts` is.
    """
    was_training, norms = network.training, batchnorm_layers(network)
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
    """Inside, BN's moving averages are the mean and variance of its input over all images of the batches.

    Means and squares are summed over images, channels apart, so neither the batches' sizes nor their order weighs.
    The signal is normalised by each batch's own statistics on its way, as in training (precise BN, Wu and Johnson
    2021), so a batch should hold a fair sample of the classes: one of two images is no such sample, and one with a
    single value per channel cannot be normalised at all (ValueError, from PyTorch).

    Args:
        batches: float (B, C, H, W), on the network's device.
        forward: passes a batch through the network, where that is not `network(batch)`.

    Outside the averages are as they were, so that training continues unchanged.
    """
    was_training, norms = network.training, batchnorm_layers(network)
    kept = [{name: value.clone() for name, value in norm.named_buffers()} for norm in norms]
    momenta = [norm.momentum for norm in norms]
    pools = [_Pool() for _ in norms]
    hooks = [norm.register_forward_hook(pool.add) for norm, pool in zip(norms, pools, strict=True)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0  # the moving averages are then those of the latest batch alone
    network.train()
    try:
        with torch.no_grad():
            for images in batches:
                (forward or network)(images)
    finally:
        for norm, hook, momentum in zip(norms, hooks, momenta, strict=True):
            hook.remove()
            norm.momentum = momentum
        network.train(was_training)
        _restore(norms, kept)
    for norm, pool in zip(norms, pools, strict=True):
        pool.give(norm)
    try:
        yield
    finally:
        _restore(norms, kept)


def _restore(norms: list[nn.BatchNorm2d], kept: list[dict[str, Tensor]]) -> None:
    for norm, buffers in zip(norms, kept, strict=True):
        for name, value in buffers.items():
            norm.get_buffer(name).copy_(value)


class _Pool:
    """Mean and sum of squared deviations of each channel, of all batches seen so far (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count = 0  # values of one channel
        self.mean = torch.zeros((), dtype=torch.float64)
        self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        """A forward hook of a BN layer whose moving averages are those of the batch (B, C, H, W) it has just seen."""
        count = inputs[0].numel() // inputs[0].shape[1]
        mean = norm.get_buffer("running_mean").cpu().double()  # some devices have no float64
        squares = norm.get_buffer("running_var").cpu().double() * (count - 1)
        total = self.count + count
        apart = mean - self.mean
        self.squares = self.squares + squares + apart.square() * self.count * count / total
        self.mean = self.mean + apart * count / total
        self.count = total

    def give(self, norm: nn.BatchNorm2d) -> None:
        """Make them the moving averages of a layer, unless it has seen nothing. The variance is PyTorch's, by n - 1."""
        if self.count:
            norm.get_buffer("running_mean").copy_(self.mean)
            norm.get_buffer("running_var").copy_(self.squares / (self.count - 1))
