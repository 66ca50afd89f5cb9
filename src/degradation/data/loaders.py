"""Normalised batches on a device, for training and evaluation."""

from collections.abc import Iterator
from typing import Protocol

import torch

from degradation.config import Config
from degradation.data.augment import (
    ImageBatches,
    Offsets,
    compute_statistics,
    draw_offsets,
    join_offsets,
)
from degradation.data.datasets import Batch, Dataset, Split, StreamedDataset
from degradation.data.random_streams import (
    WHOLE,
    Shard,
    build_generator,
    draw_batch_indices,
    shuffle_into_batches,
    spread_indices,
)
from degradation.data.streaming import StreamingLoader

# images whose evaluation offsets are drawn in one call; changing it would change every run
OFFSETS_PER_DRAW = 250
EVALUATION_BATCH = 250  # fits into a core's cache: a quarter faster than 500 on digits


class Loader(Protocol):
    """The batches of one run.

    All randomness is a pure function of the seed and the iteration, so there is no state to save.
    With a shard, a process gets its equal slice of every training batch, and every `count`-th batch
    of an evaluation.
    """

    sizes: dict[str, int]  # images per split: train, test, and validation if there is one

    def training_batches(self, start: int, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield augmented training batches without end, starting at iteration `start`.

        The random streams are "order", per epoch, and "augmentation", per iteration.
        """
        ...

    def clean_batches(self, split: str, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the images of a split in their order, without augmentation."""
        ...

    def sample_batches(self, split: str, images: int | None) -> Iterator[Batch]:
        """Yield `images` of the images of `clean_batches` (None: all), spread evenly over them."""
        ...

    def shuffled_batches(self) -> Iterator[Batch]:
        """Yield the training images of `clean_batches` shuffled, so each batch is representative.

        The shuffle is the same for every run.
        """
        ...

    def augmented_batches(self, iteration: int, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the training images in their order, augmented as in training.

        The random stream is "evaluation", per iteration, so evaluation does not affect training.
        """
        ...

    def ten_crop_batches(self, shard: Shard = WHOLE) -> Iterator[Batch] | None:
        """Yield the test images as ten crops, float32 (B, 10, C, H, W), or None if unsupported."""
        ...


class ResidentLoader:
    """A `Loader` of images that reside on the device (He et al. 2015, 4.2)."""

    def __init__(self, dataset: Dataset, config: Config, device: torch.device) -> None:
        self.config = config
        mean, deviation = compute_statistics(dataset.train.images, config.data.normalisation)

        def place(split: Split) -> ImageBatches:
            return ImageBatches(split, mean, deviation, device, config.data.normalise)

        self.splits = {"train": place(dataset.train), "test": place(dataset.test)}
        if dataset.validation is not None:
            self.splits["validation"] = place(dataset.validation)
        self.sizes = {name: len(split) for name, split in self.splits.items()}

    def training_batches(self, start: int, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield augmented training batches without end, starting at iteration `start`."""
        seed, size = self.config.seed, self.config.optim.batch_size
        iteration = start
        while True:
            indices = draw_batch_indices(seed, iteration, size, self.sizes["train"])
            random = build_generator(seed, "augmentation", iteration)
            offsets = draw_offsets(size, self.config.data, random)
            yield self.splits["train"].augmented_batch(
                shard.select(indices), offsets.select_shard(shard)
            )
            iteration += 1

    def clean_batches(self, split: str, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the images of a split in their order, without augmentation."""
        for number, start in enumerate(range(0, self.sizes[split], EVALUATION_BATCH)):
            if shard.has_batch(number):
                yield self.splits[split].eval_batch(start, start + EVALUATION_BATCH)

    def sample_batches(self, split: str, images: int | None) -> Iterator[Batch]:
        """Yield `images` of a split's images (None: all), spread evenly over them."""
        indices = spread_indices(images, self.sizes[split])
        for start in range(0, len(indices), EVALUATION_BATCH):
            yield self.splits[split].eval_batch_at(indices[start : start + EVALUATION_BATCH])

    def shuffled_batches(self) -> Iterator[Batch]:
        """Yield all training images shuffled, without augmentation."""
        for indices in shuffle_into_batches(self.sizes["train"], EVALUATION_BATCH):
            yield self.splits["train"].eval_batch_at(indices)

    def augmented_batches(self, iteration: int, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the training images in their order, augmented as in training."""
        offsets = self._draw_evaluation_offsets(iteration)
        images = self.sizes["train"]
        for number, start in enumerate(range(0, images, EVALUATION_BATCH)):
            if shard.has_batch(number):
                indices = torch.arange(start, min(start + EVALUATION_BATCH, images))
                yield self.splits["train"].augmented_batch(indices, offsets.select(indices))

    def _draw_evaluation_offsets(self, iteration: int) -> Offsets:
        """Draw the offsets of every training image; they do not depend on EVALUATION_BATCH."""
        random = build_generator(self.config.seed, "evaluation", iteration)
        images = self.sizes["train"]
        batches = []
        for start in range(0, images, OFFSETS_PER_DRAW):
            size = min(OFFSETS_PER_DRAW, images - start)
            batches.append(draw_offsets(size, self.config.data, random))
        return join_offsets(batches)

    def ten_crop_batches(self, shard: Shard = WHOLE) -> None:
        """Return None: these images are evaluated on the original view only."""


def build_loader(
    dataset: Dataset | StreamedDataset, config: Config, device: torch.device
) -> Loader:
    """Return the loader of a data set: resident on the device, or streamed from disk."""
    if isinstance(dataset, StreamedDataset):
        return StreamingLoader(dataset, config, device)
    return ResidentLoader(dataset, config, device)
