"""The solution by construction (He et al. 2015, section 1): a trained plain net, made deeper, does what it did.

The added layers are identities at the end of each stage: convolutions that copy, BN that undoes itself, ReLU on an
input that is not negative already. BN is given the statistics of what passes through it as both its moving averages
and its scale and shift, so that it is the identity in eval mode exactly, and in train mode up to the batch's own
statistics.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.blocks import Block
from degradation.models.network import Network

STEPS = 16  # representable numbers above the variance that are tried


@torch.no_grad()
def grow(shallow: Network, model: Model, batches: Callable[[], Iterable[Tensor]]) -> Network:
    """A network of `model`, deeper than `shallow` by identity blocks.

    shallow: a trained plain net in eval mode (order post, basic blocks). batches: the normalised pictures (B, C, H, W)
    over which the added BN layers' statistics are taken. In one memory format both nets give the same logits, bit for
    bit.
    """
    deep = Network(model, shallow.conv1.in_channels, shallow.fc.out_features).to(
        shallow.conv1.weight
    )
    for name in ("conv1", "bn1", "fc"):
        deep.get_submodule(name).load_state_dict(shallow.get_submodule(name).state_dict())
    for stage in shallow.stages:
        mean, variance = _statistics(shallow, stage, batches())
        old, new = (
            list(shallow.get_submodule(stage).children()),
            list(deep.get_submodule(stage).children()),
        )
        for source, target in zip(old, new[: len(old)], strict=True):
            target.load_state_dict(source.state_dict())
        for target in new[len(old) :]:
            _make_identity(target, mean, variance)
    return deep.eval()


def _statistics(network: Network, stage: str, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of a stage's output over pictures and positions, summed in float64."""
    total, squares, count = torch.zeros(()), torch.zeros(()), 0
    seen: list[Tensor] = []
    hook = network.get_submodule(stage).register_forward_hook(
        lambda _m, _i, output: seen.append(output)
    )
    for pictures in batches:
        network(pictures)
        values = seen.pop().double()
        total = total.to(values) + values.sum((0, 2, 3))
        squares = squares.to(values) + values.square().sum((0, 2, 3))
        count += values.numel() // values.shape[1]
    hook.remove()
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp_min(0).float()


def _make_identity(block: nn.Module, mean: Tensor, variance: Tensor) -> None:
    """Give a block's layers the values with which it copies its input, where that is not negative."""
    assert isinstance(block, Block)
    for convolution, norm in block.pairs():
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.dirac_(convolution.weight)
        scale, undone = _exact_inverse(variance, norm.eps)
        norm.running_mean, norm.running_var = mean.clone(), undone
        norm.weight.copy_(scale)
        norm.bias.copy_(mean)


def _exact_inverse(variance: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Scale and variance, both float32 and next to the given ones, with which BN multiplies by exactly 1.

    A rounded root times one over it is not 1 for every number, so neighbours are tried, by BN itself: how it rounds is
    the device's affair.
    """
    found_scale, found_variance = torch.sqrt(variance + eps), variance.clone()
    open_ = torch.ones_like(variance, dtype=torch.bool)
    root = variance + eps
    step = torch.nextafter(root, torch.full_like(root, torch.inf)) - root
    zero, one = torch.zeros_like(variance), torch.ones(1, len(variance), 1, 1).to(variance)
    for distance in range(STEPS):
        candidate = variance + distance * step
        middle = torch.sqrt(candidate + eps)
        for direction in (0, torch.inf, -torch.inf):
            scale = (
                torch.nextafter(middle, torch.full_like(middle, direction)) if direction else middle
            )
            factor = F.batch_norm(
                one, zero, candidate, scale, zero, training=False, eps=eps
            ).flatten()
            fits = (factor == 1) & open_
            found_scale[fits], found_variance[fits] = scale[fits], candidate[fits]
            open_ &= ~fits
    return found_scale, found_variance
