"""Batches of image files, read from disk by worker processes (He et al. 2015, 3.4).

The randomness of an image is a function of the seed and of its position in the sequence of all
batches, so neither the number of workers nor an interruption changes a bit.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from os import fsdecode
from pathlib import Path
from typing import Any

import torch
import torch.utils.data
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import functional as v2

from degradation.config import Config
from degradation.data.datasets import Batch, StreamedDataset
from degradation.data.errors import DataError
from degradation.data.folders import Listing
from degradation.data.image_files import read_rgb
from degradation.data.image_views import ViewFunction, augment_view, crop_centre, crop_ten
from degradation.data.random_streams import (
    WHOLE,
    Shard,
    TrainingOrder,
    shuffle_into_batches,
    spread_indices,
)
from degradation.socket_paths import shorten_socket_paths

STREAMED_EVALUATION_BATCH = 64

ImageDraw = tuple[int, int]  # the indices of an image in its split and of its random draw
RawBatch = tuple[Tensor, Tensor, Tensor]  # uint8 images, float32 colour shifts, int64 labels


class StreamingLoader:
    """A `Loader` (loaders.py) of image files: float32 (B, 3, crop, crop), int64 (B,) on a device.

    The random streams are "order" (per epoch), "augmentation" (per image of every training batch)
    and "evaluation" (per image of an augmented evaluation). Any batch raises DataError if an image
    cannot be read.
    """

    def __init__(self, dataset: StreamedDataset, config: Config, device: torch.device) -> None:
        self.dataset = dataset
        self.config = config
        self.device = device
        self.splits = {"train": dataset.train, "test": dataset.test}
        if dataset.validation is not None:
            self.splits["validation"] = dataset.validation
        self.sizes = {name: len(split) for name, split in self.splits.items()}
        # the indices of the images that an evaluation reads, by split
        self.evaluated = {name: spread_indices(None, size) for name, size in self.sizes.items()}
        limit = dataset.stream.train_evaluated
        self.evaluated["train"] = spread_indices(limit, self.sizes["train"])
        # on the device already, so that normalising a batch copies nothing and does not wait
        self.mean = torch.tensor(dataset.mean, dtype=torch.float32, device=device)
        self.deviation = torch.tensor(dataset.deviation, dtype=torch.float32, device=device)
        self.centre_view = partial(crop_centre, dataset.stream)

    def training_inputs(self, start: int, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield augmented training batches without end, starting at iteration `start`."""
        return self._read(
            "train", self._augmentation("augmentation"), self._draws_from(start, shard)
        )

    def compute_batch(self, inputs: tuple[Tensor, ...]) -> Batch:
        """Return the batch that `training_inputs` has read."""
        images, labels = inputs
        return images, labels

    def _draws_from(self, start: int, shard: Shard) -> Iterator[list[ImageDraw]]:
        """Yield the draws of each training batch, starting at iteration `start`."""
        size = self.config.optim.batch_size
        order = TrainingOrder(self.config.seed, self.sizes["train"])
        for iteration in count(start):
            indices = order.batch(iteration, size)
            draws = torch.arange(iteration * size, (iteration + 1) * size)
            yield list(
                zip(shard.select(indices).tolist(), shard.select(draws).tolist(), strict=True)
            )

    def clean_batches(self, split: str, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the centre crops of a split's evaluated images, in their order."""
        draws = self._batch_draws(self.evaluated[split], 0, shard)
        return self._read(split, self.centre_view, draws)

    def sample_batches(self, split: str, images: int | None) -> Iterator[Batch]:
        """Yield `images` of the images of `clean_batches` (None: all), spread evenly over them."""
        evaluated = self.evaluated[split]
        sample = evaluated[spread_indices(images, len(evaluated))]
        return self._read(split, self.centre_view, self._batch_draws(sample, 0, WHOLE))

    def shuffled_batches(self) -> Iterator[Batch]:
        """Yield the training images of `clean_batches`, shuffled."""
        evaluated = self.evaluated["train"]
        batches = shuffle_into_batches(len(evaluated), STREAMED_EVALUATION_BATCH)
        draws = ([(index, 0) for index in evaluated[batch].tolist()] for batch in batches)
        return self._read("train", self.centre_view, draws)

    def augmented_batches(self, iteration: int, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield the training images of `clean_batches`, augmented differently in each iteration."""
        evaluated = self.evaluated["train"]
        draws = self._batch_draws(evaluated, iteration * len(evaluated), shard)
        return self._read("train", self._augmentation("evaluation"), draws)

    def ten_crop_batches(self, shard: Shard = WHOLE) -> Iterator[Batch] | None:
        """Yield the test images as float32 (B, 10, 3, crop, crop), or None if not ten_crop."""
        stream = self.dataset.stream
        if not stream.ten_crop:
            return None
        draws = self._batch_draws(self.evaluated["test"], 0, shard)
        return self._read("test", partial(crop_ten, stream), draws)

    def _augmentation(self, stream_name: str) -> ViewFunction:
        return partial(
            augment_view,
            self.dataset.stream,
            self.config.data.flip,
            self.config.seed,
            stream_name,
        )

    def _batch_draws(
        self, indices: Tensor, first_draw: int, shard: Shard
    ) -> Iterator[list[ImageDraw]]:
        """Yield this shard's batches of draws for int64 (N,); draws count from `first_draw`."""
        for number, start in enumerate(range(0, len(indices), STREAMED_EVALUATION_BATCH)):
            if shard.has_batch(number):
                batch = indices[start : start + STREAMED_EVALUATION_BATCH].tolist()
                yield list(zip(batch, count(first_draw + start)))

    def _read(
        self, split: str, view: ViewFunction, draws: Iterable[list[ImageDraw]]
    ) -> Iterator[Batch]:
        """Read one batch per list of draws, and normalise it on the device. Raises DataError."""
        shorten_socket_paths()  # the workers send their batches over sockets
        loader = DataLoader(
            _ImageFiles(self.dataset.root, self.splits[split], view),
            batch_sampler=draws,
            num_workers=self.dataset.stream.workers,
            collate_fn=_return_unchanged,
            pin_memory=self.device.type == "cuda",
            # for the workers' seeds, which are unused; by default the global stream would advance
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, DataError):
                raise batch
            yield self._normalise(batch)

    def _normalise(self, batch: RawBatch) -> Batch:
        images = batch[0].to(self.device, non_blocking=True)
        shifts = batch[1].to(self.device, non_blocking=True)
        labels = batch[2].to(self.device, non_blocking=True)
        values = v2.to_dtype(images, torch.float32, scale=True)
        crop_axes = [1] * (values.ndim - 4)  # one axis for ten crops, none otherwise
        values = values + shifts.view(len(shifts), *crop_axes, 3, 1, 1)
        return (values - self.mean.view(3, 1, 1)) / self.deviation.view(3, 1, 1), labels


class _ImageFiles(torch.utils.data.Dataset[RawBatch | DataError]):
    """Reads whole batches of image files in the processes of a DataLoader."""

    def __init__(self, root: Path, listing: Listing, view: ViewFunction) -> None:
        self.root = root
        self.listing = listing
        self.view = view

    def __getitems__(self, draws: list[ImageDraw]) -> RawBatch | DataError:
        """Return a batch or its error, since a raised one would arrive as a traceback's text."""
        images, shifts = [], []
        try:
            for index, draw in draws:
                path = self.root / fsdecode(self.listing.names[index])
                image, shift = self.view(read_rgb(path), draw)
                images.append(image)
                shifts.append(shift)
        except DataError as error:
            return error
        labels = self.listing.labels[[index for index, _ in draws]]
        return torch.stack(images), torch.stack(shifts), torch.from_numpy(labels)


def _return_unchanged(batch: Any) -> Any:
    return batch
