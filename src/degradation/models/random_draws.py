"""Make what a network draws from PyTorch's global generators repeatable.

The networks of this package draw nothing in a forward pass, and their weights are drawn from
streams of their own. A user's constructor may draw, and so may a user's forward pass: dropout, or
stochastic depth. Such code runs with global generators that are seeded from a stream and restored
afterwards, so two runs agree, and a resumed run equals an undisturbed one.

Limit: a GPU draws other numbers than a CPU.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

BLOCK_BITS = 0xFFFF  # the low bits of a seed, which number the blocks of a network


@contextmanager
def seeded_global_draws(
    generator: torch.Generator, device: torch.device | None = None
) -> Iterator[None]:
    """Within this context, global generators are seeded; afterwards they are as before.

    Args:
        generator: a new generator, whose seed is used.
        device: whose global generator is seeded and restored, besides the CPU's. No other is.
    """
    accelerator = _find_accelerator(device)
    cpu_state = torch.get_rng_state()
    device_state = None if accelerator is None else _get_state(accelerator)
    _seed(generator.initial_seed() & ~BLOCK_BITS, accelerator)
    try:
        yield
    finally:
        torch.set_rng_state(cpu_state)
        if accelerator is not None and device_state is not None:
            _set_state(accelerator, device_state)


def network_draws(
    network: nn.Module, generator: torch.Generator, device: torch.device
) -> AbstractContextManager[None]:
    """Return the context of a forward pass: `seeded_global_draws` if the network draws."""
    if not is_random(network):
        return nullcontext()
    return seeded_global_draws(generator, device)


def seed_block(network: nn.Module, number: int) -> None:
    """Seed the global generators for one block, so that it can be computed again with equal draws.

    Called inside `seeded_global_draws`, whose seed this one differs from in its low bits. It does
    nothing for a network that does not draw.

    Args:
        number: the number of the block, from 0.
    """
    if is_random(network):
        device = next((parameter.device for parameter in network.parameters()), None)
        seed = (torch.initial_seed() & ~BLOCK_BITS) | ((number + 1) & BLOCK_BITS)
        _seed(seed, _find_accelerator(device))


def is_random(network: nn.Module) -> bool:
    """Return whether forward passes of a network may draw; `build_network` stores it."""
    return bool(getattr(network, "draws_randomly", False))


def _find_accelerator(device: torch.device | None) -> torch.device | None:
    return None if device is None or device.type == "cpu" else device


def _seed(seed: int, accelerator: torch.device | None) -> None:
    """Seed the CPU's generator and one device's; `torch.manual_seed` would seed every GPU's."""
    torch.default_generator.manual_seed(seed)
    if accelerator is None:
        return
    if accelerator.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        index = accelerator.index
        index = torch.cuda.current_device() if index is None else index
        torch.cuda.default_generators[index].manual_seed(seed)


def _get_state(device: torch.device) -> torch.Tensor:
    if device.type == "mps":
        return torch.mps.get_rng_state()
    return torch.cuda.get_rng_state(device)


def _set_state(device: torch.device, state: torch.Tensor) -> None:
    if device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.cuda.set_rng_state(state, device)
