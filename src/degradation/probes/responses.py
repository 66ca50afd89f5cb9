"""Layer responses (He et al. 2015, figure 7): how strong the signal is that each layer adds."""

import torch
from torch import Tensor, nn

from degradation.models.batchnorm import batch_statistics
from degradation.models.network import Network
from degradation.probes.table import Table, column


def responses(network: Network, pictures: Tensor) -> Table:
    """A row a convolution, the stem's first: the standard deviation of its response over pictures, channels, positions.

    The response is what BN gives, before ReLU and addition; in the order pre, where BN comes first, what the
    convolution gives. BN normalises by the batch, as in training.
    """
    seen: list[float] = []
    kernels: list[int] = []
    layers: list[tuple[nn.Module, nn.Module]] = [(network.conv1, network.bn1)]
    for block in network.blocks():
        layers += [
            (conv, conv if block.order == "pre" or norm is None else norm)
            for conv, norm in block.pairs()
        ]
    hooks = []
    for convolution, measured in layers:
        kernels.append(convolution.get_parameter("weight").shape[-1])
        # at once: the ReLU after it works in place
        hooks.append(
            measured.register_forward_hook(
                lambda _module, _input, output: seen.append(output.std(correction=0).item())
            )
        )
    try:
        with batch_statistics(network), torch.no_grad():
            network(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    return {"layer": list(range(1, len(layers) + 1)), "kernel": kernels, "deviation": column(seen)}
