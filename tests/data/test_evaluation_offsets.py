"""Crops and flips in an evaluation do not depend on how the images are batched."""

import pytest
import torch

from degradation.data import loaders
from degradation.data.augment import draw_offsets
from degradation.data.datasets import load_dataset
from degradation.data.loaders import build_loader
from degradation.data.random_streams import Shard, build_generator

CPU = torch.device("cpu")


@pytest.fixture
def augmented(tiny, monkeypatch):
    """(seed, iteration, batch size) -> an evaluation's images, float32 (N, C, H, W)."""
    dataset = load_dataset(tiny().data)

    def evaluate(seed=0, iteration=40, batch=250, flip=True):
        monkeypatch.setattr(loaders, "EVALUATION_BATCH", batch)
        loader = build_loader(dataset, tiny(f"seed={seed}", f"data.flip={flip}"), CPU)
        return torch.cat([images for images, _ in loader.augmented_batches(iteration)])

    return evaluate


@pytest.mark.parametrize("batch", [128, 500, 1500, 7])
def test_augmentation_does_not_depend_on_the_batch_size(augmented, batch):
    assert torch.equal(augmented(batch=batch), augmented(batch=250))


def test_augmentation_depends_on_seed_and_iteration(augmented):
    first = augmented()
    assert torch.equal(first, augmented())
    assert not torch.equal(first, augmented(seed=1))
    assert not torch.equal(first, augmented(iteration=80))


def test_offsets_are_those_of_earlier_records(tiny):
    """One stream per evaluation, 250 images per draw: the numbers of all records depend on it."""
    config = tiny("seed=3")
    loader = build_loader(load_dataset(config.data), config, CPU)
    stream = build_generator(3, "evaluation", 80)
    expected = []
    for start in range(0, 1500, 250):
        offsets = draw_offsets(250, config.data, stream)
        draws = torch.cat([torch.arange(start, start + 250)[None], offsets])
        expected.append(loader.splits["train"].augmented_batch(draws)[0])
    assert torch.equal(
        torch.cat([images for images, _ in loader.augmented_batches(80)]), torch.cat(expected)
    )


def test_shards_deal_the_batches_of_an_evaluation(tiny):
    config = tiny()
    loader = build_loader(load_dataset(config.data), config, CPU)
    whole = [images for images, _ in loader.augmented_batches(8)]
    shards = [
        [images for images, _ in loader.augmented_batches(8, Shard(rank, 2))] for rank in range(2)
    ]
    assert [len(shard) for shard in shards] == [3, 3]
    for number, images in enumerate(whole):
        assert torch.equal(images, shards[number % 2][number // 2])


def test_batches_on_a_gpu_have_equally_many_pixels(tiny):
    """The numbers of images are those of conf/: 2,500 of CIFAR-10, all digits, never below 250."""
    config = tiny()
    loader = build_loader(load_dataset(config.data), config, CPU)
    assert loader.evaluation_batch == 250
    loader.device = torch.device("cuda")
    for side, expected in ((32, 2500), (8, 40_000), (224, 250)):
        loader.splits["train"].images = torch.empty(1, 1, side, side)
        assert loader.evaluation_batch == expected
