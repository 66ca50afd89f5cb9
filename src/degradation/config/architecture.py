"""What the keys of a network imply: its blocks per stage, its family, its parent.

Does not import torch.
"""

from dataclasses import replace

from degradation.config.schema import Config, Model
from degradation.registry import BLOCKS, NETWORKS, PROBES

CIFAR_STAGES = 3
GROWABLE = "plain networks of basic blocks with layout cifar and order post"
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


def is_made_of_blocks(model: Model) -> bool:
    """Return whether the network consists of a stem, stages of blocks, and a head."""
    return bool(NETWORKS.facts(model.network).get("blocks", False))


def is_built_in(model: Model) -> bool:
    """Return whether this package defines the network and its block."""
    return NETWORKS.is_built_in(model.network) and BLOCKS.is_built_in(model.block)


def has_separable_blocks(model: Model) -> bool:
    """Return whether the network is made of blocks whose convolutions and shortcut can be split.

    A block or a network that defines `forward` itself may join them in any way. A definition that
    inherits it from another file is known once the network is built (`degradation.models.build`).
    """
    if not is_made_of_blocks(model) or "forward" in BLOCKS.methods(model.block):
        return False
    if NETWORKS.is_built_in(model.network):
        return True
    return "forward" not in NETWORKS.methods(model.network)


def draws_randomly(model: Model) -> bool:
    """Return whether forward passes may draw from PyTorch's global generators (dropout).

    Of code outside this package it is assumed, unless its registration states `draws=False`.
    """
    definitions = [(NETWORKS, model.network)]
    if is_made_of_blocks(model):
        definitions.append((BLOCKS, model.block))
    return any(
        registry.facts(name).get("draws", not registry.is_built_in(name))
        for registry, name in definitions
    )


def is_applicable(probe: str, model: Model) -> bool:
    """Return whether a probe can be run on a network."""
    facts = PROBES.facts(probe)
    if not facts.get("any_network", False) and not has_separable_blocks(model):
        return False
    return model.shortcut != "none" or not facts["needs_shortcuts"]


def find_obstacle_to_growth(model: Model) -> str | None:
    """Return the key, with its value, that prevents a solution by construction, or None.

    Identity blocks exist for plain networks of basic blocks in the cifar layout only.
    """
    needed = {
        "network": "resnet",
        "layout": "cifar",
        "shortcut": "none",
        "order": "post",
        "block": "basic",
    }
    for name, value in needed.items():
        if getattr(model, name) != value:
            return f"model.{name}={getattr(model, name)}"
    return None


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


def family(model: Model) -> str:
    """Return the name of a network's kind in run ids, tables and figures."""
    if model.grown_from is not None:
        return "constructed"
    if model.order == "pre":
        return "plain-preactivation" if model.shortcut == "none" else "preactivation"
    return "plain" if model.shortcut == "none" else "residual"


def parent_config(config: Config) -> Config | None:
    """Return the run whose trained network a constructed network is grown from, or None."""
    if config.model.grown_from is None:
        return None
    model = replace(config.model, depth=config.model.grown_from, grown_from=None)
    return replace(config, model=model)
