"""What training reads: normalised batches on a device, of pictures in memory or streamed from disk."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from degradation.config import Config, Data
from degradation.data import datasets
from degradation.data.augment import ImageBatches, Offsets, concatenate, draw_offsets, statistics
from degradation.data.datasets import Dataset
from degradation.data.imagenet import ImageNet, StreamingLoader, open_imagenet
from degradation.data.random_streams import WHOLE, Shard, batch_indices, generator, mixed, spread

DRAWN_AT_ONCE = 250  # images whose evaluation offsets are drawn in one call; another number would give other offsets
EVALUATION_BATCH = 250  # small enough for a core's cache: a quarter faster than 500 on digits

# channels, side in pixels, classes
SHAPES = {
    "digits": (1, 8, 10),
    "cifar10": (3, 32, 10),
    "cifar100": (3, 32, 100),
    "fashion_mnist": (1, 28, 10),
}
IMAGENET_CLASSES = 1000

Batch = tuple[Tensor, Tensor]  # float32 (B, C, H, W), int64 (B,)


class Loader(Protocol):
    """Batches of one run; what is random in them depends on the seed and the iteration alone."""

    sizes: dict[str, int]  # pictures by split: train, test, and validation where there is one

    def batches(self, start: int, share: Shard = WHOLE) -> Iterator[Batch]:
        """Training batches, augmented, from an iteration on, without an end; or a share of each of them."""
        ...

    def clean(self, split: str, share: Shard = WHOLE) -> Iterator[Batch]:
        """The pictures of a split in their order, un-augmented (the original view); or a share of the batches."""
        ...

    def sample(self, split: str, pictures: int | None) -> Iterator[Batch]:
        """So many pictures of those that `clean` gives (None: all), spread evenly over them, in their order."""
        ...

    def mixed(self) -> Iterator[Batch]:
        """The training images of `clean` in batches of which each is a fair sample of all, whatever their order."""
        ...

    def augmented(self, iteration: int, share: Shard = WHOLE) -> Iterator[Batch]:
        """The training pictures in their order, augmented as in training; or a share of the batches."""
        ...

    def ten_crop(self, share: Shard = WHOLE) -> Iterator[Batch] | None:
        """The test pictures as ten crops, (B, 10, C, H, W); None where they are tested on one view only."""
        ...


class ResidentLoader:
    """Pictures that live on the device (He et al. 2015, 4.2)."""

    def __init__(self, dataset: Dataset, config: Config, device: torch.device) -> None:
        self.config = config
        mean, deviation = statistics(dataset.train.pictures, config.data.normalisation)
        splits = {"train": dataset.train, "test": dataset.test}
        if dataset.validation is not None:
            splits["validation"] = dataset.validation
        self.pictures = {
            name: ImageBatches(split, mean, deviation, device, config.data.normalise)
            for name, split in splits.items()
        }
        self.sizes = {name: len(pictures) for name, pictures in self.pictures.items()}

    def batches(self, start: int, share: Shard = WHOLE) -> Iterator[Batch]:
        seed, size = self.config.seed, self.config.optim.batch_size
        iteration = start
        while True:
            index = batch_indices(seed, iteration, size, self.sizes["train"])
            offsets = draw_offsets(
                size, self.config.data, generator(seed, "augmentation", iteration)
            )
            yield self.pictures["train"].augmented_batch(share.of(index), offsets.of(share))
            iteration += 1

    def clean(self, split: str, share: Shard = WHOLE) -> Iterator[Batch]:
        for number, start in enumerate(range(0, self.sizes[split], EVALUATION_BATCH)):
            if share.has(number):
                yield self.pictures[split].eval_batch(start, start + EVALUATION_BATCH)

    def sample(self, split: str, pictures: int | None) -> Iterator[Batch]:
        index = spread(pictures, self.sizes[split])
        for start in range(0, len(index), EVALUATION_BATCH):
            yield self.pictures[split].eval_batch_at(index[start : start + EVALUATION_BATCH])

    def mixed(self) -> Iterator[Batch]:
        for index in mixed(self.sizes["train"], EVALUATION_BATCH):
            yield self.pictures["train"].eval_batch_at(index)

    def augmented(self, iteration: int, share: Shard = WHOLE) -> Iterator[Batch]:
        offsets = self._evaluation_offsets(iteration)
        for number, start in enumerate(range(0, self.sizes["train"], EVALUATION_BATCH)):
            if share.has(number):
                index = torch.arange(start, min(start + EVALUATION_BATCH, self.sizes["train"]))
                yield self.pictures["train"].augmented_batch(index, offsets.at(index))

    def _evaluation_offsets(self, iteration: int) -> Offsets:
        """Those of every training image in the evaluation after this iteration, however the images are batched."""
        stream = generator(self.config.seed, "evaluation", iteration)
        images = self.sizes["train"]
        sizes = [min(DRAWN_AT_ONCE, images - start) for start in range(0, images, DRAWN_AT_ONCE)]
        return concatenate([draw_offsets(size, self.config.data, stream) for size in sizes])

    def ten_crop(self, share: Shard = WHOLE) -> None:
        """None: these pictures are tested on the single original view."""


def load(data: Data) -> Dataset | ImageNet:
    """The pictures of any data set. Raises ConfigError (a wrong key), DataError (a wrong file)."""
    return open_imagenet(data) if data.stream is not None else datasets.load(data)


def shape(data: Data) -> tuple[int, int, int]:
    """Channels, side in pixels and classes of the pictures; those of a published set are known without its files."""
    if data.stream is not None:
        return 3, data.stream.crop, IMAGENET_CLASSES
    if data.name in SHAPES:
        return SHAPES[data.name]
    dataset = load(data)
    return dataset.channels, dataset.side, dataset.classes


def build_loader(dataset: Dataset | ImageNet, config: Config, device: torch.device) -> Loader:
    if isinstance(dataset, ImageNet):
        return StreamingLoader(dataset, config, device)
    return ResidentLoader(dataset, config, device)
