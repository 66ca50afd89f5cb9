"""Random streams are pure functions of seed, stream and index."""

import pytest
import torch

from degradation.data import random_streams
from degradation.data.random_streams import TrainingOrder, build_generator
from tests.support.training_batches import draw_batch_indices


def test_every_image_occurs_once_per_epoch():
    # 70 images are 7 epochs of 10
    batches = torch.cat([TrainingOrder(0, 10).batch(iteration, 7) for iteration in range(10)])
    for epoch in batches.view(7, 10):
        assert sorted(epoch.tolist()) == list(range(10))
    assert not torch.equal(batches[:10], batches[10:20])


def test_batches_larger_than_the_set_are_full():
    assert len(TrainingOrder(0, 10).batch(3, 25)) == 25


@pytest.mark.parametrize(("batch", "images"), [(3, 8), (8, 8), (25, 8), (128, 1500)])
def test_order_equals_one_draw_per_batch(batch, images):
    order = TrainingOrder(5, images)
    for iteration in [*range(13), 40, 2]:  # forwards, ahead and back
        expected = draw_batch_indices(5, iteration, batch, images)
        assert torch.equal(order.batch(iteration, batch), expected)


def test_each_permutation_is_drawn_once(monkeypatch):
    drawn = []

    def count_draws(seed, stream, index):
        drawn.append((seed, stream, index))
        return build_generator(seed, stream, index)

    monkeypatch.setattr(random_streams, "build_generator", count_draws)
    order = TrainingOrder(2, 10)
    for iteration in range(9):  # 27 images: two epochs and seven images of the third
        order.batch(iteration, 3)
    assert drawn == [(2, "order", 0), (2, "order", 1), (2, "order", 2)]


def test_global_stream_does_not_affect_the_order():
    torch.manual_seed(1)
    first = TrainingOrder(3, 100).batch(41, 16)
    torch.manual_seed(2)
    torch.rand(5)
    assert torch.equal(first, TrainingOrder(3, 100).batch(41, 16))


def test_seeds_and_streams_differ_and_zero_is_a_seed():
    """Pitfall 8: replicates without a seed, or a seed of 0 treated as no seed."""
    draws = {
        (seed, stream): tuple(torch.rand(4, generator=build_generator(seed, stream)).tolist())
        for seed in (0, 1, 2)
        for stream in ("order", "augmentation", "initialisation")
    }
    assert len(set(draws.values())) == 9
    assert draws[0, "order"] == tuple(torch.rand(4, generator=build_generator(0, "order")).tolist())
