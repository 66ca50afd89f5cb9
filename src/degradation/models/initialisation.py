"""Draw the weights of a network from one random stream, in an order that never changes."""

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn


def initialise(
    network: nn.Module, generator: torch.Generator, initialisation: str = "fan_out"
) -> None:
    """Draw the weights of all convolutions and linear layers from one random stream, in place.

    The weights of convolutions are drawn from N(0, 2 / fan) (He et al. 2015, 3.4). The linear layer
    gets PyTorch's default, U(-b, b) with b = 1 / sqrt(inputs), for weights and biases. BN keeps
    PyTorch's scale 1 and shift 0. A block or network that is registered with
    `own_initialisation=True` keeps the weights of its constructor, except for its shortcuts.

    Args:
        generator: a CPU generator, which is advanced.
        initialisation: which fan counts, `fan_out` or `fan_in`.
    """
    mode: Literal["fan_in", "fan_out"] = "fan_in" if initialisation == "fan_in" else "fan_out"
    for module in _modules_in_drawing_order(network):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode=mode, nonlinearity="relu", generator=generator
            )
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def _modules_in_drawing_order(module: nn.Module) -> Iterator[nn.Module]:
    """Yield all modules to initialise, a block's shortcut before its convolutions.

    This order determines the weights that a seed gives, so it must never change.
    """
    keeps_weights = getattr(module, "own_initialisation", False)
    if not keeps_weights:
        yield module
    children = dict(module.named_children())
    shortcut = children.pop("downsample", None)
    if shortcut is not None:
        yield from _modules_in_drawing_order(shortcut)
    if keeps_weights:
        return
    for child in children.values():
        yield from _modules_in_drawing_order(child)
