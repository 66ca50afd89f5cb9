"""The three shortcuts of He et al. 2015, 3.3: A, B and C."""

import torch.nn.functional as F
from torch import Tensor, nn


class ZeroPadding(nn.Module):
    """Option A where the shape changes: subsample by the stride, pad the new channels with zeros. No parameters.

    The new channels come after the old ones, or half of them `either_side` (the odd one after).
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, either_side: bool = False
    ) -> None:
        super().__init__()
        new_channels = out_channels - in_channels
        self.before = new_channels // 2 if either_side else 0
        self.after = new_channels - self.before
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, self.before, self.after))  # (B, C, H, W)


def projection(
    in_channels: int, out_channels: int, stride: int, norm: bool = True
) -> nn.Sequential:
    """Options B and C: a 1x1 convolution, with BN unless the block's order is `pre`."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm2d(out_channels)) if norm else nn.Sequential(*layers)


def build_shortcut(
    option: str,
    in_channels: int,
    out_channels: int,
    stride: int,
    order: str = "post",
    new_channels: str = "after",
) -> nn.Module | None:
    """What stands on a block's shortcut path; None is the identity (and, with option `none`, no path at all)."""
    same_shape = in_channels == out_channels and stride == 1
    if option == "none" or (same_shape and option != "C"):
        return None
    if option == "A":
        return ZeroPadding(
            in_channels, out_channels, stride, either_side=new_channels == "either_side"
        )
    return projection(in_channels, out_channels, stride, norm=order == "post")
