"""How a network's depth determines the number of blocks in each stage. Free of torch."""

from degradation.config.schema import Model
from degradation.registry import BLOCKS

CIFAR_STAGES = 3
# how often a network halves the side of its maps: in the stem, and before each later stage
HALVINGS = {"cifar": 2, "imagenet": 5}


def layers_per_unit(block: str) -> int:
    """Return how many layers are added by one more block in each of the cifar stages.

    A cifar network has `layers_per_unit * n + 2` layers (He et al. 2015, 4.2): 6n+2 with basic
    blocks, 9n+2 with bottlenecks.
    """
    layers: int = BLOCKS.facts(block)["layers"]
    return CIFAR_STAGES * layers


def imagenet_stages(block: str) -> dict[int, tuple[int, ...]]:
    """Return {depth: blocks of each stage} of the imagenet layout (He et al. 2015, table 1)."""
    stages: dict[int, tuple[int, ...]] = BLOCKS.facts(block).get("imagenet_stages", {})
    return stages


def blocks_per_stage(model: Model) -> tuple[int, ...]:
    """Return the number of blocks in each stage. The depth must fit the layout and the block."""
    if model.layout == "imagenet":
        return imagenet_stages(model.block)[model.depth]
    blocks = (model.depth - 2) // layers_per_unit(model.block)
    return (blocks,) * CIFAR_STAGES


def smallest_map_side(model: Model, side: int) -> int:
    """Return the side of the last stage's feature maps, in pixels, for images of this side.

    Each stride of 2 halves the side and rounds up, since all convolutions are padded.
    """
    for _ in range(HALVINGS[model.layout]):
        side = (side + 1) // 2
    return side
