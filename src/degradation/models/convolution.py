"""The convolutions of blocks and shortcuts."""

import torch.nn.functional as F
from torch import Tensor, nn

# Strided 1x1 convolutions with fewer input channels are computed by SubsampledConv2d: the widest
# registers of a processor hold this many numbers
MIN_STRIDED_CHANNELS = 16


class SubsampledConv2d(nn.Conv2d):
    """A strided 1x1 convolution, computed without a stride on the pixels that the stride selects.

    On a CPU, oneDNN's own strided 1x1 convolution of images in channels-last order writes beyond
    its buffer in the backward pass if there are fewer channels than a register holds. Then the
    gradients are wrong, or the process crashes (oneDNN issue 6035; seen with PyTorch 2.14).
    """

    def forward(self, x: Tensor) -> Tensor:
        vertical, horizontal = self.stride
        return F.conv2d(x[:, :, ::vertical, ::horizontal], self.weight, self.bias)


def build_convolution(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Conv2d:
    """Build a convolution: (N, in, H, W) -> (N, out, H / stride, W / stride).

    It is padded so that stride 1 preserves H and W. It has no bias, since BN has a shift.
    """
    if kernel == 1 and stride > 1 and in_channels < MIN_STRIDED_CHANNELS:
        return SubsampledConv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Conv2d(
        in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False
    )
