"""Gradient flow: the norm of the gradient at every block.

He et al. 2015, 4.1, argue that with BN neither forward nor backward signals vanish.
"""

import torch
from torch import Tensor, nn

from degradation.models.batchnorm import batch_statistics
from degradation.models.network import Network
from degradation.probes.block_gradients import list_stages, loss_through_blocks
from degradation.probes.table import Table, to_column
from degradation.registry import PROBES


@PROBES.register(
    "gradient_flow",
    at=("start", "snapshots", "end"),
    split="train",
    needs_shortcuts=False,
    columns={
        "block": "count",
        "stage": "count",
        "input_gradient": "size or null",
        "weight_gradient": "size or null",
    },
)
def measure_gradient_flow(
    network: Network, images: Tensor, labels: Tensor, _generator: torch.Generator | None = None
) -> Table:
    """Measure the Euclidean norms of the gradients of the batch's mean loss E.

    BN normalises by the batch, as in training.

    Args:
        images: float (N, C, H, W), normalised.
        labels: int64 (N,).

    Returns:
        One row per block input x_l, l = 0 to n, where x_n is the last block's output.
        `block`: l. `stage`: number of the block's stage, from 1. `input_gradient`: the norm of
        dE/dx_l over all images, channels and positions. `weight_gradient`: the norm of dE/dW_l over
        the weights of block l's convolutions, or None for l = n. A norm that is not finite is None.
    """
    weights_of_blocks: list[list[nn.Parameter]] = []
    all_weights: list[nn.Parameter] = []
    for block in network.blocks():
        pairs = block.conv_bn_pairs()
        weights = [convolution.get_parameter("weight") for convolution, _ in pairs]
        weights_of_blocks.append(weights)
        all_weights += weights
    with batch_statistics(network), torch.enable_grad():
        loss, inputs = loss_through_blocks(network, images, labels)
        gradients = torch.autograd.grad(
            loss, [*inputs, *all_weights], allow_unused=True, materialize_grads=True
        )
    input_gradients, weight_gradients = gradients[: len(inputs)], gradients[len(inputs) :]

    # in float64, because squares of small gradients underflow; on the CPU, because some devices
    # lack float64
    input_norms = [gradient.cpu().double().norm().item() for gradient in input_gradients]
    squares = [gradient.cpu().double().square().sum().item() for gradient in weight_gradients]
    weight_norms = []
    start = 0
    for weights in weights_of_blocks:
        end = start + len(weights)
        weight_norms.append(sum(squares[start:end]) ** 0.5)
        start = end
    return {
        "block": list(range(len(inputs))),
        "stage": [*list_stages(network), len(network.stages)],
        "input_gradient": to_column(input_norms),
        "weight_gradient": [*to_column(weight_norms), None],
    }
