"""Gradient flow: how large dE/dx_l and dE/dW_l are at every block (He et al. 2015, 4.1: neither vanishes, under BN)."""

import torch
from torch import Tensor

from degradation.models.batchnorm import batch_statistics
from degradation.models.network import Network
from degradation.probes.block_gradients import loss_through_blocks, stages_of
from degradation.probes.table import Table, column


def gradient_flow(network: Network, pictures: Tensor, labels: Tensor) -> Table:
    """A row a block input l = 0 to n (n: what the last block gives): Euclidean norms, of the batch's mean loss E.

    `input_gradient` is that of dE/dx_l, over all pictures, channels and positions; `weight_gradient` that of dE/dW_l,
    over the weights of the block's convolutions (None for n). BN normalises by the batch, as in training.
    """
    weights = [
        [convolution.get_parameter("weight") for convolution, _ in block.pairs()]
        for block in network.blocks()
    ]
    with batch_statistics(network), torch.enable_grad():
        loss, inputs = loss_through_blocks(network, pictures, labels)
        gradients = torch.autograd.grad(
            loss, [*inputs, *(weight for block in weights for weight in block)]
        )
    of_inputs = [gradient.cpu().double().norm().item() for gradient in gradients[: len(inputs)]]
    squares = [
        gradient.cpu().double().square().sum().item() for gradient in gradients[len(inputs) :]
    ]
    layers = iter(squares)
    of_weights = [sum(next(layers) for _ in block) ** 0.5 for block in weights]
    return {
        "block": list(range(len(inputs))),
        "stage": [*stages_of(network), len(network.stages)],
        "input_gradient": column(of_inputs),
        "weight_gradient": [*column(of_weights), None],
    }
