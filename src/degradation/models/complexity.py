"""Count a network's parameters, multiply-adds and activations without allocating or running it.

All counts are for the forward pass of one image, as in He et al. 2015, tables 1 and 6.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.network import Network


@dataclass(frozen=True)
class Layer:
    """One layer with parameters, and what it costs for one image."""

    name: str
    kind: str  # the module's class
    shape: tuple[int, ...]  # shape of the output, without the batch dimension
    parameters: int
    multiply_adds: int  # 0 except for convolutions and linear layers
    activations: int  # output values; 0 except for convolutions and linear layers


@dataclass(frozen=True)
class Complexity:
    """Totals over the layers of a network, for the forward pass of one image."""

    parameters: int
    multiply_adds: int
    activations: int


def list_layers(model: Model, channels: int, side: int, classes: int) -> list[Layer]:
    """List every layer with parameters, in the order of the forward pass.

    The network is built on PyTorch's meta device, so its size is not limited by memory.

    Args:
        channels: number of channels of an image.
        side: side of an image in pixels; images are square.
    """
    with torch.device("meta"):
        network = Network(model, channels, classes).eval()
        image = torch.empty(1, channels, side, side)
    names = {module: name for name, module in network.named_modules()}
    layers: list[Layer] = []

    def record(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if list(module.parameters(recurse=False)):
            layers.append(_measure_layer(names[module], module, output))

    for module in network.modules():
        module.register_forward_hook(record)
    network(image)
    return layers


def _measure_layer(name: str, module: nn.Module, output: Tensor) -> Layer:
    multiply_adds = activations = 0
    if isinstance(module, nn.Conv2d | nn.Linear):
        weights_per_output = module.weight[0].numel()  # weights of one filter
        activations = output.numel()
        multiply_adds = activations * weights_per_output
    return Layer(
        name=name,
        kind=type(module).__name__,
        shape=tuple(output.shape[1:]),
        parameters=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        multiply_adds=multiply_adds,
        activations=activations,
    )


def measure_complexity(model: Model, channels: int, side: int, classes: int) -> Complexity:
    """Return the totals over all layers for one image of `channels` x `side` x `side`."""
    layers = list_layers(model, channels, side, classes)
    return Complexity(
        parameters=sum(layer.parameters for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        activations=sum(layer.activations for layer in layers),
    )
