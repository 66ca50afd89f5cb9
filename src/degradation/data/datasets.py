"""Data sets as uint8 pictures (N, C, H, W) and int64 labels (N,), on the CPU, checked before they are used."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from degradation.config import ConfigError, Data
from degradation.data.downloads import Arrays, cifar10, cifar100, fashion_mnist
from degradation.data.image_folder import image_folder

if TYPE_CHECKING:
    from degradation.data.imagenet import ImageNet

DIGITS_TEST = 297
PUBLISHED = {"cifar10": cifar10, "cifar100": cifar100, "fashion_mnist": fashion_mnist}


@dataclass(frozen=True)
class Split:
    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    train: Split
    test: Split
    classes: int
    validation: Split | None = None
    held_out: Tensor | None = (
        None  # bool (training pictures,): which of them, in the set's own order, are `validation`
    )

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]

    @property
    def side(self) -> int:
        return self.train.images.shape[2]

    def checksum(self) -> str:
        """SHA-256 of every picture and label in the set's own order, whichever of them are held out."""
        digest = hashlib.sha256()
        for split in (self._whole_train(), self.test):
            digest.update(split.images.numpy().tobytes())
            digest.update(split.labels.numpy().tobytes())
        return digest.hexdigest()

    def _whole_train(self) -> Split:
        if self.validation is None or self.held_out is None:
            return self.train
        pictures = self.train.images.new_empty((len(self.held_out), *self.train.images.shape[1:]))
        labels = self.train.labels.new_empty(len(self.held_out))
        for split, place in ((self.train, ~self.held_out), (self.validation, self.held_out)):
            pictures[place], labels[place] = split.images, split.labels
        return Split(pictures, labels)


def load_dataset(data: Data) -> "Dataset | ImageNet":
    """Load a data set. Raises ConfigError (a wrong key), DataError (a wrong file)."""
    if data.stream is not None:
        from degradation.data.imagenet import open_imagenet

        return open_imagenet(data)
    if data.name == "digits":
        arrays = _digits()
    elif data.name == "image_folder":
        arrays = image_folder(data)
    else:
        arrays = PUBLISHED[data.name](Path(str(data.root)).expanduser())
    train, test = (
        Split(
            torch.from_numpy(arrays[f"{split}_pictures"]),
            torch.from_numpy(arrays[f"{split}_labels"]),
        )
        for split in ("train", "test")
    )
    classes = int(train.labels.max()) + 1
    if data.validation == 0:
        return Dataset(train, test, classes)
    held_out = draw_held_out(data.validation, len(train.labels))
    rest, validation = (
        Split(train.images[place], train.labels[place]) for place in (~held_out, held_out)
    )
    return Dataset(rest, test, classes, validation, held_out)


def draw_held_out(validation: int, pictures: int) -> Tensor:
    """Which training images are held out: the last `validation` of a fixed shuffle, as bool (pictures,).

    Both parts keep the set's own order. Raises ConfigError.
    """
    if validation >= pictures:
        raise ConfigError(
            f"data.validation: {validation} is not allowed; allowed: less than the {pictures} training pictures"
        )
    held_out = torch.zeros(pictures, dtype=torch.bool)
    # numpy promises that RandomState's streams never change
    held_out[
        torch.from_numpy(np.random.RandomState(0).permutation(pictures)[pictures - validation :])
    ] = True
    return held_out


def _digits() -> Arrays:
    """1,797 handwritten 8x8 pictures (values 0 to 16): a fixed stratified split of 1,500 / 297."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    everything, labels = load_digits(return_X_y=True)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=DIGITS_TEST, stratify=labels, random_state=0
    )
    grey, label = everything.astype(np.uint8).reshape(-1, 1, 8, 8), labels.astype(np.int64)
    splits = {"train": train, "test": test}
    parts = {f"{name}_pictures": grey[index] for name, index in splits.items()}
    return parts | {f"{name}_labels": label[index] for name, index in splits.items()}
