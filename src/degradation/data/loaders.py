"""What training reads: normalised batches on a device, of pictures in memory or streamed from disk."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from degradation.config import Config, Data
from degradation.data.augment import ImageBatches, Offsets, concatenate, draw_offsets, statistics
from degradation.data.datasets import Dataset, load_dataset
from degradation.data.imagenet import ImageNet, StreamingLoader
from degradation.data.random_streams import (
    WHOLE,
    Shard,
    build_generator,
    draw_batch_indices,
    shuffle_into_batches,
    spread_indices,
)

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

    def training_batches(self, start: int, share: Shard = WHOLE) -> Iterator[Batch]:
        """Training batches, augmented, from an iteration on, without an end; or a share of each of them."""
        ...

    def clean_batches(self, split: str, share: Shard = WHOLE) -> Iterator[Batch]:
        """The pictures of a split in their order, un-augmented (the original view); or a share of the batches."""
        ...

    def sample_batches(self, split: str, pictures: int | None) -> Iterator[Batch]:
        """So many pictures of those that `clean` gives (None: all), spread evenly over them, in their order."""
        ...

    def shuffled_batches(self) -> Iterator[Batch]:
        """The training images of `clean` in batches of which each is a fair sample of all, whatever their order."""
        ...

    def augmented_batches(self, iteration: int, share: Shard = WHOLE) -> Iterator[Batch]:
        """The training pictures in their order, augmented as in training; or a share of the batches."""
        ...

    def ten_crop_batches(self, share: Shard = WHOLE) -> Iterator[Batch] | None:
        """The test pictures as ten crops, (B, 10, C, H, W); None where they are tested on one view only."""
        ...


class ResidentLoader:
    """Pictures that live on the device (He et al. 2015, 4.2)."""

    def __init__(self, dataset: Dataset, config: Config, device: torch.device) -> None:
        self.config = config
        mean, deviation = statistics(dataset.train.images, config.data.normalisation)
        splits = {"train": dataset.train, "test": dataset.test}
        if dataset.validation is not None:
            splits["validation"] = dataset.validation
        self.splits = {
            name: ImageBatches(split, mean, deviation, device, config.data.normalise)
            for name, split in splits.items()
        }
        self.sizes = {name: len(pictures) for name, pictures in self.splits.items()}

    def training_batches(self, start: int, share: Shard = WHOLE) -> Iterator[Batch]:
        seed, size = self.config.seed, self.config.optim.batch_size
        iteration = start
        while True:
            index = draw_batch_indices(seed, iteration, size, self.sizes["train"])
            offsets = draw_offsets(
                size, self.config.data, build_generator(seed, "augmentation", iteration)
            )
            yield self.splits["train"].augmented_batch(share.select(index), offsets.of(share))
            iteration += 1

    def clean_batches(self, split: str, share: Shard = WHOLE) -> Iterator[Batch]:
        for number, start in enumerate(range(0, self.sizes[split], EVALUATION_BATCH)):
            if share.has_batch(number):
                yield self.splits[split].eval_batch(start, start + EVALUATION_BATCH)

    def sample_batches(self, split: str, pictures: int | None) -> Iterator[Batch]:
        index = spread_indices(pictures, self.sizes[split])
        for start in range(0, len(index), EVALUATION_BATCH):
            yield self.splits[split].eval_batch_at(index[start : start + EVALUATION_BATCH])

    def shuffled_batches(self) -> Iterator[Batch]:
        for index in shuffle_into_batches(self.sizes["train"], EVALUATION_BATCH):
            yield self.splits["train"].eval_batch_at(index)

    def augmented_batches(self, iteration: int, share: Shard = WHOLE) -> Iterator[Batch]:
        offsets = self._evaluation_offsets(iteration)
        for number, start in enumerate(range(0, self.sizes["train"], EVALUATION_BATCH)):
            if share.has_batch(number):
                index = torch.arange(start, min(start + EVALUATION_BATCH, self.sizes["train"]))
                yield self.splits["train"].augmented_batch(index, offsets.at(index))

    def _evaluation_offsets(self, iteration: int) -> Offsets:
        """Those of every training image in the evaluation after this iteration, however the images are batched."""
        stream = build_generator(self.config.seed, "evaluation", iteration)
        images = self.sizes["train"]
        sizes = [min(DRAWN_AT_ONCE, images - start) for start in range(0, images, DRAWN_AT_ONCE)]
        return concatenate([draw_offsets(size, self.config.data, stream) for size in sizes])

    def ten_crop_batches(self, share: Shard = WHOLE) -> None:
        """None: these pictures are tested on the single original view."""


def find_image_shape(data: Data) -> tuple[int, int, int]:
    """Channels, side in pixels and classes of the pictures; those of a published set are known without its files."""
    if data.stream is not None:
        return 3, data.stream.crop, IMAGENET_CLASSES
    if data.name in SHAPES:
        return SHAPES[data.name]
    dataset = load_dataset(data)
    return dataset.channels, dataset.side, dataset.classes


def build_loader(dataset: Dataset | ImageNet, config: Config, device: torch.device) -> Loader:
    if isinstance(dataset, ImageNet):
        return StreamingLoader(dataset, config, device)
    return ResidentLoader(dataset, config, device)
