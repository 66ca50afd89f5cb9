"""The two blocks of He et al. 2015 (figure 5). Plain and residual blocks differ in one argument, `residual`.

y = ReLU(F(x) + x) with a shortcut, y = ReLU(F(x)) without: the last ReLU stays in both.
"""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module, ABC):
    """The shortcut path, the addition and the last ReLU; `convolutions` is F."""

    expansion = 1

    def __init__(self, downsample: nn.Module | None, residual: bool) -> None:
        super().__init__()
        self.downsample = downsample
        self.residual = residual

    @abstractmethod
    def convolutions(self, x: Tensor) -> Tensor: ...

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions(x)
        if self.residual:
            y = y + (x if self.downsample is None else self.downsample(x))
        return F.relu(y, inplace=True)


class BasicBlock(Block):
    """3x3, 3x3, BN after each, no bias (He et al. 2015, figure 5 left).

    `downsample` is any module on the shortcut path; None is the identity.
    (B, in, H, W) -> (B, out, H/stride, W/stride).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__(downsample, residual)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def convolutions(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y: Tensor = self.bn2(self.conv2(x))
        return y


class Bottleneck(Block):
    """1x1 reduce, 3x3 (with the stride), 1x1 expand by 4 (He et al. 2015, figure 5 right).

    `out_channels` is the inner width: (B, in, H, W) -> (B, 4 * out, H/stride, W/stride).
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__(downsample, residual)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv3 = nn.Conv2d(out_channels, out_channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels * self.expansion)

    def convolutions(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        y: Tensor = self.bn3(self.conv3(x))
        return y


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}
