"""The blocks of He et al. 2015 (figure 5) and of 2016. Plain and residual blocks differ in one argument, `residual`.

    order post (2015):  y = ReLU(F(x) + x), F = conv BN ReLU conv BN;    plain: y = ReLU(F(x)), the last ReLU stays
    order pre (2016):   y = F(x) + x,       F = BN ReLU conv BN ReLU conv;    plain: y = F(x)

In the order `pre` a projection reads the activated input, ReLU(BN(x)), and the identity the raw one (as in the authors'
code). The first block of a network has no BN and ReLU before its first convolution: those of the stem are its own
(He et al. 2016, appendix).
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from degradation.models.shortcuts import ZeroPadding


class Block(nn.Module):
    """Convolutions with BN and the shortcut; F's layers are conv1, bn1, conv2, bn2 ...

    `shape` holds (in, out, kernel, stride) of each convolution; `downsample` is any module on the shortcut path, None
    the identity.
    """

    expansion = 1

    def __init__(
        self,
        shape: list[tuple[int, int, int, int]],
        downsample: nn.Module | None,
        residual: bool,
        order: str,
        first: bool,
    ) -> None:
        super().__init__()
        self.residual, self.order, self.first = residual, order, first
        self.layers = len(shape)
        self.keeps_shape = shape[0][0] == shape[-1][1] and all(stride == 1 for *_, stride in shape)
        for number, (inner, outer, kernel, stride) in enumerate(shape, start=1):
            convolution = nn.Conv2d(
                inner, outer, kernel, stride=stride, padding=kernel // 2, bias=False
            )
            if order == "post":
                self.add_module(f"conv{number}", convolution)
                self.add_module(f"bn{number}", nn.BatchNorm2d(outer))
            else:
                if number > 1 or not first:
                    self.add_module(f"bn{number}", nn.BatchNorm2d(inner))
                self.add_module(f"conv{number}", convolution)
        self.downsample = downsample  # last, so that weights published elsewhere load by position

    def pairs(self) -> Iterator[tuple[nn.Module, nn.Module | None]]:
        """Each convolution with its BN: after it in the order post, before it in the order pre."""
        for number in range(1, self.layers + 1):
            yield getattr(self, f"conv{number}"), getattr(self, f"bn{number}", None)

    def activate(self, x: Tensor) -> Tensor:
        """What the first convolution reads: in the order pre ReLU(BN(x)), else x, which is activated already."""
        if self.order == "post" or self.first:
            return x
        return F.relu(self.get_submodule("bn1")(x), inplace=True)

    def convolutions(self, x: Tensor) -> Tensor:
        """F; in the order pre its input is the activated x."""
        for number, (convolution, norm) in enumerate(self.pairs(), start=1):
            if self.order == "post":
                x = convolution(x) if norm is None else norm(convolution(x))
                x = F.relu(x, inplace=True) if number < self.layers else x
            else:
                x = x if number == 1 or norm is None else F.relu(norm(x), inplace=True)
                x = convolution(x)
        return x

    def shortcut(self, x: Tensor, activated: Tensor) -> Tensor:
        """The shortcut path, of the raw and the activated input."""
        if self.downsample is None:
            return x
        y: Tensor = self.downsample(x if isinstance(self.downsample, ZeroPadding) else activated)
        return y

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        y = self.convolutions(activated)
        if self.residual:
            y = y + self.shortcut(x, activated)
        return F.relu(y, inplace=True) if self.order == "post" else y


class BasicBlock(Block):
    """3x3, 3x3 (He et al. 2015, figure 5 left). (B, in, H, W) -> (B, out, H/stride, W/stride)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        residual: bool = True,
        order: str = "post",
        first: bool = False,
    ) -> None:
        shape = [(in_channels, out_channels, 3, stride), (out_channels, out_channels, 3, 1)]
        super().__init__(shape, downsample, residual, order, first)


class Bottleneck(Block):
    """1x1 reduce, 3x3, 1x1 expand by 4 (He et al. 2015, figure 5 right).

    `out_channels` is the inner width: (B, in, H, W) -> (B, 4 * out, H/stride, W/stride). The stride is on the 3x3, or
    with `stride_on_first` on the first 1x1.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        residual: bool = True,
        order: str = "post",
        first: bool = False,
        stride_on_first: bool = False,
    ) -> None:
        strides = (stride, 1) if stride_on_first else (1, stride)
        shape = [
            (in_channels, out_channels, 1, strides[0]),
            (out_channels, out_channels, 3, strides[1]),
            (out_channels, out_channels * self.expansion, 1, 1),
        ]
        super().__init__(shape, downsample, residual, order, first)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}
