"""The three shortcuts where a block changes the shape: options A, B and C (He et al. 2015, 3.3)."""

import torch.nn.functional as F
from torch import Tensor, nn

from degradation.models.convolution import build_convolution


class ZeroPadding(nn.Module):
    """Option A: subsample by the stride and fill the new channels with zeros. No parameters.

    (N, in, H, W) -> (N, out, H / stride, W / stride).

    Args:
        either_side: whether half of the new channels (rounded down) come before the old ones and
            the rest after them; otherwise all come after them.
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
        return F.pad(x, (0, 0, 0, 0, self.before, self.after))  # pairs for W, H and channels


def build_projection(
    in_channels: int, out_channels: int, stride: int, norm: bool = True
) -> nn.Sequential:
    """Build the 1x1 convolution of options B and C, followed by BN unless the order is `pre`."""
    projection = nn.Sequential(build_convolution(in_channels, out_channels, 1, stride))
    if norm:
        projection.append(nn.BatchNorm2d(out_channels))
    return projection


def build_shortcut(
    option: str,
    in_channels: int,
    out_channels: int,
    stride: int,
    order: str = "post",
    new_channels: str = "after",
) -> nn.Module | None:
    """Build the module on a block's shortcut path, or None for the identity.

    Args:
        option: `A` pads with zeros where the shape changes, `B` projects there, and `C` projects in
            every block. With `none` there is no shortcut, and None is returned.
        order: order of the block, `post` or `pre`. With `pre` a projection has no BN.
        new_channels: where option A adds channels, `after` or on `either_side` of the old ones.
    """
    if option == "none":
        return None
    same_shape = in_channels == out_channels and stride == 1
    if same_shape and option != "C":
        return None
    if option == "A":
        either_side = new_channels == "either_side"
        return ZeroPadding(in_channels, out_channels, stride, either_side)
    return build_projection(in_channels, out_channels, stride, norm=order == "post")
