"""The gradient argument, exactly: both sides of the source's equations, in float64.

    within a stage of pre-activation blocks    dE/dx_l = dE/dx_L (1 + d/dx_l sum_{i=l}^{L-1} F(x_i, W_i))
    across a change of shape                   the shortcut's Jacobian in the place of 1
    blocks of 2015                             dE/dx_l = (S_l + F_l')^T M_l dE/dx_{l+1}, with the mask M_l of the ReLU

The left side is the backward pass of the whole network, the right side vector-Jacobian products of its parts (He et al.
2016, equation 5).
"""

import torch
from torch import Tensor

from degradation.models.batchnorm import batch_statistics
from degradation.models.blocks import Block
from degradation.models.network import Network
from degradation.probes.block_gradients import (
    BlockGradients,
    in_float64,
    loss_through_blocks,
    stages_of,
)
from degradation.probes.table import Table, column


def gradient_identity(network: Network, pictures: Tensor, labels: Tensor) -> Table:
    """A row a block l and form: `block` (x_{l+1} to x_l) and, in the order pre, `stage` (the stage's end x_L to x_l).

    `gradient`, `by_shortcut`, `by_convolutions`: Euclidean norms of the left side and of the right side's two terms;
    `shortcut_share`: the shortcut's term projected on the gradient, over its length (the two shares add up to 1);
    `relative_difference`: of the two sides. BN normalises by the batch, as in training. Networks with shortcuts only.
    """
    exact, pictures, labels = in_float64(network, pictures, labels)
    blocks, stages = list(exact.blocks()), stages_of(exact)
    rows = []
    with batch_statistics(exact), torch.enable_grad():
        loss, inputs = loss_through_blocks(exact, pictures, labels)
        gradients = torch.autograd.grad(loss, inputs)
        for number, block in enumerate(blocks):
            terms = BlockGradients(block, inputs[number])
            after = gradients[number + 1]
            found = _row(gradients[number], terms.by_shortcut(after), terms.by_convolutions(after))
            rows.append(
                {"form": "block", "block": number, "shape_change": not block.keeps_shape, **found}
            )
        for number in range(len(blocks)):
            end = _end_of_stage(blocks, stages, number)
            if end is not None:
                by_convolutions = _sum_term(blocks[number:end], inputs[number], gradients[end])
                found = _row(gradients[number], gradients[end], by_convolutions)
                rows.append({"form": "stage", "block": number, "shape_change": False, **found})
    return {key: [row[key] for row in rows] for key in rows[0]}


def _end_of_stage(blocks: list[Block], stages: list[int], number: int) -> int | None:
    """L, where from block `number` to its stage's end nothing follows the additions and shortcuts are identities."""
    end = number + 1
    while end < len(blocks) and stages[end] == stages[number]:
        end += 1
    holds = all(block.order == "pre" and block.downsample is None for block in blocks[number:end])
    return end if holds else None


def _sum_term(blocks: list[Block], x: Tensor, gradient: Tensor) -> Tensor:
    """dE/dx_L d/dx_l sum F(x_i, W_i)."""
    start = x = x.detach().requires_grad_()
    total = torch.zeros_like(x)
    for block in blocks:
        change = block.convolutions(block.activate(x))
        total, x = total + change, x + change
    return torch.autograd.grad(total, start, gradient)[0]


def _row(gradient: Tensor, by_shortcut: Tensor, by_convolutions: Tensor) -> dict[str, float | None]:
    size = gradient.norm()
    values = {
        "gradient": size,
        "by_shortcut": by_shortcut.norm(),
        "by_convolutions": by_convolutions.norm(),
        "shortcut_share": (by_shortcut * gradient).sum() / size.square(),
        "relative_difference": (gradient - by_shortcut - by_convolutions).norm() / size,
    }
    return dict(zip(values, column(value.item() for value in values.values()), strict=True))
