"""Paths (Veit et al. 2016): how long are the paths that carry the gradient?

A residual network of n blocks is a collection of 2^n paths. Each takes every block's convolutions
or its shortcut, and its length is the number of convolutions it takes (counted in blocks). The
gradients of all paths add up to dE/dx_0.
"""

import math

import torch
from torch import Tensor

from degradation.models.batchnorm import batch_statistics
from degradation.models.network import Network
from degradation.models.random_draws import seed_block
from degradation.probes.block_gradients import BlockGradients, loss_through_blocks, to_float64
from degradation.probes.table import Table, to_column
from degradation.registry import PROBES

LENGTHS = 16  # maximum number of lengths at which single paths are sampled
SAMPLES = 8  # sampled paths per length


@PROBES.register(
    "paths",
    at=("start", "end"),
    split="train",
    needs_shortcuts=True,
    columns={
        "length": "count",
        "paths": "size",
        "path_gradient": "size or null",
        "sum_gradient": "size or null",
    },
)
def measure_paths(
    network: Network,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    samples: int = SAMPLES,
) -> Table:
    """Measure how much of the gradient dE/dx_0 the paths of each length carry.

    In float64, because a long path carries as little as 1e-30 of the gradient. BN normalises by the
    batch, as in training. At most `MAX_IMAGES` images are used. Networks with shortcuts only.

    Args:
        images: float (N, C, H, W), normalised.
        labels: int64 (N,).
        samples: random paths per sampled length.

    Returns:
        One row per length 0 to n. `paths`: how many have this length. `path_gradient`: the mean
        Euclidean norm of one path's gradient over the sampled paths, or None for lengths that are
        not sampled. `sum_gradient`: the norm of the sum over all paths of this length, exact.
    """
    network, images, labels = to_float64(network, images, labels)
    blocks = list(network.blocks())
    n = len(blocks)
    with batch_statistics(network), torch.enable_grad():
        loss, inputs = loss_through_blocks(network, images, labels)
        last = torch.autograd.grad(loss, inputs[-1])[0]
        terms = []
        for number, block in enumerate(blocks):
            seed_block(network, number)
            terms.append(BlockGradients(block, inputs[number]))
        sums = _sum_by_length(terms, last)
        sampled = {
            length: _sample_norm(terms, last, length, samples, generator)
            for length in _spread_lengths(n)
        }
    path_gradients: list[float | None] = []
    for length in range(n + 1):
        path_gradients += to_column([sampled[length]]) if length in sampled else [None]
    return {
        "length": list(range(n + 1)),
        "paths": [float(math.comb(n, length)) for length in range(n + 1)],
        "path_gradient": path_gradients,
        "sum_gradient": to_column(total.norm().item() for total in sums),
    }


def _spread_lengths(n: int) -> list[int]:
    """Return at most LENGTHS lengths, spread evenly over 0 to n."""
    lengths = torch.linspace(0, n, min(LENGTHS, n + 1)).tolist()
    return sorted({round(length) for length in lengths})


def _sum_by_length(terms: list[BlockGradients], last: Tensor) -> list[Tensor]:
    """Return the part of dE/dx_0 that all paths of each length 0 to n carry together.

    With each block's Jacobian written as S + t F', the gradient is a polynomial in t. The part of
    length k is the coefficient of t^k. `sums` holds the coefficients from the last block down.
    """
    sums = [last]
    for block in reversed(terms):
        same_length = [block.by_shortcut(gradient) for gradient in sums]
        one_longer = [block.by_convolutions(gradient) for gradient in sums]
        # no path of length 0 takes the block's convolutions
        one_longer.insert(0, torch.zeros_like(same_length[0]))
        longest = one_longer.pop()
        pairs = zip(same_length, one_longer, strict=True)
        sums = [by_shortcut + by_convolutions for by_shortcut, by_convolutions in pairs]
        sums.append(longest)
    return sums


def _sample_norm(
    terms: list[BlockGradients],
    last: Tensor,
    length: int,
    samples: int,
    generator: torch.Generator,
) -> float:
    """Return the mean norm of the gradient along random paths of one length."""
    n = len(terms)
    count = min(samples, math.comb(n, length))
    norms: list[float] = []
    for _ in range(count):
        convolutions = set(torch.randperm(n, generator=generator)[:length].tolist())
        norms.append(_follow_path(terms, last, convolutions).norm().item())
    return sum(norms) / count


def _follow_path(terms: list[BlockGradients], last: Tensor, convolutions: set[int]) -> Tensor:
    """Return one path's part of dE/dx_0.

    Args:
        convolutions: the blocks whose convolutions the path takes; it takes the others' shortcuts.
    """
    gradient = last
    for number in reversed(range(len(terms))):
        block = terms[number]
        if number in convolutions:
            gradient = block.by_convolutions(gradient)
        else:
            gradient = block.by_shortcut(gradient)
    return gradient
