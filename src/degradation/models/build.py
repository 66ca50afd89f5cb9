"""Build the network of a configuration: the built-in one, or one of the user's own."""

from torch import nn

from degradation.config import (
    ConfigError,
    Model,
    draws_randomly,
    is_made_of_blocks,
    network_options,
)
from degradation.models.blocks import Block
from degradation.models.network import Network
from degradation.registry import NETWORKS


def build_network(model: Model, channels: int, classes: int) -> nn.Module:
    """Build the network of a validated model: images (N, channels, H, W) -> logits (N, classes).

    Its weights are those of the constructor; `initialise` draws them.

    Raises:
        ConfigError: `model.network` returns something else than a module.
    """
    factory = NETWORKS.load(model.network)
    network = factory(model, channels, classes, **network_options(model))
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"model.network: {model.network} returns a {type(network).__name__};"
            " allowed: a torch.nn.Module"
        )
    if is_made_of_blocks(model):
        require_blocks(network, "blocks=True in its registration")
    # attributes, not buffers: they are in no state_dict
    network.draws_randomly = draws_randomly(model)  # type: ignore[assignment]
    network.own_initialisation = NETWORKS.facts(model.network).get("own_initialisation", False)
    return network


def is_separable(network: nn.Module) -> bool:
    """Return whether the network is a chain of blocks whose convolutions and shortcut can be split.

    A `forward` of a user's own may join them in any way.
    """
    if not isinstance(network, Network) or type(network).forward is not Network.forward:
        return False
    return all(type(block).forward is Block.forward for block in network.blocks())


def require_blocks(network: nn.Module, purpose: str) -> Network:
    """Return a network of a stem, stages of blocks, and a head.

    Args:
        purpose: what it is required for, as the beginning of a message.

    Raises:
        ConfigError: it is another module.
    """
    if not isinstance(network, Network):
        raise ConfigError(
            f"model.network: {purpose} needs a network of a stem, blocks and a head;"
            " allowed: resnet, or a subclass of degradation.models.network.Network"
        )
    return network
