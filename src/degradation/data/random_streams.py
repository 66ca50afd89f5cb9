"""Random streams as pure functions of (seed, stream, index), drawn on the CPU.

No generator state has to be saved: after an interruption, the order and the augmentation of any
iteration are drawn again. Results on different devices differ by rounding only.
"""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shard:
    """The equal slice of every batch that one of several processes trains on."""

    rank: int  # from 0
    count: int

    def select(self, values: Tensor, dim: int = 0) -> Tensor:
        """Return this process's slice of a dimension, whose length `count` must divide."""
        size = values.shape[dim] // self.count
        return values.narrow(dim, self.rank * size, size)

    def has_batch(self, number: int) -> bool:
        """Return whether batch `number` is this process's if whole batches are dealt in turn."""
        return number % self.count == self.rank


WHOLE = Shard(0, 1)


def build_generator(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """Return a new CPU generator for one use.

    Args:
        seed: the run's seed
        stream: what is drawn, for example "order" or "augmentation"
        index: which of the stream's draws, for example the epoch or the iteration
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def spread_indices(count: int | None, images: int) -> Tensor:
    """Return `count` indices spread evenly over the images, in ascending order: int64 (count,).

    None, or a count above `images`, means all images. Since a folder's images are sorted by class,
    its first `count` images would all be of one class.
    """
    count = images if count is None else min(count, images)
    return torch.arange(count) * images // count


def shuffle_into_batches(images: int, batch_size: int) -> list[Tensor]:
    """Return all indices, each once, in shuffled batches: a list of int64 (at most batch_size,).

    Each batch is representative of the data set, whatever its order. The permutation is the same
    for every run. Batch sizes differ by one at most, since a last batch of a few images would not
    be representative.
    """
    order = torch.randperm(images, generator=build_generator(0, "mixed"))
    return list(torch.tensor_split(order, math.ceil(images / batch_size)))


class TrainingOrder:
    """A run's order of the training images: an endless sequence of permutations, one per epoch.

    Batches are slices of the sequence, so every batch is full and every image occurs once per
    epoch. Permutation e comes from the stream ("order", e). It is drawn once, not for every batch,
    which matters for many images.

    Args:
        seed: the run's seed
        images: the number of training images
    """

    def __init__(self, seed: int, images: int) -> None:
        self.seed, self.images = seed, images
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.int64)

    def batch(self, iteration: int, batch_size: int) -> Tensor:
        """Return the images of one training batch: int64 (batch_size,).

        Args:
            iteration: the batch's number, from 0
            batch_size: may exceed `images`
        """
        start = iteration * batch_size
        remaining = batch_size
        slices = []
        while remaining > 0:
            epoch, offset = divmod(start, self.images)
            epoch_slice = self._draw_permutation(epoch)[offset : offset + remaining]
            slices.append(epoch_slice)
            start += len(epoch_slice)
            remaining -= len(epoch_slice)
        return torch.cat(slices)

    def _draw_permutation(self, epoch: int) -> Tensor:
        """Return the images in the order of an epoch: int64 (images,). The latest is stored."""
        if epoch != self._epoch:
            random = build_generator(self.seed, "order", epoch)
            self._epoch, self._permutation = epoch, torch.randperm(self.images, generator=random)
        return self._permutation
