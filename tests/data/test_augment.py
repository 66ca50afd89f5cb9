"""The one gather equals padding, cropping and flipping picture by picture."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from degradation.data.augment import ImageBatches, Offsets, compute_statistics, draw_offsets
from degradation.data.datasets import Split
from degradation.data.random_streams import build_generator


@pytest.fixture(scope="module")
def split():
    source = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=source)
    return Split(pictures, torch.arange(20) % 5)


@pytest.fixture
def data(compose_config):
    """keys -> Data: the digits' with these keys changed."""
    return lambda **keys: replace(compose_config().data, **keys)


@pytest.mark.parametrize("normalisation", ["channel", "pixel"])
def test_the_gather_equals_pad_crop_flip(split, data, normalisation):
    mean, deviation = compute_statistics(split.images, normalisation)
    pictures = ImageBatches(split, mean, deviation, torch.device("cpu"), "before_padding")
    index = torch.tensor([3, 3, 7, 19, 0, 5])
    offsets = draw_offsets(len(index), data(pad=2, flip=True), torch.Generator().manual_seed(0))
    batch, labels = pictures.augmented_batch(index, offsets)
    assert labels.tolist() == split.labels[index].tolist()
    for got, which, row, column, flip in zip(batch, index, *vars(offsets).values(), strict=True):
        padded = F.pad(
            (split.images[which].float() - mean) / deviation, (2, 2, 2, 2)
        )  # zeros: the mean picture
        expected = padded[:, 2 + row : 10 + row, 2 + column : 10 + column]
        torch.testing.assert_close(got, expected.flip(2) if flip else expected, rtol=0, atol=0)


@pytest.mark.parametrize("normalisation", ["channel", "pixel"])
def test_after_padding_black_is_normalised_too(split, data, normalisation):
    """The mean of each pixel is that of its place in the crop."""
    mean, deviation = compute_statistics(split.images, normalisation)
    pictures = ImageBatches(split, mean, deviation, torch.device("cpu"), "after_padding")
    index = torch.arange(20)
    offsets = draw_offsets(20, data(pad=2, flip=True), torch.Generator().manual_seed(0))
    batch, _ = pictures.augmented_batch(index, offsets)
    for got, which, row, column, flip in zip(batch, index, *vars(offsets).values(), strict=True):
        padded = F.pad(split.images[which].float(), (2, 2, 2, 2))
        crop = padded[:, 2 + row : 10 + row, 2 + column : 10 + column]
        expected = ((crop.flip(2) if flip else crop) - mean) / deviation
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_each_picture_has_a_crop_of_its_own_over_all_offsets(data):
    offsets = draw_offsets(500, data(pad=1, flip=True), build_generator(0, "augmentation", 3))
    assert set(offsets.row.tolist()) == set(offsets.column.tolist()) == {-1, 0, 1}
    assert 150 < offsets.flip.sum() < 350
    assert not (offsets.row == offsets.column).all()


def test_no_pad_and_no_flip_leave_the_picture(split, data):
    mean, deviation = compute_statistics(split.images, "channel")
    pictures = ImageBatches(split, mean, deviation, torch.device("cpu"), "before_padding")
    unchanged = draw_offsets(20, data(pad=0, flip=False), torch.Generator())
    batch, _ = pictures.augmented_batch(torch.arange(20), unchanged)
    assert torch.equal(batch, pictures.eval_batch(0, 20)[0])


def test_statistics_are_those_of_these_training_pictures_and_no_others(split):
    """Pitfall 6: ImageNet's channel statistics on other pictures."""
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


def test_the_padding_is_the_mean_picture(split):
    mean, deviation = compute_statistics(split.images, "pixel")
    pictures = ImageBatches(split, mean, deviation, torch.device("cpu"), "before_padding")
    down = Offsets(torch.tensor([4]), torch.tensor([0]), torch.tensor([False]))
    batch, _ = pictures.augmented_batch(torch.tensor([0]), down)
    assert torch.equal(batch[0, :, 4:], torch.zeros(3, 4, 8))
    assert bool((batch[0, :, :4] != 0).any())
