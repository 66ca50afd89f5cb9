"""Layer responses (He et al. 2015, figure 7): the strength of the signal that each layer adds."""

import math

import torch
from torch import Tensor, nn

from degradation.models.batchnorm import batch_statistics
from degradation.models.network import Network
from degradation.probes.table import Table, to_column
from degradation.registry import PROBES


@PROBES.register(
    "responses",
    at=("start", "snapshots", "end"),
    split="train",
    needs_shortcuts=False,
    columns={"layer": "count", "kernel": "count", "deviation": "size or null"},
)
def measure_responses(
    network: Network,
    images: Tensor,
    _labels: Tensor | None = None,
    _generator: torch.Generator | None = None,
) -> Table:
    """Measure the standard deviation of every convolution's response.

    The response is BN's output, before ReLU and addition. With order `pre`, where BN comes first,
    it is the convolution's output. BN normalises by the batch, as in training.

    Args:
        images: float (N, C, H, W), normalised.

    Returns:
        One row per convolution, starting at the stem, without those of shortcuts. `layer`: counted
        from 1. `kernel`: the side of its filters. `deviation`: the standard deviation over images,
        channels and positions, or None if it is not finite, or if a block has skipped the layer.
    """
    layers: list[tuple[nn.Module, nn.Module]] = [(network.conv1, network.bn1)]
    for block in network.blocks():
        for convolution, norm in block.conv_bn_pairs():
            if block.order == "pre" or norm is None:
                layers.append((convolution, convolution))
            else:
                layers.append((convolution, norm))
    deviations: dict[nn.Module, float] = {}

    def measure(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # computed in the hook, because the in-place ReLU that follows overwrites the output
        deviations[module] = output.std(correction=0).item()

    hooks = [responding.register_forward_hook(measure) for _, responding in layers]
    try:
        with batch_statistics(network), torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        "layer": list(range(1, len(layers) + 1)),
        "kernel": [convolution.get_parameter("weight").shape[-1] for convolution, _ in layers],
        "deviation": to_column(deviations.get(module, math.nan) for _, module in layers),
    }
