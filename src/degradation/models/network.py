"""The networks of He et al. 2015 and 2016: plain, residual and pre-activation are one class.

Layout `cifar` (He et al. 2015, 4.2): a 3x3 stem, then three stages of n blocks, of `width`,
2 `width` and 4 `width` filters. The depth is 6n+2 with basic blocks and 9n+2 with bottlenecks. With
width 16, 3 channels and 10 classes, plain networks and residual networks with option A have the
same number of parameters:

    depth       20       32       44       56       110        1202
    parameters  269,722  464,154  658,586  853,018  1,727,962  19,421,274

Layout `imagenet` (table 1): a 7x7 stem of stride 2, a 3x3 max pooling of stride 2, four stages.

In both layouts, the first block of each stage except the first has stride 2, and the last stage is
followed by global average pooling and one linear layer. Parameters are named as in torchvision, and
ordered from the input to the output, with a block's shortcut after its convolutions.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import ConfigError, Model, block_options, blocks_per_stage
from degradation.models.blocks import Block
from degradation.models.shortcuts import build_shortcut
from degradation.registry import BLOCKS, NETWORKS


@NETWORKS.register("resnet", blocks=True)
class Network(nn.Module):
    """Images (N, channels, H, W) -> logits (N, classes).

    Args:
        model: a validated configuration, so its depth fits its layout and block.
        channels: number of channels of the images.
        classes: number of outputs of the linear layer.
    """

    def __init__(self, model: Model, channels: int, classes: int) -> None:
        super().__init__()
        self.layout = model.layout
        kernel, stride = (7, 2) if model.layout == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(
            channels, model.width, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(model.width)

        in_channels = model.width
        self.stages: list[str] = []  # names of the stages' modules, in order
        for stage, blocks in enumerate(blocks_per_stage(model)):
            layer, in_channels = _build_stage(model, stage, blocks, in_channels)
            self.stages.append(f"layer{stage + 1}")
            self.add_module(self.stages[-1], layer)

        # with order `pre`, no block normalises the output of the last addition
        self.bn_last = nn.BatchNorm2d(in_channels) if model.order == "pre" else None
        self.fc = nn.Linear(in_channels, classes)

    def blocks(self) -> Iterator[Block]:
        """Yield all blocks, from the input to the output."""
        for module in self.modules():
            if isinstance(module, Block):
                yield module

    def stem(self, x: Tensor) -> Tensor:
        """Return the input of the first block: (N, channels, H, W) -> (N, width, H', W').

        H' is H in layout `cifar` and H / 4 in layout `imagenet`.
        """
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.layout == "imagenet":
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        return x

    def head(self, x: Tensor) -> Tensor:
        """Return the logits (N, classes) for the last block's output (N, C, H, W)."""
        if self.bn_last is not None:
            x = F.relu(self.bn_last(x), inplace=True)
        pooled = x.mean((2, 3))  # global average: (N, C)
        logits: Tensor = self.fc(pooled)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        return self.head(x)


def _build_stage(
    model: Model, stage: int, blocks: int, in_channels: int
) -> tuple[nn.Sequential, int]:
    """Build a stage, and return it with its number of output channels.

    Args:
        stage: the number of the stage, from 0.
        blocks: the number of its blocks.
    """
    width = model.width * 2**stage
    layer = nn.Sequential()
    for index in range(blocks):
        stride = 2 if stage > 0 and index == 0 else 1
        is_first = stage == 0 and index == 0
        layer.append(build_block(model, in_channels, width, stride, is_first))
        in_channels = width * BLOCKS.load(model.block).expansion
    return layer, in_channels


def build_block(model: Model, in_channels: int, width: int, stride: int, first: bool) -> Block:
    """Build one block of a model with its shortcut.

    Args:
        in_channels: number of channels of the block's input.
        width: number of filters of the block's 3x3 convolutions.
        stride: stride of the block; 2 halves H and W.
        first: whether this is the first block of the network.
    """
    kind = BLOCKS.load(model.block)
    out_channels = width * kind.expansion
    shortcut = build_shortcut(
        model.shortcut, in_channels, out_channels, stride, model.order, model.new_channels
    )
    facts = BLOCKS.facts(model.block)
    block = kind(
        in_channels,
        width,
        stride=stride,
        downsample=shortcut,
        residual=model.shortcut != "none",
        order=model.order,
        first=first,
        **kind.build_options(model),
        **block_options(model),
    )
    if not isinstance(block, Block):
        raise ConfigError(
            f"model.block: {model.block} is a {type(block).__name__};"
            " allowed: a class that derives from degradation.models.blocks.Block"
        )
    block.own_initialisation = facts.get("own_initialisation", False)
    return block
