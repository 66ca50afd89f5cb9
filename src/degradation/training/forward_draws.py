"""The random numbers of an iteration's forward pass, for networks that draw any."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from degradation.data.random_streams import Shard, build_generator
from degradation.models.random_draws import is_random, seeded_global_draws


def forward_draws(
    network: nn.Module, seed: int, shard: Shard, iteration: int, device: torch.device
) -> AbstractContextManager[None]:
    """Return the context in which an iteration's forward pass draws, if the network draws.

    Each process of a group draws for its own share of the batch.
    """
    if not is_random(network):
        return nullcontext()
    generator = build_generator(seed, f"training/{shard.rank}", iteration)
    return seeded_global_draws(generator, device)
