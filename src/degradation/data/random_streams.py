"""Random streams as pure functions of (seed, stream, index), drawn on the CPU.

No generator's state has to survive an interruption: the order and the augmentation of any iteration can be drawn anew,
and devices differ by rounding only.
"""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shard:
    """The equal part of every batch that one of several processes has."""

    rank: int
    count: int

    def select(self, values: Tensor) -> Tensor:
        """A slice of the first dimension, whose length the count divides."""
        size = len(values) // self.count
        return values[self.rank * size : (self.rank + 1) * size]

    def has_batch(self, number: int) -> bool:
        """Is the batch of this number one of this process, where whole batches are shared out?"""
        return number % self.count == self.rank


WHOLE = Shard(0, 1)


def build_generator(seed: int, stream: str, index: int = 0) -> torch.Generator:
    """A CPU generator of its own for one use; `stream` says which."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def spread_indices(count: int | None, pictures: int) -> Tensor:
    """So many indices (all for None, and at most all) spread evenly over the pictures, rising: int64.

    A folder's pictures stand class by class, so its first ones would be of one class.
    """
    count = pictures if count is None else min(count, pictures)
    return torch.arange(count) * pictures // count


def shuffle_into_batches(pictures: int, batch_size: int) -> list[Tensor]:
    """All indices, each once, in batches that are fair samples of the set whatever its order: int64 (<= batch_size,).

    The order is a permutation that is the same for every run. Batches differ in size by one at most: a last batch of a
    few images would be no fair sample.
    """
    order = torch.randperm(pictures, generator=build_generator(0, "mixed"))
    return list(torch.tensor_split(order, math.ceil(pictures / batch_size)))


def draw_batch_indices(seed: int, iteration: int, batch_size: int, pictures: int) -> Tensor:
    """Which pictures the `iteration`-th batch (from 0) holds: int64 (batch_size,).

    Batches are cut from one endless row of permutations, so every batch is full, and each picture comes once an epoch.
    """
    start = iteration * batch_size
    parts = []
    while batch_size > 0:
        epoch, offset = divmod(start, pictures)
        order = torch.randperm(pictures, generator=build_generator(seed, "order", epoch))
        part = order[offset : offset + batch_size]
        parts.append(part)
        start, batch_size = start + len(part), batch_size - len(part)
    return torch.cat(parts)
