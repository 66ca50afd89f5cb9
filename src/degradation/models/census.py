"""Count a network's parameters and multiply-adds without running it (He et al. 2015, tables 1 and 6)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.cifar import Network


@dataclass(frozen=True)
class Census:
    parameters: int
    multiply_adds: int  # of convolutions and linear layers, forward, for one picture


def census(model: Model, channels: int, side: int, classes: int) -> Census:
    """The census for pictures of `channels` x `side` x `side`."""
    with torch.device("meta"):
        network = Network(model, channels, classes).eval()
        picture = torch.empty(1, channels, side, side)
    multiply_adds = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal multiply_adds
        if isinstance(module, nn.Conv2d | nn.Linear):
            # each output value costs one multiply-add for each weight of its filter
            multiply_adds += output.numel() * module.weight[0].numel()

    for module in network.modules():
        module.register_forward_hook(count)
    network(picture)
    return Census(sum(p.numel() for p in network.parameters()), multiply_adds)
