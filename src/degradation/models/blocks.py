"""The base class of all blocks: convolutions with BN, and a shortcut around them.

Plain and residual blocks are one class and differ in one argument, `residual`. With the block's
convolutions F and its shortcut S (the identity unless the shape changes):

    order `post` (He et al. 2015)   residual: y = ReLU(F(x) + S(x))     plain: y = ReLU(F(x))
                                    F = conv BN ReLU conv BN
    order `pre` (He et al. 2016)    residual: y = F(x) + S(x)           plain: y = F(x)
                                    F = BN ReLU conv BN ReLU conv

With order `pre`, a projection shortcut reads the activated input ReLU(BN(x)), as in the authors'
code; the identity passes x itself. The first block of a pre-activation network has no BN and ReLU
before its first convolution, because the stem ends with both (He et al. 2016, appendix).

Each kind of block is a subclass, registered in a separate file of this package (basic_block.py,
bottleneck.py), with a preset in conf/model/.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Model
from degradation.models.convolution import build_convolution
from degradation.models.shortcuts import ZeroPadding


class ConvShape(NamedTuple):
    """The shape of one convolution. It is padded so that stride 1 preserves H and W."""

    in_channels: int
    out_channels: int
    kernel: int  # side of the square filter
    stride: int


class Block(nn.Module):
    """Convolutions conv1, conv2, ... with their BN layers bn1, bn2, ..., and a shortcut.

    (N, in, H, W) -> (N, out, H / stride, W / stride), where `stride` is the product of all strides.

    The constructor of a subclass takes (in_channels, width, stride, downsample, residual, order,
    first) and the arguments that `build_options` returns. A subclass sets `expansion`.

    Args:
        convolutions: the shape of each convolution.
        downsample: the module on the shortcut path, or None for the identity.
        residual: whether the shortcut is added to F(x).
        order: `post` or `pre`; see the module docstring.
        first: whether this is the first block of the network.
    """

    expansion = 1  # output channels divided by the block's width
    own_initialisation = False  # whether `initialise` leaves the constructor's weights as they are

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
            convolution = build_convolution(
                shape.in_channels, shape.out_channels, shape.kernel, shape.stride
            )
            # registered in the order of the forward pass, so that weights can be loaded by position
            if order == "post":
                self.add_module(f"conv{number}", convolution)
                self.add_module(f"bn{number}", nn.BatchNorm2d(shape.out_channels))
            else:
                if number > 1 or not first:
                    self.add_module(f"bn{number}", nn.BatchNorm2d(shape.in_channels))
                self.add_module(f"conv{number}", convolution)
        self.downsample = downsample  # last, as in torchvision

    @classmethod
    def build_options(cls, _model: Model) -> dict[str, Any]:
        """Return the constructor's arguments that only this kind of block takes, by name."""
        return {}

    def conv_bn_pairs(self) -> Iterator[tuple[nn.Module, nn.Module | None]]:
        """Yield each convolution with its BN: the layer after it (`post`) or before it (`pre`)."""
        for number in range(1, self.layers + 1):
            yield getattr(self, f"conv{number}"), getattr(self, f"bn{number}", None)

    def activate(self, x: Tensor) -> Tensor:
        """Return the input of the first convolution: ReLU(BN(x)) with order `pre`, otherwise x.

        With order `post`, and in the first block, x is already the output of a ReLU.
        """
        if self.order == "post" or self.first:
            return x
        return F.relu(self.get_submodule("bn1")(x), inplace=True)

    def apply_convolutions(self, activated: Tensor) -> Tensor:
        """Return F(x), of shape (N, out, H / stride, W / stride).

        Args:
            activated: `activate(x)`, of shape (N, in, H, W).
        """
        if self.order == "post":
            return self._convolve_then_normalise(activated)
        return self._normalise_then_convolve(activated)

    def _convolve_then_normalise(self, x: Tensor) -> Tensor:
        """Apply conv BN ReLU ... conv BN. The last ReLU comes after the addition."""
        for number, (convolution, norm) in enumerate(self.conv_bn_pairs(), start=1):
            x = convolution(x)
            if norm is not None:
                x = norm(x)
            if number < self.layers:
                x = F.relu(x, inplace=True)
        return x

    def _normalise_then_convolve(self, x: Tensor) -> Tensor:
        """Apply conv BN ReLU conv ... The first BN and ReLU are in `activate`."""
        for number, (convolution, norm) in enumerate(self.conv_bn_pairs(), start=1):
            if number > 1 and norm is not None:
                x = F.relu(norm(x), inplace=True)
            x = convolution(x)
        return x

    def apply_shortcut(self, x: Tensor, activated: Tensor) -> Tensor:
        """Return S(x), of shape (N, out, H / stride, W / stride).

        The identity and zero padding read x, a projection reads the activated input.

        Args:
            x: the block's input (N, in, H, W).
            activated: `activate(x)`, of the same shape.
        """
        if self.downsample is None:
            return x
        pads_with_zeros = isinstance(self.downsample, ZeroPadding)
        y: Tensor = self.downsample(x if pads_with_zeros else activated)
        return y

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activate(x)
        y = self.apply_convolutions(activated)
        if self.residual:
            y = y + self.apply_shortcut(x, activated)
        if self.order == "post":
            y = F.relu(y, inplace=True)
        return y
