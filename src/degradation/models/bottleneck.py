"""The bottleneck block: 1x1, 3x3 and 1x1 convolutions (He et al. 2015, figure 5 right)."""

from typing import Any

from torch import nn

from degradation.config import Model
from degradation.models.blocks import Block, ConvShape
from degradation.registry import BLOCKS


@BLOCKS.register(
    "bottleneck",
    layers=3,
    imagenet_stages={  # He et al. 2015, table 1
        50: (3, 4, 6, 3),
        101: (3, 4, 23, 3),
        152: (3, 8, 36, 3),
    },
)
class Bottleneck(Block):
    """A 1x1 convolution that reduces the channels, a 3x3, and a 1x1 that expands them by 4.

    (N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride).

    Args:
        width: number of filters of the 3x3 convolution.
        stride_on_first: whether the first 1x1 convolution has the stride, as in He et al. 2015;
            otherwise the 3x3 convolution has it, as in most later code.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        residual: bool = True,
        order: str = "post",
        first: bool = False,
        stride_on_first: bool = False,
    ) -> None:
        first_stride, middle_stride = (stride, 1) if stride_on_first else (1, stride)
        convolutions = [
            ConvShape(in_channels, width, kernel=1, stride=first_stride),
            ConvShape(width, width, kernel=3, stride=middle_stride),
            ConvShape(width, width * self.expansion, kernel=1, stride=1),
        ]
        super().__init__(convolutions, downsample, residual, order, first)

    @classmethod
    def build_options(cls, model: Model) -> dict[str, Any]:
        return {"stride_on_first": model.bottleneck_stride == "1x1"}
