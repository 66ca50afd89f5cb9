"""Count a network's parameters, multiply-adds and activations without running it (He et al. 2015, tables 1 and 6)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.network import Network


@dataclass(frozen=True)
class Layer:
    """One layer with parameters. Shape: what it gives for one picture."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int  # of convolutions and linear layers, forward
    activations: int  # output values of convolutions and linear layers


@dataclass(frozen=True)
class Complexity:
    parameters: int
    multiply_adds: int
    activations: int


def list_layers(model: Model, channels: int, side: int, classes: int) -> list[Layer]:
    """Every layer in the order of the forward pass, for one picture of `channels` x `side` x `side`."""
    with torch.device("meta"):
        network = Network(model, channels, classes).eval()
        picture = torch.empty(1, channels, side, side)
    names = {module: name for name, module in network.named_modules()}
    found: list[Layer] = []

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        weighted = isinstance(module, nn.Conv2d | nn.Linear)
        parameters = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if not parameters:
            return
        # each output value costs one multiply-add for each weight of its filter
        multiply_adds = (
            output.numel() * module.weight[0].numel()
            if isinstance(module, nn.Conv2d | nn.Linear)
            else 0
        )
        activations = output.numel() if weighted else 0
        kind = type(module).__name__
        found.append(
            Layer(
                names[module], kind, tuple(output.shape[1:]), parameters, multiply_adds, activations
            )
        )

    for module in network.modules():
        module.register_forward_hook(count)
    network(picture)
    return found


def measure_complexity(model: Model, channels: int, side: int, classes: int) -> Complexity:
    """The totals over all layers."""
    every = list_layers(model, channels, side, classes)
    return Complexity(
        sum(layer.parameters for layer in every),
        sum(layer.multiply_adds for layer in every),
        sum(layer.activations for layer in every),
    )
