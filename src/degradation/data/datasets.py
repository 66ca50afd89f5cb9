"""Data sets in the two forms that training reads: in memory, or as files read for every batch."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from degradation.config import ConfigError, Data, Stream
from degradation.data.arrays import Arrays
from degradation.data.folders import Listing
from degradation.data.image_side import find_known_side
from degradation.data.resizing import resize_arrays
from degradation.registry import DATASETS

Batch = tuple[Tensor, Tensor]  # images float32 (B, C, H, W), labels int64 (B,), on a device


@dataclass(frozen=True)
class Split:
    """Images and labels on the CPU."""

    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,)

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, mask: Tensor) -> "Split":
        """Return the images for which `mask`, bool (N,), is true."""
        return Split(self.images[mask], self.labels[mask])


@dataclass(frozen=True)
class Dataset:
    """A data set in memory."""

    train: Split
    test: Split
    classes: int
    validation: Split | None = None  # training images that are held out
    digest: str = ""  # SHA-256 (hex) of all images and labels; "" if no record names it

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return self.train.images.shape[2]

    def hold_out(self, held_out: Tensor) -> "Dataset":
        """Return the data set with the training images of `held_out`, bool (N,), as validation."""
        return replace(
            self,
            train=self.train.select(~held_out),
            validation=self.train.select(held_out),
        )

    def checksum(self) -> str:
        """Return the digest, which does not depend on which images are held out."""
        return self.digest


@dataclass(frozen=True)
class StreamedDataset:
    """A data set of image files, too large for memory: files are read for every batch."""

    root: Path
    stream: Stream  # how an image is scaled, cropped and coloured
    train: Listing
    test: Listing
    digest: str  # SHA-256 (hex) of the names and sizes of all images
    mean: tuple[float, ...]  # mean of each channel, for values in [0, 1]
    deviation: tuple[float, ...]  # standard deviation of each channel
    validation: Listing | None = None  # training images that are held out

    @property
    def classes(self) -> int:
        return int(self.train.labels[-1]) + 1

    @property
    def channels(self) -> int:
        return len(self.mean)

    @property
    def side(self) -> int:
        """Height and width of the network's input in pixels."""
        return self.stream.crop

    def hold_out(self, held_out: Tensor) -> "StreamedDataset":
        """Return the data set with the training images of `held_out`, bool (N,), as validation."""
        mask = held_out.numpy()
        return replace(self, train=self.train.select(~mask), validation=self.train.select(mask))

    def checksum(self) -> str:
        """Return the digest of the names and sizes; the images are too many to read."""
        return self.digest


def load_dataset(data: Data) -> Dataset | StreamedDataset:
    """Load the data set that `data` names, with data.validation training images held out.

    Images in memory are resized to data.size.

    Raises:
        ConfigError: a key is wrong, for example data.root.
        DataError: a file is missing, truncated or corrupt.
    """
    content = DATASETS.load(data.name)(data)
    dataset: Dataset | StreamedDataset
    if isinstance(content, Arrays):
        content.check(data.name)
        if data.size is not None:
            content = resize_arrays(content, data.size, data.resize)
            content.check(data.name)
        dataset = _wrap_arrays(content)
    else:
        dataset = content
    if data.validation == 0:
        return dataset
    with_validation = dataset.hold_out(draw_held_out(data.validation, len(dataset.train)))
    lost = np.setdiff1d(dataset.train.labels, with_validation.train.labels)
    if len(lost):
        raise ConfigError(
            f"data.validation: {data.validation} is not allowed, since it leaves no training image"
            f" with the label {lost[0]}; allowed: fewer held-out images"
        )
    return with_validation


def _wrap_arrays(arrays: Arrays) -> Dataset:
    train = Split(torch.from_numpy(arrays.train_images), torch.from_numpy(arrays.train_labels))
    test = Split(torch.from_numpy(arrays.test_images), torch.from_numpy(arrays.test_labels))
    classes = int(train.labels.max()) + 1
    return Dataset(train, test, classes, digest=_digest_arrays(arrays))


def _digest_arrays(arrays: Arrays) -> str:
    """Return the SHA-256 (hex) of all images and labels."""
    digest = hashlib.sha256()
    for array in (
        arrays.train_images,
        arrays.train_labels,
        arrays.test_images,
        arrays.test_labels,
    ):
        digest.update(array.tobytes())
    return digest.hexdigest()


def draw_held_out(validation: int, images: int) -> Tensor:
    """Return which training images are held out: bool (images,), True for `validation` of them.

    They are the last images of a fixed shuffle, so a larger number holds out a superset.

    Raises:
        ConfigError: `validation` leaves no image to train on.
    """
    if validation >= images:
        raise ConfigError(
            f"data.validation: {validation} is not allowed;"
            f" allowed: fewer than the {images} training images"
        )
    # numpy guarantees that the streams of RandomState never change
    order = torch.from_numpy(np.random.RandomState(0).permutation(images))
    held_out = torch.zeros(images, dtype=torch.bool)
    held_out[order[images - validation :]] = True
    return held_out


def find_image_shape(data: Data) -> tuple[int, int, int]:
    """Return (channels, side in pixels, classes) of a data set.

    The files are read only if the registration lacks the shape. Raises ConfigError, DataError.
    """
    facts = DATASETS.facts(data.name)
    side = find_known_side(data)
    if side is not None and "channels" in facts and "classes" in facts:
        return facts["channels"], side, facts["classes"]
    dataset = load_dataset(data)
    return dataset.channels, dataset.side, dataset.classes
