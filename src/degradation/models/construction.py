"""The solution by construction (He et al. 2015, section 1): deeper, but the same function.

Identity blocks are appended to each stage of a trained plain network. Their convolutions copy the
input, their BN layers undo their own normalisation, and their ReLUs get non-negative inputs. Each
added BN layer stores its input's mean and variance as moving averages; its scale and shift restore
them at its output. So it is exactly the identity in eval mode, and approximately in train mode,
where each batch is normalised by its own statistics.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.blocks import Block
from degradation.models.network import Network

CANDIDATES = 16  # float32 variances to try, from the measured one upwards


@torch.no_grad()
def grow(shallow: Network, model: Model, batches: Callable[[], Iterable[Tensor]]) -> Network:
    """Build the network of `model`: `shallow` with identity blocks at the end of each stage.

    In the same memory format, both networks give bit-identical logits.

    Args:
        shallow: a trained plain network in eval mode, of basic blocks with order `post`.
        model: the deeper network's configuration; it differs from the shallow one only in depth.
        batches: returns batches of normalised training images (B, C, H, W), from which the
            statistics of the added BN layers are computed. Called once per stage.

    Returns:
        The network in eval mode, on the device of `shallow`.
    """
    channels, classes = shallow.conv1.in_channels, shallow.fc.out_features
    deep = Network(model, channels, classes).to(shallow.conv1.weight)
    for name in ("conv1", "bn1", "fc"):
        deep.get_submodule(name).load_state_dict(shallow.get_submodule(name).state_dict())
    for stage in shallow.stages:
        mean, variance = _measure_stage_output(shallow, stage, batches())
        trained_blocks = list(shallow.get_submodule(stage).children())
        blocks = list(deep.get_submodule(stage).children())
        copied, added = blocks[: len(trained_blocks)], blocks[len(trained_blocks) :]
        for source, target in zip(trained_blocks, copied, strict=True):
            target.load_state_dict(source.state_dict())
        for target in added:
            _make_identity(target, mean, variance)
    return deep.eval()


def _measure_stage_output(
    network: Network, stage: str, batches: Iterable[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the mean and variance (C,) of a stage's output over images and positions.

    They are summed in float64 and returned in float32.
    """
    total, squares, count = torch.zeros(()), torch.zeros(()), 0
    outputs: list[Tensor] = []

    def keep_output(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output)

    hook = network.get_submodule(stage).register_forward_hook(keep_output)
    for images in batches:
        network(images)
        values = outputs.pop().double()
        total = total.to(values) + values.sum((0, 2, 3))
        squares = squares.to(values) + values.square().sum((0, 2, 3))
        count += values.numel() // values.shape[1]
    hook.remove()
    mean = total / count
    variance = (squares / count - mean.square()).clamp_min(0)
    return mean.float(), variance.float()


def _make_identity(block: nn.Module, mean: Tensor, variance: Tensor) -> None:
    """Set a block's parameters and BN statistics so that it copies its non-negative input."""
    assert isinstance(block, Block)
    for convolution, norm in block.conv_bn_pairs():
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.dirac_(convolution.weight)
        scale, exact_variance = find_exact_scale(variance, norm.eps)
        norm.running_mean, norm.running_var = mean.clone(), exact_variance
        norm.weight.copy_(scale)
        norm.bias.copy_(mean)


def find_exact_scale(variance: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Find a scale and a variance with which BN multiplies by exactly 1.

    In float32, sqrt(v + eps) times the rounded 1 / sqrt(v + eps) is not 1 for every v. The search
    therefore tries variances just above the measured one, and scales next to the root. Each pair is
    checked by BN itself, because its rounding depends on the device.

    Args:
        variance: the measured variances, float32 (C,).
        eps: the constant that BN adds to a variance.

    Returns:
        The scales and the variances, float32 (C,). A channel without an exact pair keeps
        sqrt(variance + eps) and the measured variance.
    """
    exact_scale, exact_variance = torch.sqrt(variance + eps), variance.clone()
    unsolved = torch.ones_like(variance, dtype=torch.bool)
    shifted = variance + eps
    step = torch.nextafter(shifted, torch.full_like(shifted, torch.inf)) - shifted
    zeros = torch.zeros_like(variance)
    ones = torch.ones(1, len(variance), 1, 1).to(variance)
    for distance in range(CANDIDATES):
        candidate = variance + distance * step
        root = torch.sqrt(candidate + eps)
        above = torch.nextafter(root, torch.full_like(root, torch.inf))
        below = torch.nextafter(root, torch.full_like(root, -torch.inf))
        for scale in (root, above, below):
            product = F.batch_norm(ones, zeros, candidate, scale, zeros, training=False, eps=eps)
            is_solution = (product.flatten() == 1) & unsolved
            exact_scale[is_solution] = scale[is_solution]
            exact_variance[is_solution] = candidate[is_solution]
            unsolved &= ~is_solution
    return exact_scale, exact_variance
