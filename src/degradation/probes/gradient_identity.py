"""The gradient argument for shortcuts, checked numerically in float64: both sides of an equation.

    within a stage of pre-activation blocks (He et al. 2016)
        dE/dx_l = dE/dx_L (1 + d/dx_l sum_{i=l}^{L-1} F(x_i, W_i))
    across a change of shape
        the same, with the shortcut's Jacobian in place of 1
    blocks of He et al. 2015, with the mask M_l of the ReLU
        dE/dx_l = (S_l + F_l')^T M_l dE/dx_{l+1}

The left side is the backward pass of the whole network; the right side is computed from
vector-Jacobian products of its parts (He et al. 2016, equation 5).
"""

from typing import Any

import torch
from torch import Tensor

from degradation.models.batchnorm import batch_statistics
from degradation.models.blocks import Block
from degradation.models.network import Network
from degradation.models.random_draws import seed_block
from degradation.probes.block_gradients import (
    BlockGradients,
    list_stages,
    loss_through_blocks,
    to_float64,
)
from degradation.probes.table import Table, to_column, to_table
from degradation.registry import PROBES


@PROBES.register(
    "identity",
    at=("start", "snapshots", "end"),
    split="train",
    needs_shortcuts=True,
    columns={
        "form": ("block", "stage"),
        "block": "count",
        "shape_change": "flag",
        "gradient": "size or null",
        "by_shortcut": "size or null",
        "by_convolutions": "size or null",
        "shortcut_share": "number or null",
        "relative_difference": "size or null",
    },
)
def measure_gradient_identity(
    network: Network, images: Tensor, labels: Tensor, _generator: torch.Generator | None = None
) -> Table:
    """Compare the two sides of the equation at every block of a network with shortcuts.

    BN normalises by the batch, as in training. At most `MAX_IMAGES` images are used.

    Args:
        images: float (N, C, H, W), normalised.
        labels: int64 (N,).

    Returns:
        One row per block l of the form `block` (from x_{l+1} back to x_l), then, with order `pre`,
        one row per block of the form `stage` (from the stage's end x_L back to x_l), where all
        shortcuts in between are identities.
        `gradient`, `by_shortcut`, `by_convolutions`: Euclidean norms of the left side and of the
        right side's two terms. `shortcut_share`: the shortcut's term projected onto the gradient,
        divided by the gradient's norm; the shares of the two terms add up to 1.
        `relative_difference`: the norm of the difference of both sides, divided by the gradient's
        norm. A number that is not finite is None.
    """
    exact, images, labels = to_float64(network, images, labels)
    blocks, stages = list(exact.blocks()), list_stages(exact)
    rows: list[dict[str, Any]] = []
    is_identity: list[bool] = []  # of each block's shortcut
    with batch_statistics(exact), torch.enable_grad():
        loss, inputs = loss_through_blocks(exact, images, labels)
        gradients = torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)
        for number, block in enumerate(blocks):
            seed_block(exact, number)
            terms = BlockGradients(block, inputs[number])
            is_identity.append(terms.has_identity_shortcut)
            after = gradients[number + 1]
            by_shortcut, by_convolutions = terms.by_shortcut(after), terms.by_convolutions(after)
            place = {"form": "block", "block": number, "shape_change": not block.keeps_shape}
            rows.append(place | _compare(gradients[number], by_shortcut, by_convolutions))
        for number in range(len(blocks)):
            end = _find_stage_end(blocks, stages, is_identity, number)
            if end is None:
                continue
            by_convolutions = _sum_term(exact, range(number, end), inputs[number], gradients[end])
            place = {"form": "stage", "block": number, "shape_change": False}
            rows.append(place | _compare(gradients[number], gradients[end], by_convolutions))
    return to_table(rows)


def _find_stage_end(
    blocks: list[Block], stages: list[int], is_identity: list[bool], number: int
) -> int | None:
    """Return L of a block's stage, or None if the stage's equation does not hold from that block.

    It holds if no ReLU follows the additions (order `pre`) and all shortcuts are identities.
    """
    end = number + 1
    while end < len(blocks) and stages[end] == stages[number]:
        end += 1
    for index in range(number, end):
        if blocks[index].order != "pre" or not is_identity[index]:
            return None
    return end


def _sum_term(network: Network, numbers: range, x: Tensor, gradient: Tensor) -> Tensor:
    """Return dE/dx_L d/dx_l sum F(x_i, W_i) over the blocks `numbers`, of the shape of x = x_l."""
    blocks = list(network.blocks())
    start = x = x.detach().requires_grad_()
    total = torch.zeros_like(x)
    for number in numbers:
        seed_block(network, number)
        change = blocks[number].apply_convolutions(blocks[number].activate(x))
        total = total + change
        x = x + change
    if not total.requires_grad:  # all blocks have dropped their convolutions
        return torch.zeros_like(start)
    return torch.autograd.grad(total, start, gradient, allow_unused=True, materialize_grads=True)[0]


def _compare(
    gradient: Tensor, by_shortcut: Tensor, by_convolutions: Tensor
) -> dict[str, float | None]:
    """Return the columns that compare the left side with the two terms of the right side."""
    norm = gradient.norm()
    difference = gradient - by_shortcut - by_convolutions
    values = {
        "gradient": norm,
        "by_shortcut": by_shortcut.norm(),
        "by_convolutions": by_convolutions.norm(),
        "shortcut_share": (by_shortcut * gradient).sum() / norm.square(),
        "relative_difference": difference.norm() / norm,
    }
    numbers = to_column(value.item() for value in values.values())
    return dict(zip(values, numbers, strict=True))
