"""Paths (Veit et al. 2016): a residual network of n blocks is 2^n paths; how long are those that carry the gradient?

A path takes each block's convolutions or its shortcut; its length is the number of convolutions taken. The gradients of
all paths add up to dE/dx_0.
"""

import math

import torch
from torch import Tensor

from degradation.models.batchnorm import batch_statistics
from degradation.models.network import Network
from degradation.probes.block_gradients import BlockGradients, in_float64, loss_through_blocks
from degradation.probes.table import Table, column

LENGTHS = 16  # at which single paths are sampled
SAMPLES = 8  # paths a length


def paths(
    network: Network,
    pictures: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    samples: int = SAMPLES,
) -> Table:
    """A row a length 0 to n: `paths` of that length, and Euclidean norms of their part of dE/dx_0.

    `path_gradient`: of one path's, the mean over `samples` random paths (None for lengths that are not sampled).
    `sum_gradient`: of the sum over all paths of that length, exactly: dE/dx_0 is a polynomial in t where each block's
    Jacobian is S + t F', and this is its coefficient. BN normalises by the batch. In float64: a long path carries
    1e-30 of the gradient. Networks with shortcuts only.
    """
    network, pictures, labels = in_float64(network, pictures, labels)
    blocks = list(network.blocks())
    n = len(blocks)
    with batch_statistics(network), torch.enable_grad():
        loss, inputs = loss_through_blocks(network, pictures, labels)
        last = torch.autograd.grad(loss, inputs[-1])[0]
        terms = [BlockGradients(block, x) for block, x in zip(blocks, inputs, strict=False)]
        sums = _by_length(terms, last)
        sampled: dict[int, float] = {}
        for length in sorted(
            {round(k) for k in torch.linspace(0, n, min(LENGTHS, n + 1)).tolist()}
        ):
            drawn = min(samples, math.comb(n, length))
            norms = [
                _along(terms, last, _choose(n, length, generator)).norm().item()
                for _ in range(drawn)
            ]
            sampled[length] = sum(norms) / drawn
    lengths = range(n + 1)
    return {
        "length": list(lengths),
        "paths": [float(math.comb(n, length)) for length in lengths],
        "path_gradient": [column([sampled[k]])[0] if k in sampled else None for k in lengths],
        "sum_gradient": column(total.norm().item() for total in sums),
    }


def _by_length(terms: list[BlockGradients], last: Tensor) -> list[Tensor]:
    """The part of dE/dx_0 of all paths of each length."""
    sums = [last]
    for block in reversed(terms):
        shortcuts = [block.by_shortcut(gradient) for gradient in sums]
        longer = [block.by_convolutions(gradient) for gradient in sums]
        sums = [
            *(
                a + b
                for a, b in zip(
                    shortcuts, [torch.zeros_like(shortcuts[0]), *longer[:-1]], strict=True
                )
            ),
            longer[-1],
        ]
    return sums


def _choose(n: int, length: int, generator: torch.Generator) -> set[int]:
    return set(torch.randperm(n, generator=generator)[:length].tolist())


def _along(terms: list[BlockGradients], last: Tensor, convolutions: set[int]) -> Tensor:
    """The part of dE/dx_0 of one path: by the convolutions of these blocks, by the shortcuts of the others."""
    gradient = last
    for number in reversed(range(len(terms))):
        block = terms[number]
        gradient = (
            block.by_convolutions(gradient)
            if number in convolutions
            else block.by_shortcut(gradient)
        )
    return gradient
