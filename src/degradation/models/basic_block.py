"""The block of two 3x3 convolutions (He et al. 2015, figure 5 left)."""

from torch import nn

from degradation.models.blocks import Block, ConvShape
from degradation.registry import BLOCKS


@BLOCKS.register(
    "basic",
    layers=2,
    imagenet_stages={18: (2, 2, 2, 2), 34: (3, 4, 6, 3)},  # He et al. 2015, table 1
)
class BasicBlock(Block):
    """Two 3x3 convolutions: (N, in_channels, H, W) -> (N, width, H / stride, W / stride)."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        residual: bool = True,
        order: str = "post",
        first: bool = False,
    ) -> None:
        convolutions = [
            ConvShape(in_channels, width, kernel=3, stride=stride),
            ConvShape(width, width, kernel=3, stride=1),
        ]
        super().__init__(convolutions, downsample, residual, order, first)
