"""Normalised batches on a device, for training and evaluation."""

from collections.abc import Iterator
from itertools import count
from typing import Protocol

import torch
from torch import Tensor

from degradation.config import Config
from degradation.data.augment import ImageBatches, compute_statistics, draw_offsets
from degradation.data.datasets import Batch, Dataset, Split, StreamedDataset
from degradation.data.random_streams import (
    WHOLE,
    Shard,
    TrainingOrder,
    build_generator,
    shuffle_into_batches,
    spread_indices,
)
from degradation.data.streaming import StreamingLoader

# images whose evaluation offsets are drawn in one call; changing it would change every run
OFFSETS_PER_DRAW = 250
EVALUATION_BATCH = 250  # fits into a core's cache: a quarter faster than 500 on digits
GPU_EVALUATION_PIXELS = 2500 * 32 * 32  # of a batch of an evaluation on a GPU: 2,500 of CIFAR-10

# training batches whose draws are made and sent to the device together; it changes no number
BATCHES_PER_BLOCK = 64

Inputs = tuple[Tensor, ...]  # what a batch is computed from, on the device


def gpu_evaluation_batch(side: int) -> int:
    """Return the images per batch of an evaluation on a GPU, for images of this side in pixels."""
    return max(EVALUATION_BATCH, GPU_EVALUATION_PIXELS // side**2)


class Loader(Protocol):
    """The batches of one run.

    All randomness is a pure function of the seed and the iteration, so there is no state to save.
    With a shard, a process gets its equal slice of every training batch, and every `count`-th batch
    of an evaluation.
    """

    sizes: dict[str, int]  # images per split: train, test, and validation if there is one

    def training_inputs(self, start: int, shard: Shard = WHOLE) -> Iterator[Inputs]:
        """Yield the inputs of augmented training batches without end, from iteration `start`.

        The random streams are "order", per epoch, and "augmentation", per iteration.
        """
        ...

    def compute_batch(self, inputs: Inputs) -> Batch:
        """Compute a training batch on the device, without waiting for it, from its inputs."""
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
        self.config, self.device = config, device
        mean, deviation = compute_statistics(dataset.train.images, config.data.normalisation)

        def place(split: Split) -> ImageBatches:
            return ImageBatches(split, mean, deviation, device, config.data.normalise)

        self.splits = {"train": place(dataset.train), "test": place(dataset.test)}
        if dataset.validation is not None:
            self.splits["validation"] = place(dataset.validation)
        self.sizes = {name: len(split) for name, split in self.splits.items()}

    @property
    def evaluation_batch(self) -> int:
        """Images per batch of an evaluation; they change numbers by rounding only.

        Where batches are normalised by their own statistics, their size is EVALUATION_BATCH on
        every device.
        """
        if self.device.type == "cpu":
            return EVALUATION_BATCH
        return gpu_evaluation_batch(self.splits["train"].images.shape[-1])

    def training_inputs(self, start: int, shard: Shard = WHOLE) -> Iterator[Inputs]:
        """Yield the draws of each training batch without end: one tensor, int64 (4, B)."""
        order = TrainingOrder(self.config.seed, self.sizes["train"])
        for first in count(start, BATCHES_PER_BLOCK):
            iterations = range(first, first + BATCHES_PER_BLOCK)
            block = torch.stack([self._draw(order, iteration) for iteration in iterations])
            for draws in send(shard.select(block, dim=2), self.device):
                yield (draws,)

    def _draw(self, order: TrainingOrder, iteration: int) -> Tensor:
        """Draw the images of a training batch, and the crop and flip of each: int64 (4, B)."""
        size = self.config.optim.batch_size
        random = build_generator(self.config.seed, "augmentation", iteration)
        indices = order.batch(iteration, size)
        return torch.cat([indices[None], draw_offsets(size, self.config.data, random)])

    def compute_batch(self, inputs: Inputs) -> Batch:
        """Return the augmented training images of the draws in `inputs`."""
        (draws,) = inputs
        return self.splits["train"].augmented_batch(draws)

    def clean_batches(self, split: str, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the images of a split in their order, without augmentation."""
        size = self.evaluation_batch
        for number, start in enumerate(range(0, self.sizes[split], size)):
            if shard.has_batch(number):
                yield self.splits[split].eval_batch(start, start + size)

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
        indices = torch.arange(self.sizes["train"])
        offsets = self._draw_evaluation_offsets(iteration)
        draws = send(torch.cat([indices[None], offsets]), self.device)
        for number, batch in enumerate(torch.split(draws, self.evaluation_batch, dim=1)):
            if shard.has_batch(number):
                yield self.compute_batch((batch,))

    def _draw_evaluation_offsets(self, iteration: int) -> Tensor:
        """Draw the offsets of all N training images, int64 (3, N), whatever the batch size is."""
        random = build_generator(self.config.seed, "evaluation", iteration)
        images = self.sizes["train"]
        batches = []
        for start in range(0, images, OFFSETS_PER_DRAW):
            size = min(OFFSETS_PER_DRAW, images - start)
            batches.append(draw_offsets(size, self.config.data, random))
        return torch.cat(batches, dim=1)

    def ten_crop_batches(self, shard: Shard = WHOLE) -> None:
        """Return None: these images are evaluated on the original view only."""


def send(values: Tensor, device: torch.device) -> Tensor:
    """Copy values to a device without waiting for it; its stream orders the copy before its use."""
    if device.type == "cuda":
        return values.contiguous().pin_memory().to(device, non_blocking=True)
    return values.to(device)


def build_loader(
    dataset: Dataset | StreamedDataset, config: Config, device: torch.device
) -> Loader:
    """Return the loader of a data set: resident on the device, or streamed from disk."""
    if isinstance(dataset, StreamedDataset):
        return StreamingLoader(dataset, config, device)
    return ResidentLoader(dataset, config, device)
