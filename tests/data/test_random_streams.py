"""Random streams are pure functions of seed, stream and index."""

import torch

from degradation.data.random_streams import build_generator, draw_batch_indices


def test_every_image_occurs_once_per_epoch():
    # 70 images are 7 epochs of 10
    batches = torch.cat([draw_batch_indices(0, iteration, 7, 10) for iteration in range(10)])
    for epoch in batches.view(7, 10):
        assert sorted(epoch.tolist()) == list(range(10))
    assert not torch.equal(batches[:10], batches[10:20])


def test_batches_larger_than_the_set_are_full():
    assert len(draw_batch_indices(0, 3, 25, 10)) == 25


def test_global_stream_does_not_affect_the_order():
    torch.manual_seed(1)
    first = draw_batch_indices(3, 41, 16, 100)
    torch.manual_seed(2)
    torch.rand(5)
    assert torch.equal(first, draw_batch_indices(3, 41, 16, 100))


def test_seeds_and_streams_differ_and_zero_is_a_seed():
    """Pitfall 8: replicates without a seed, or a seed of 0 treated as no seed."""
    draws = {
        (seed, stream): tuple(torch.rand(4, generator=build_generator(seed, stream)).tolist())
        for seed in (0, 1, 2)
        for stream in ("order", "augmentation", "initialisation")
    }
    assert len(set(draws.values())) == 9
    assert draws[0, "order"] == tuple(torch.rand(4, generator=build_generator(0, "order")).tolist())
