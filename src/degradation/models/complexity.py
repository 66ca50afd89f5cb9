"""Count a network's parameters, multiply-adds and activations without allocating or running it.

All counts are for the forward pass of one image, as in He et al. 2015, tables 1 and 6.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from degradation.config import Model
from degradation.config.architecture import is_built_in
from degradation.models.build import build_network
from degradation.models.random_draws import seeded_global_draws


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

    Parameters that belong to a block itself, such as a learned gate, count as a layer of the
    block's class. A layer that is used again costs multiply-adds again, and no parameters. Layers
    whose forward method is not called come last, without multiply-adds.

    The network is built on PyTorch's meta device, so its size is not limited by memory. Only a
    network that looks at its values cannot run there; it runs once on the CPU.

    Args:
        channels: number of channels of an image.
        side: side of an image in pixels; images are square.
    """
    try:
        return _list_layers(model, channels, side, classes, "meta")
    except (NotImplementedError, RuntimeError):
        if is_built_in(model):
            raise
        with seeded_global_draws(torch.Generator()):
            return _list_layers(model, channels, side, classes, "cpu")


def _list_layers(model: Model, channels: int, side: int, classes: int, device: str) -> list[Layer]:
    with torch.device(device), torch.no_grad():
        network = build_network(model, channels, classes).eval()
        image = torch.zeros(1, channels, side, side)
    names = {module: name for name, module in network.named_modules()}
    layers: list[Layer] = []
    counted: set[nn.Parameter] = set()

    def record(module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
        if list(module.parameters(recurse=False)):
            layers.append(_measure_layer(names[module], module, output, counted))

    for module in network.modules():
        module.register_forward_hook(record)
    with torch.no_grad():
        network(image)
    for module, name in names.items():
        if not counted.issuperset(module.parameters(recurse=False)):
            layers.append(_measure_layer(name, module, None, counted))
    return layers


def _measure_layer(name: str, module: nn.Module, output: Any, counted: set[nn.Parameter]) -> Layer:
    """Measure one use of a layer.

    Args:
        output: a tensor; anything else has no shape that counts.
        counted: the parameters of earlier layers, to which those of this one are added.
    """
    new = [parameter for parameter in module.parameters(recurse=False) if parameter not in counted]
    counted.update(new)
    if not isinstance(output, Tensor):
        return Layer(name, type(module).__name__, (), _count_values(new), 0, 0)
    multiply_adds = activations = 0
    if isinstance(module, nn.Conv2d | nn.Linear):
        weights_per_output = module.weight[0].numel()  # weights of one filter
        activations = output.numel()
        multiply_adds = activations * weights_per_output
    return Layer(
        name=name,
        kind=type(module).__name__,
        shape=tuple(output.shape[1:]),
        parameters=_count_values(new),
        multiply_adds=multiply_adds,
        activations=activations,
    )


def _count_values(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def measure_complexity(model: Model, channels: int, side: int, classes: int) -> Complexity:
    """Return the totals over all layers for one image of `channels` x `side` x `side`."""
    layers = list_layers(model, channels, side, classes)
    return Complexity(
        parameters=sum(layer.parameters for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        activations=sum(layer.activations for layer in layers),
    )
