"""The networks of He et al. 2015 and 2016: one class; plain, residual and pre-activation nets differ in its arguments.

Layout cifar (4.2): a 3x3 stem, three stages of n blocks with width, 2 and 4 times width filters; depth is 6n+2 with
basic blocks, 9n+2 with bottlenecks. With width 16, 3 channels and 10 classes, plain nets and residual ones with
option A have the same parameters:

    depth       20       32       44       56       110        1202
    parameters  269,722  464,154  658,586  853,018  1,727,962  19,421,274

Layout imagenet (table 1): a 7x7 stem with stride 2, a 3x3 maximum with stride 2, four stages. Both: the first block of
each stage but the first has stride 2; global average pooling, one linear layer. Parameter names are torchvision's, and
parameters by position are the stem's, the blocks' in their order (a shortcut's last), the linear layer's.
"""

import math
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Model, blocks_per_stage
from degradation.models.blocks import BLOCKS, Block, Bottleneck
from degradation.models.shortcuts import build_shortcut


class Network(nn.Module):
    """(B, channels, H, W) -> logits (B, classes)."""

    def __init__(self, model: Model, channels: int, classes: int) -> None:
        super().__init__()
        self.layout = model.layout
        kernel, stride = (7, 2) if model.layout == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(
            channels, model.width, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(model.width)
        in_channels = model.width
        self.stages: list[str] = []
        for stage, blocks in enumerate(blocks_per_stage(model)):
            inner = model.width * 2**stage
            layer = nn.Sequential()
            for index in range(blocks):
                stride = 2 if stage > 0 and index == 0 else 1
                layer.append(
                    build_block(model, in_channels, inner, stride, first=stage == index == 0)
                )
                in_channels = inner * BLOCKS[model.block].expansion
            self.stages.append(f"layer{stage + 1}")
            self.add_module(self.stages[-1], layer)
        self.bn_last = nn.BatchNorm2d(in_channels) if model.order == "pre" else None
        self.fc = nn.Linear(in_channels, classes)

    def blocks(self) -> Iterator[Block]:
        """All blocks, from the input to the output."""
        return (module for module in self.modules() if isinstance(module, Block))

    def stem(self, x: Tensor) -> Tensor:
        """What comes before the first block."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.max_pool2d(x, 3, stride=2, padding=1) if self.layout == "imagenet" else x

    def head(self, x: Tensor) -> Tensor:
        """What comes after the last block."""
        if self.bn_last is not None:
            x = F.relu(self.bn_last(x), inplace=True)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        return self.head(x)


def build_block(model: Model, in_channels: int, inner: int, stride: int, first: bool) -> Block:
    """One block of a model with its shortcut; `inner` is the number of filters of its 3x3 convolutions."""
    out_channels = inner * BLOCKS[model.block].expansion
    downsample = build_shortcut(
        model.shortcut, in_channels, out_channels, stride, model.order, model.new_channels
    )
    given = (in_channels, inner, stride, downsample, model.shortcut != "none", model.order, first)
    if model.block == "bottleneck":
        return Bottleneck(*given, stride_on_first=model.bottleneck_stride == "1x1")
    return BLOCKS[model.block](*given)


def initialise(
    network: nn.Module, generator: torch.Generator, initialisation: str = "fan_out"
) -> None:
    """He normal for convolutions, PyTorch's uniform for the linear layer, BN at 1 and 0; from one stream."""
    mode: Literal["fan_in", "fan_out"] = "fan_in" if initialisation == "fan_in" else "fan_out"
    for module in _drawing_order(network):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode=mode, nonlinearity="relu", generator=generator
            )
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def _drawing_order(module: nn.Module) -> Iterator[nn.Module]:
    """All modules, a block's shortcut before its convolutions: the order in which the stream has always been spent."""
    yield module
    children = dict(module.named_children())
    shortcut = children.pop("downsample", None)
    for child in [*([shortcut] if shortcut is not None else []), *children.values()]:
        yield from _drawing_order(child)
