"""The networks of He et al. 2015, 4.2, for small pictures: one class, plain or residual by the argument `shortcut`.

A 3x3 stem, three stages of n blocks with width, 2 and 4 times width filters, the first block of stages 2 and 3 with
stride 2, global average pooling, one linear layer. Depth is 6n+2 with basic blocks, 9n+2 with bottlenecks. With
width 16, 3 channels and 10 classes, plain and residual with option A have the same parameters:

    depth       20       32       44       56       110        1202
    parameters  269,722  464,154  658,586  853,018  1,727,962  19,421,274
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import LAYERS_PER_STAGE_UNIT, STAGES, Model
from degradation.models.blocks import BLOCKS
from degradation.models.shortcuts import shortcut_module


class Network(nn.Module):
    """(B, channels, H, W) -> logits (B, classes). Parameter names are torchvision's."""

    def __init__(self, model: Model, channels: int, classes: int) -> None:
        super().__init__()
        block = BLOCKS[model.block]
        blocks_per_stage = (model.depth - 2) // LAYERS_PER_STAGE_UNIT[model.block]
        self.conv1 = nn.Conv2d(channels, model.width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(model.width)
        in_channels = model.width
        for stage in range(STAGES):
            inner = model.width * 2**stage
            out_channels = inner * block.expansion
            blocks = nn.Sequential()
            for index in range(blocks_per_stage):
                stride = 2 if stage > 0 and index == 0 else 1
                downsample = shortcut_module(model.shortcut, in_channels, out_channels, stride)
                blocks.append(block(in_channels, inner, stride, downsample, residual=model.shortcut != "none"))
                in_channels = out_channels
            self.add_module(f"layer{stage + 1}", blocks)
        self.fc = nn.Linear(in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        for stage in range(STAGES):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def initialise(network: Network, generator: torch.Generator) -> None:
    """He normal (fan-out) for convolutions, PyTorch's uniform for the linear layer, BN at 1 and 0; from one stream."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
