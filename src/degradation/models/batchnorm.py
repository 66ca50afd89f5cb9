"""Choose the statistics by which BN normalises: each batch's own, or exact ones of many batches."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BatchNorm = nn.modules.batchnorm._BatchNorm  # of vectors, images or volumes


def batchnorm_layers(network: nn.Module) -> list[BatchNorm]:
    """Return all BN layers with moving averages of a network, in the order of its modules."""
    layers = [module for module in network.modules() if isinstance(module, BatchNorm)]
    return [layer for layer in layers if layer.running_mean is not None]


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Within this context, BN normalises by each batch's own statistics, as in training.

    The moving averages do not change, and other buffers that change in train mode, such as those of
    spectral normalisation, are restored at the end. The statistics are those of the whole batch,
    whatever the value of `model.bn_parts`.
    """
    was_training = network.training
    saved = _copy_buffers(network)
    norms = batchnorm_layers(network)
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
        _restore(network, saved)


@contextmanager
def exact_statistics(
    network: nn.Module, batches: Iterable[Tensor], forward: Callable[[Tensor], Tensor] | None = None
) -> Iterator[None]:
    """Within this context, BN's moving averages are the exact statistics of its inputs.

    The mean and variance of each channel are pooled over all images of `batches` and all positions,
    whatever the batch sizes. While they are measured, each batch is normalised by its own
    statistics, as in training (precise BN, Wu and Johnson 2021), so each batch should be a
    representative sample of the classes. Momentum and mode (train or eval) are restored before the
    context begins, and all buffers of the network when it ends, so training continues unchanged.

    Args:
        batches: float (B, C, H, W), on the network's device.
        forward: a function that runs the network on a batch; the network itself by default.

    Raises:
        ValueError: a batch has only one value per channel (raised by PyTorch).
    """
    norms = batchnorm_layers(network)
    saved = _copy_buffers(network)
    pools = _pool_statistics(network, norms, batches, forward or network, saved)
    for norm, pool in zip(norms, pools, strict=True):
        pool.copy_to(norm)
    try:
        yield
    finally:
        _restore(network, saved)


def _copy_buffers(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.named_buffers()}


def _pool_statistics(
    network: nn.Module,
    norms: list[BatchNorm],
    batches: Iterable[Tensor],
    forward: Callable[[Tensor], Tensor],
    saved: dict[str, Tensor],
) -> list["_Pool"]:
    """Run all batches in train mode, and return the pooled statistics of each BN layer."""
    was_training = network.training
    momenta = [norm.momentum for norm in norms]
    pools = [_Pool() for _ in norms]
    hooks = [norm.register_forward_hook(pool.add) for norm, pool in zip(norms, pools, strict=True)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0  # then the moving averages are the statistics of the latest batch
    network.train()
    try:
        with torch.no_grad():
            for images in batches:
                forward(images)
    finally:
        for norm, hook, momentum in zip(norms, hooks, momenta, strict=True):
            hook.remove()
            norm.momentum = momentum
        network.train(was_training)
        _restore(network, saved)
    return pools


def _restore(network: nn.Module, saved: dict[str, Tensor]) -> None:
    """Copy the values into the buffers, in place: captured CUDA graphs hold their addresses."""
    for name, value in saved.items():
        network.get_buffer(name).copy_(value)


class _Pool:
    """Mean and sum of squared deviations per channel over all batches so far (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count = 0  # values per channel
        self.mean = torch.zeros((), dtype=torch.float64)
        self.squares = torch.zeros((), dtype=torch.float64)  # sum of squared deviations

    def add(self, norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        """Add a batch (B, C, H, W). This is a forward hook of a BN layer whose momentum is 1."""
        count = inputs[0].numel() // inputs[0].shape[1]
        mean = norm.get_buffer("running_mean").cpu().double()  # some devices have no float64
        squares = norm.get_buffer("running_var").cpu().double() * (count - 1)
        total = self.count + count
        difference = mean - self.mean
        between = difference.square() * self.count * count / total
        self.squares = self.squares + squares + between
        self.mean = self.mean + difference * count / total
        self.count = total

    def copy_to(self, norm: BatchNorm) -> None:
        """Copy the statistics to a layer's moving averages, unless no batch has been added.

        The sum of squared deviations is divided by n - 1, as in PyTorch's moving variance.
        """
        if self.count:
            norm.get_buffer("running_mean").copy_(self.mean)
            norm.get_buffer("running_var").copy_(self.squares / (self.count - 1))
