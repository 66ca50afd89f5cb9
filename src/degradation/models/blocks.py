"""The base class of all blocks: convolutions with BN, and a shortcut around them.

Plain and residual blocks are one class and differ in one argument, `residual`. With the block's
convolutions F and its shortcut S (the identity unless the shape changes):

    order `post` (He et al. 2015)   residual: y = ReLU(F(x) + S(x))     plain: y = ReLU(F(x))
                                    F = conv BN ReLU conv BN
    order `pre` (He et al. 2016)    residual: y = F(x) + S(x)           plain: y = F(x)
                                    F = BN ReLU conv BN ReLU conv

In order `pre` a projection shortcut reads the activated input ReLU(BN(x)), as in the authors' code;
the identity passes the raw one. The first block of a pre-activation network has no BN and ReLU
before its first convolution, because the stem ends with its own (He et al. 2016, appendix).

A kind of block is one file of this package that registers a subclass (basic_block.py,
bottleneck.py), and a preset in conf/model/.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.shortcuts import ZeroPadding


class ConvShape(NamedTuple):
    """One convolution of a block; the padding keeps H and W at stride 1."""

    in_channels: int
    out_channels: int
    kernel: int  # side of the square filter
    stride: int


class Block(nn.Module):
    """Convolutions conv1, conv2, ... with their BN layers bn1, bn2, ..., and a shortcut.

    (N, in, H, W) -> (N, out, H / stride, W / stride), where `stride` is the product of all strides.

    Subclasses take (in_channels, width, stride, downsample, residual, order, first), set
    `expansion`, and name the constructor's further arguments in `options_of`.

    Args:
        convolutions: the shape of each convolution.
        downsample: the module on the shortcut path; None is the identity.
        residual: add the shortcut to F(x).
        order: `post` or `pre`, see the module's docstring.
        first: this is the first block of the network.
    """

    expansion = 1  # output channels per filter of the block's width

    def __init__(
        self,
        convolutions: Sequence[ConvShape],
        downsample: nn.Module | None,
        residual: bool,
        order: str,
        first: bool,
    ) -> None:
        super().__init__()
        self.residual, self.order, self.first = residual, order, first
        self.layers = len(convolutions)
        same_channels = convolutions[0].in_channels == convolutions[-1].out_channels
        self.keeps_shape = same_channels and all(shape.stride == 1 for shape in convolutions)
        for number, shape in enumerate(convolutions, start=1):
            convolution = nn.Conv2d(
                shape.in_channels,
                shape.out_channels,
                shape.kernel,
                stride=shape.stride,
                padding=shape.kernel // 2,
                bias=False,  # BN's shift takes its place
            )
            # registered in the order of the forward pass, which parameters by position follow
            if order == "post":
                self.add_module(f"conv{number}", convolution)
                self.add_module(f"bn{number}", nn.BatchNorm2d(shape.out_channels))
            else:
                if number > 1 or not first:
                    self.add_module(f"bn{number}", nn.BatchNorm2d(shape.in_channels))
                self.add_module(f"conv{number}", convolution)
        self.downsample = downsample  # last, so that weights published elsewhere load by position

    @classmethod
    def options_of(cls, _model: Model) -> dict[str, Any]:
        """Return the constructor's arguments that only this kind of block takes, by name."""
        return {}

    def conv_bn_pairs(self) -> Iterator[tuple[nn.Module, nn.Module | None]]:
        """Yield each convolution with its BN: the layer after it (`post`) or before it (`pre`)."""
        for number in range(1, self.layers + 1):
            yield getattr(self, f"conv{number}"), getattr(self, f"bn{number}", None)

    def activate(self, x: Tensor) -> Tensor:
        """Return what the first convolution reads: ReLU(BN(x)) in order `pre`, else x itself.

        In order `post`, and after the stem, x has passed a ReLU already.
        """
        if self.order == "post" or self.first:
            return x
        return F.relu(self.get_submodule("bn1")(x), inplace=True)

    def apply_convolutions(self, activated: Tensor) -> Tensor:
        """Return F: (N, in, H, W) -> (N, out, H / stride, W / stride). Reads `activate(x)`."""
        if self.order == "post":
            return self._convolve_then_normalise(activated)
        return self._normalise_then_convolve(activated)

    def _convolve_then_normalise(self, x: Tensor) -> Tensor:
        """conv BN ReLU ... conv BN: the last ReLU follows the addition."""
        for number, (convolution, norm) in enumerate(self.conv_bn_pairs(), start=1):
            x = convolution(x)
            if norm is not None:
                x = norm(x)
            if number < self.layers:
                x = F.relu(x, inplace=True)
        return x

    def _normalise_then_convolve(self, x: Tensor) -> Tensor:
        """conv BN ReLU conv ...: the first BN and ReLU are `activate`, shared with the shortcut."""
        for number, (convolution, norm) in enumerate(self.conv_bn_pairs(), start=1):
            if number > 1 and norm is not None:
                x = F.relu(norm(x), inplace=True)
            x = convolution(x)
        return x

    def apply_shortcut(self, x: Tensor, activated: Tensor) -> Tensor:
        """Return S: (N, in, H, W) -> (N, out, H / stride, W / stride).

        The identity and zero padding read the raw input x, a projection reads the activated one.
        """
        if self.downsample is None:
            return x
        reads_raw = isinstance(self.downsample, ZeroPadding)
        y: Tensor = self.downsample(x if reads_raw else activated)
        return y

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        y = self.apply_convolutions(activated)
        if self.residual:
            y = y + self.apply_shortcut(x, activated)
        if self.order == "post":
            y = F.relu(y, inplace=True)
        return y
