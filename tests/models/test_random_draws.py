"""Draws of a user's network are repeatable, and leave all other generators as they were."""

import pytest
import torch
from torch import nn

from degradation.models.random_draws import seed_block, seeded_global_draws


@pytest.fixture
def gpus(monkeypatch):
    """The generators of two GPUs, which stand for those of a machine that has them."""
    generators = tuple(torch.Generator().manual_seed(seed) for seed in (5, 6))
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda gpu: generators[gpu.index].get_state())
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, gpu: generators[gpu.index].set_state(state)
    )

    def seed_all(seed):
        for generator in generators:
            generator.manual_seed(seed)

    monkeypatch.setattr(torch.cuda, "manual_seed_all", seed_all)
    return generators


def read_states(gpus):
    return [torch.get_rng_state(), *(gpu.get_state() for gpu in gpus)]


class Dropping(nn.Linear):
    """A network whose forward pass may draw."""

    draws_randomly = True


@pytest.mark.parametrize("gpu", [None, 1])
def test_generators_of_other_devices_are_not_touched(gpus, gpu):
    device = None if gpu is None else torch.device("cuda", gpu)
    before = read_states(gpus)
    with seeded_global_draws(torch.Generator().manual_seed(1 << 20), device):
        inside = read_states(gpus)
        seed_block(Dropping(1, 1), 0)
        torch.rand(1)
        torch.rand(1, generator=gpus[1] if gpu else None)
    changed = [not torch.equal(*pair) for pair in zip(before, inside, strict=True)]
    assert changed == [True, False, gpu == 1]
    assert all(map(torch.equal, before, read_states(gpus)))


@pytest.mark.parametrize("number", [0, 7])
def test_block_repeats_its_draws(gpus, number):
    before = read_states(gpus)
    with seeded_global_draws(torch.Generator().manual_seed(1 << 20)):
        draws = []
        for block in (number, number + 1, number):
            seed_block(Dropping(1, 1), block)
            draws.append(torch.rand(1).item())
    assert draws[0] == draws[2] != draws[1]
    assert all(map(torch.equal, before, read_states(gpus)))
