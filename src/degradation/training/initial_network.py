"""The network of a run before its first update: built and initialised from the run's seed."""

from torch import nn

from degradation.config import Config
from degradation.data.random_streams import build_generator
from degradation.models.build import build_network
from degradation.models.initialisation import initialise
from degradation.models.random_draws import seeded_global_draws


def build_initial_network(config: Config, channels: int, classes: int) -> nn.Module:
    """Build a run's network: images (N, channels, H, W) -> logits (N, classes).

    What a constructor draws from PyTorch's global generator follows from the run's seed, and does
    not disturb it. The weights of convolutions and linear layers are then drawn by `initialise`.
    """
    with seeded_global_draws(build_generator(config.seed, "construction")):
        network = build_network(config.model, channels, classes)
    generator = build_generator(config.seed, "initialisation")
    initialise(network, generator, config.model.initialisation)
    return network
