"""The images of a benchmark: those of the configuration, or stand-ins that need no download."""

import numpy as np
import torch

from degradation.config import ConfigError, Data
from degradation.data.datasets import (
    Dataset,
    Split,
    draw_held_out,
    find_image_shape,
    load_dataset,
)

# data sets of 50,000 and 10,000 images whose content changes no duration
REPLACED = ("cifar10", "cifar100")
TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000


def check_data(data: Data) -> None:
    """Raise ConfigError if the data set is not one that is held in memory."""
    if data.stream is not None:
        raise ConfigError(
            f"data.name: {data.name} is read from disk for every batch, which no benchmark times;"
            " allowed: a data set that is held in memory"
        )


def load_images(data: Data) -> Dataset:
    """Load a data set, or random images of the shape and number of CIFAR's if it is one of them.

    Raises ConfigError, DataError.
    """
    check_data(data)
    if data.name in REPLACED:
        dataset = build_random_images(*find_image_shape(data))
        if data.validation == 0:
            return dataset
        return dataset.hold_out(draw_held_out(data.validation, len(dataset.train)))
    loaded = load_dataset(data)
    assert isinstance(loaded, Dataset)
    return loaded


def build_random_images(
    channels: int,
    side: int,
    classes: int,
    train: int = TRAIN_IMAGES,
    test: int = TEST_IMAGES,
) -> Dataset:
    """Return random images of a shape, with random labels; the same at every call."""
    random = np.random.RandomState(0)

    def draw(images: int) -> Split:
        pixels = random.randint(0, 256, (images, channels, side, side), dtype=np.uint8)
        labels = random.randint(0, classes, images, dtype=np.int64)
        return Split(torch.from_numpy(pixels), torch.from_numpy(labels))

    return Dataset(draw(train), draw(test), classes)
