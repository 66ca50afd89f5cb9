"""The gather equals padding, cropping and flipping each image separately."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from degradation.data.augment import ImageBatches, compute_statistics, draw_offsets
from degradation.data.datasets import Split
from degradation.data.random_streams import build_generator

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def split():
    source = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=source)
    return Split(images, torch.arange(20) % 5)


@pytest.fixture
def data(compose_config):
    """keys -> the `data` section of digits, with these keys changed."""
    return lambda **keys: replace(compose_config().data, **keys)


@pytest.mark.parametrize("normalisation", ["channel", "pixel"])
def test_gather_equals_pad_crop_flip(split, data, normalisation):
    mean, deviation = compute_statistics(split.images, normalisation)
    batches = ImageBatches(split, mean, deviation, torch.device("cpu"), "before_padding")
    indices = torch.tensor([3, 3, 7, 19, 0, 5])
    offsets = draw_offsets(len(indices), data(pad=2, flip=True), torch.Generator().manual_seed(0))
    batch, labels = batches.augmented_batch(torch.cat([indices[None], offsets]))
    assert labels.tolist() == split.labels[indices].tolist()
    for image, index, row, column, flip in zip(batch, indices, *offsets, strict=True):
        normalised = (split.images[index].float() - mean) / deviation
        padded = F.pad(normalised, (2, 2, 2, 2))  # zeros: the mean image
        expected = padded[:, 2 + row : 10 + row, 2 + column : 10 + column]
        torch.testing.assert_close(image, expected.flip(2) if flip else expected, rtol=0, atol=0)


@pytest.mark.parametrize("normalisation", ["channel", "pixel"])
def test_black_padding_is_normalised_too(split, data, normalisation):
    """The subtracted mean is that of the pixel's position in the crop."""
    mean, deviation = compute_statistics(split.images, normalisation)
    batches = ImageBatches(split, mean, deviation, torch.device("cpu"), "after_padding")
    indices = torch.arange(20)
    offsets = draw_offsets(20, data(pad=2, flip=True), torch.Generator().manual_seed(0))
    batch, _ = batches.augmented_batch(torch.cat([indices[None], offsets]))
    for image, index, row, column, flip in zip(batch, indices, *offsets, strict=True):
        padded = F.pad(split.images[index].float(), (2, 2, 2, 2))
        crop = padded[:, 2 + row : 10 + row, 2 + column : 10 + column]
        expected = ((crop.flip(2) if flip else crop) - mean) / deviation
        torch.testing.assert_close(image, expected, rtol=0, atol=0)


def test_each_image_draws_its_own_crop_from_all_offsets(data):
    offsets = draw_offsets(500, data(pad=1, flip=True), build_generator(0, "augmentation", 3))
    row, column, flip = offsets
    assert set(row.tolist()) == set(column.tolist()) == {-1, 0, 1}
    assert set(flip.tolist()) == {0, 1}
    assert 150 < flip.sum() < 350
    assert not (row == column).all()


def test_without_pad_and_flip_images_are_unchanged(split, data):
    mean, deviation = compute_statistics(split.images, "channel")
    batches = ImageBatches(split, mean, deviation, torch.device("cpu"), "before_padding")
    unchanged = draw_offsets(20, data(pad=0, flip=False), torch.Generator())
    batch, _ = batches.augmented_batch(torch.cat([torch.arange(20)[None], unchanged]))
    assert torch.equal(batch, batches.eval_batch(0, 20)[0])


def test_statistics_are_those_of_the_training_images(split):
    """Pitfall 6: using ImageNet's channel statistics for other data sets."""
    mean, deviation = compute_statistics(split.images, "channel")
    values = split.images.double()
    torch.testing.assert_close(mean.flatten(), values.mean((0, 2, 3)).float())
    torch.testing.assert_close(deviation.flatten(), values.std((0, 2, 3), correction=0).float())
    normalised = ImageBatches(
        split, mean, deviation, torch.device("cpu"), "before_padding"
    ).eval_batch(0, 20)[0]
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        normalised.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0
    )


def test_pixel_normalisation_subtracts_the_per_pixel_mean_only(split):
    mean, deviation = compute_statistics(split.images, "pixel")
    torch.testing.assert_close(mean, split.images.double().mean(0).float())
    assert deviation.unique().tolist() == [255.0]


def test_padding_is_the_mean_image(split):
    mean, deviation = compute_statistics(split.images, "pixel")
    batches = ImageBatches(split, mean, deviation, torch.device("cpu"), "before_padding")
    first_image_down = torch.tensor([[0], [4], [0], [0]])
    batch, _ = batches.augmented_batch(first_image_down)
    assert torch.equal(batch[0, :, 4:], torch.zeros(3, 4, 8))
    assert bool((batch[0, :, :4] != 0).any())


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_constant_channel_becomes_zero(split, grey):
    """Test images may differ in it; they stay in [-1, 1]."""
    train = split.images.clone()
    train[:, 1] = grey
    mean, deviation = compute_statistics(train, "channel")
    whole, others = compute_statistics(split.images, "channel")
    assert torch.equal(mean[[0, 2]], whole[[0, 2]])
    assert torch.equal(deviation[[0, 2]], others[[0, 2]])
    batches = ImageBatches(Split(train, split.labels), mean, deviation, CPU, "before_padding")
    batch, _ = batches.eval_batch(0, 20)
    assert torch.equal(batch[:, 1], torch.zeros(20, 8, 8))
    assert bool(batch.isfinite().all())
    test_batch, _ = ImageBatches(split, mean, deviation, CPU, "before_padding").eval_batch(0, 20)
    assert float(test_batch[:, 1].abs().max()) <= 1


def test_channel_with_one_other_pixel_is_finite():
    images = torch.full((1000, 1, 8, 8), 255, dtype=torch.uint8)
    images[0, 0, 0, 0] = 254
    mean, deviation = compute_statistics(images, "channel")
    torch.testing.assert_close(
        deviation.flatten(), torch.tensor([1 / 64000**0.5]), rtol=1e-3, atol=0
    )
    assert bool(mean.isfinite().all())
