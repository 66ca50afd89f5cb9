"""A basic block whose two paths are scaled by constants: between a plain and a residual block."""

from typing import Any

from torch import Tensor

from degradation.models.basic_block import BasicBlock
from degradation.registry import BLOCKS


@BLOCKS.register(
    "scaled",
    layers=2,
    imagenet_stages={18: (2, 2, 2, 2), 34: (3, 4, 6, 3)},  # those of the basic block
    options={"residual_scale": 1.0, "shortcut_scale": 1.0},
    shortcut_options=("shortcut_scale",),
)
class ScaledBlock(BasicBlock):
    """y = ReLU(residual_scale F(x) + shortcut_scale S(x)), with F and S of the basic block.

    With both scales 1 this is the basic block of a residual network (He et al. 2015). With
    shortcut_scale 0 it is that of the plain network with the same weights. With residual_scale 0
    only the shortcuts remain.

    Args:
        residual_scale: the factor of the convolutions' output F(x).
        shortcut_scale: the factor of the shortcut's output S(x).
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        residual_scale: float = 1.0,
        shortcut_scale: float = 1.0,
        **arguments: Any,
    ) -> None:
        super().__init__(in_channels, width, **arguments)
        self.residual_scale, self.shortcut_scale = residual_scale, shortcut_scale

    def apply_convolutions(self, activated: Tensor) -> Tensor:
        return self.residual_scale * super().apply_convolutions(activated)

    def apply_shortcut(self, x: Tensor, activated: Tensor) -> Tensor:
        return self.shortcut_scale * super().apply_shortcut(x, activated)
