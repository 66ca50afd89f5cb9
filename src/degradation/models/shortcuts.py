"""The three shortcuts of He et al. 2015, 3.3: A, B and C."""

import torch.nn.functional as F
from torch import Tensor, nn


class ZeroPadding(nn.Module):
    """Option A where the shape changes: subsample by the stride, pad the new channels with zeros. No parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = out_channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.new_channels))  # (B, C, H, W): after the old channels


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Options B and C: a 1x1 convolution with BN."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def shortcut_module(option: str, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """What stands on a block's shortcut path; None is the identity (and, with option `none`, no path at all)."""
    same_shape = in_channels == out_channels and stride == 1
    if option == "none" or (same_shape and option != "C"):
        return None
    if option == "A":
        return ZeroPadding(in_channels, out_channels, stride)
    return projection(in_channels, out_channels, stride)
