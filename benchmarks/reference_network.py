"""A ResNet for CIFAR as most people would write it: the network of the reference loop.

It is written apart from the suite's modules. A test checks that with the same weights it computes
what the suite's plain and residual networks (option A) compute.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with BN, and a shortcut unless the network is plain.

    (N, in, H, W) -> (N, out, H / stride, W / stride).
    """

    def __init__(
        self, in_planes: int, planes: int, stride: int = 1, has_shortcut: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.stride = stride
        self.new_planes = planes - in_planes
        self.has_shortcut = has_shortcut

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.has_shortcut:
            out = out + self.shortcut(x)
        return F.relu(out)

    def shortcut(self, x: Tensor) -> Tensor:
        """Return x or, where the shape changes, every second pixel with zeros as new channels."""
        if self.stride == 1 and self.new_planes == 0:
            return x
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.new_planes))


class ResNet(nn.Module):
    """Images (N, channels, H, W) -> logits (N, classes).

    Args:
        depth: 6n+2 layers, in three stages of n blocks.
        width: filters of the first stage; each further stage has twice as many.
        channels: number of channels of the images.
        classes: number of classes.
        has_shortcuts: False for a plain network.
    """

    def __init__(
        self, depth: int, width: int, channels: int, classes: int, has_shortcuts: bool = True
    ) -> None:
        super().__init__()
        num_blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._make_layer(width, width, num_blocks, 1, has_shortcuts)
        self.layer2 = self._make_layer(width, 2 * width, num_blocks, 2, has_shortcuts)
        self.layer3 = self._make_layer(2 * width, 4 * width, num_blocks, 2, has_shortcuts)
        self.linear = nn.Linear(4 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _make_layer(
        in_planes: int, planes: int, num_blocks: int, stride: int, has_shortcuts: bool
    ) -> nn.Sequential:
        layers = nn.Sequential(BasicBlock(in_planes, planes, stride, has_shortcuts))
        for _ in range(num_blocks - 1):
            layers.append(BasicBlock(planes, planes, 1, has_shortcuts))
        return layers

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = self.layer3(out)
        out = F.adaptive_avg_pool2d(out, 1)
        logits: Tensor = self.linear(out.flatten(1))
        return logits
