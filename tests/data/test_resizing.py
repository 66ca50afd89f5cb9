"""Images are resized once, when they are loaded: by area averaging, with numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from degradation.config import ConfigError
from degradation.data import resizing
from degradation.data.arrays import Arrays
from degradation.data.datasets import find_image_shape, load_dataset
from degradation.data.errors import DataError
from degradation.data.image_side import find_image_side
from degradation.data.resizing import resize_arrays, resize_images
from degradation.registry import DATASETS

RESIZABLE = ["cifar10", "cifar100", "fashion_mnist"]


def average(rows, side):
    return resize_images(np.array(rows, dtype=np.uint8), side, "area").tolist()


def test_each_pixel_is_the_mean_of_its_area():
    rows = [[0, 4, 10, 10], [8, 4, 10, 10], [1, 2, 100, 0], [3, 2, 0, 0]]
    assert average(rows, 2) == [[4, 10], [2, 25]]
    assert average(rows, 1) == [[10]]  # 164 / 16 = 10.25
    assert average(rows, 4) == rows


def test_pixel_covered_in_part_counts_in_proportion():
    """Each of 2x2 pixels covers 1.5 x 1.5 of 3x3: all of a corner, a quarter of the centre."""
    assert average([[9, 0, 0], [0, 0, 0], [0, 0, 0]], 2) == [[4, 0], [0, 0]]
    assert average([[0, 0, 0], [0, 90, 0], [0, 0, 0]], 2) == [[10, 10], [10, 10]]
    assert average([[0, 9, 0], [0, 0, 0], [0, 0, 0]], 2) == [[2, 2], [0, 0]]


def test_halves_are_rounded_up():
    assert average([[0, 0], [1, 1]], 1) == [[1]]
    assert average([[2, 2], [3, 3]], 1) == [[3]]
    assert average([[0, 0], [0, 1]], 1) == [[0]]
    assert average([[255, 255], [255, 254]], 1) == [[255]]


def test_sides_may_differ():
    """Two rows of three pixels become one pixel; of four rows, each two become one."""
    assert average([[1, 2, 3], [4, 5, 9]], 1) == [[4]]
    assert average([[0, 8], [2, 8], [5, 1], [7, 3]], 2) == [[1, 8], [6, 2]]


def test_channels_and_images_are_resized_singly(monkeypatch):
    images = np.random.RandomState(0).randint(0, 256, (5, 3, 7, 7)).astype(np.uint8)
    together = resize_images(images, 4, "area")
    monkeypatch.setattr(resizing, "CHUNK_VALUES", 100)
    assert (together == resize_images(images, 4, "area")).all()
    assert (together[3, 1] == resize_images(images[3, 1], 4, "area")).all()


@pytest.mark.parametrize(("height", "width", "side"), [(9, 9, 4), (8, 5, 3), (4, 4, 7)])
def test_bilinear_is_pillows_filter_of_the_whole_image(height, width, side):
    pixels = np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)
    expected = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    resized = resize_images(pixels.transpose(2, 0, 1), side, "bilinear")
    assert (resized.transpose(1, 2, 0) == np.asarray(expected)).all()


@pytest.fixture
def originals(monkeypatch):
    """Return a function: name of a data set -> two random images per split, which are loaded."""

    def build(name):
        facts = DATASETS.facts(name)
        shape = (2, facts["channels"], facts["side"], facts["side"])
        images = np.random.RandomState(0).randint(0, 256, (2, *shape)).astype(np.uint8)
        arrays = Arrays(images[0], np.arange(2), images[1], np.arange(2))
        monkeypatch.setattr(DATASETS, "load", lambda _name: lambda _data: arrays)
        return arrays

    return build


@pytest.mark.parametrize("name", RESIZABLE)
def test_published_data_are_resized_when_loaded(compose_config, originals, name):
    arrays = originals(name)
    data = compose_config(f"data={name}", "data.size=14").data
    dataset = load_dataset(data)
    expected = resize_images(arrays.test_images, 14, "area")
    assert torch.equal(dataset.test.images, torch.from_numpy(expected))
    assert dataset.train.images.shape == (2, dataset.channels, 14, 14)
    assert dataset.checksum() != load_dataset(replace(data, size=None)).checksum()
    facts = DATASETS.facts(name)
    assert find_image_shape(data) == (facts["channels"], 14, facts["classes"])
    assert find_image_side(data) == 14


def test_without_a_size_images_are_unchanged(compose_config, originals):
    arrays = originals("cifar10")
    dataset = load_dataset(compose_config("data=cifar10").data)
    assert torch.equal(dataset.train.images, torch.from_numpy(arrays.train_images))
    assert resize_arrays(arrays, 32, "area") is arrays


def test_area_averaging_does_not_enlarge(originals):
    arrays = originals("fashion_mnist")
    with pytest.raises(ConfigError, match=r"^data\.size: 30 .* allowed: null, or at most 28$"):
        resize_arrays(arrays, 30, "area")
    assert resize_arrays(arrays, 30, "bilinear").test_images.shape == (2, 1, 30, 30)


@pytest.mark.parametrize(
    ("overrides", "allowed"),
    [
        (["data=digits", "data.size=4"], "null, since the images of data.name=digits"),
        (["data=imagenet", "data.root=x", "data.size=16"], "null, since the images of data.name="),
        (["data=cifar100", "data.size=33"], "null, or at most 32, since area averaging"),
    ],
)
def test_size_that_cannot_be_used_is_refused_in_one_line(compose_config, overrides, allowed):
    with pytest.raises(ConfigError, match=rf"^data\.size: \d+ is not allowed; allowed: {allowed}"):
        compose_config(*overrides)


@pytest.fixture
def image_folder(tmp_path, compose_config):
    """Return a function: changes of `data` -> configuration of a folder of images of 3x2 pixels."""
    pixels = (np.arange(18) ** 2 // 2).astype(np.uint8).reshape(2, 3, 3)
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(2):
                path = tmp_path / split / name / f"{index}.png"
                Image.fromarray(pixels + 10 * number + 50 * index).save(path)
    data = compose_config("data=image_folder", f"data.root={tmp_path}").data
    return lambda **changes: replace(data, **changes)


def test_image_folder_is_resized_in_either_way(image_folder):
    """The red pixels of its first image: 0, 4, 18 and 40, 72, 112, of which each covers 1.5."""
    area = image_folder(size=2, resize="area")
    first = load_dataset(area)
    assert first.train.images[0, 0].tolist() == [[1, 13], [51, 99]]
    bilinear = load_dataset(image_folder(size=2))
    assert bilinear.train.images[0, 0].tolist() != first.train.images[0, 0].tolist()
    # both are read again from their own caches
    assert load_dataset(area).checksum() == first.checksum()
    assert load_dataset(image_folder(size=2)).checksum() == bilinear.checksum()


def test_image_too_small_for_area_averaging_is_named(image_folder, tmp_path):
    with pytest.raises(DataError, match=r"cat/0\.png.* \(has 3x2 pixels, which area averaging"):
        load_dataset(image_folder(size=3, resize="area"))
    assert load_dataset(image_folder(size=3)).side == 3
