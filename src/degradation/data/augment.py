"""Normalise, pad, crop and flip a batch of resident pictures in one gather, on any device (He et al. 2015, 4.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from degradation.config import Data
from degradation.data.datasets import Split
from degradation.data.random_streams import Shard

STATISTICS_CHUNK = 8192


@dataclass(frozen=True)
class Offsets:
    """What is random in the augmentation of a batch of B pictures, drawn on the CPU."""

    row: Tensor  # int64 (B,), -pad to pad
    column: Tensor  # int64 (B,), -pad to pad
    flip: Tensor  # bool (B,)

    def of(self, share: Shard) -> "Offsets":
        return Offsets(share.select(self.row), share.select(self.column), share.select(self.flip))

    def at(self, index: Tensor) -> "Offsets":
        """Those of the images at these places: int64 (B,)."""
        return Offsets(self.row[index], self.column[index], self.flip[index])


def concatenate(parts: list[Offsets]) -> Offsets:
    """The offsets of several batches, one after the other."""
    return Offsets(
        torch.cat([part.row for part in parts]),
        torch.cat([part.column for part in parts]),
        torch.cat([part.flip for part in parts]),
    )


def draw_offsets(batch: int, data: Data, generator: torch.Generator) -> Offsets:
    """An own crop (and flip) for each picture."""
    crop = torch.randint(-data.pad, data.pad + 1, (2, batch), generator=generator)
    flip = (
        torch.rand(batch, generator=generator) < 0.5
        if data.flip
        else torch.zeros(batch, dtype=torch.bool)
    )
    return Offsets(crop[0], crop[1], flip)


def statistics(pictures: Tensor, normalisation: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the training pictures as float32, each of a shape that broadcasts to (C, H, W).

    `channel`: both, a value a channel. `pixel`: the mean of each pixel, and a deviation of 255 (the paper subtracts the
    per-pixel mean only; pictures are then in [-1, 1]).
    """
    total = torch.zeros(pictures.shape[1:], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for start in range(0, len(pictures), STATISTICS_CHUNK):
        values = pictures[start : start + STATISTICS_CHUNK].double()
        total += values.sum(0)
        squares += values.square().sum(0)
    mean = total / len(pictures)
    if normalisation == "pixel":
        return mean.float(), torch.full((1, 1, 1), 255.0)
    centre = mean.mean((1, 2), keepdim=True)
    variance = (squares / len(pictures)).mean((1, 2), keepdim=True) - centre.square()
    return centre.float(), variance.sqrt().float()


class ImageBatches:
    """A split that lives on a device, and hands out normalised batches.

    `normalise`: before_padding (the padding is the mean picture) or after_padding (it is black).
    """

    def __init__(
        self, split: Split, mean: Tensor, deviation: Tensor, device: torch.device, normalise: str
    ) -> None:
        self.images = split.images.to(device)
        self.labels = split.labels.to(device)
        shape = self.images.shape[1:]
        self.mean = mean.expand(shape).contiguous().to(device)
        self.deviation = deviation.to(device)
        self.device, self.black_padding = device, normalise == "after_padding"
        self.channel = torch.arange(shape[0], device=device).view(1, -1, 1, 1)
        self.position = torch.arange(shape[1], device=device)

    def __len__(self) -> int:
        return len(self.labels)

    def eval_batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Normalised pictures float32 (B, C, H, W) and labels int64 (B,), un-augmented, in their order."""
        normalised = (self.images[start:stop].float() - self.mean) / self.deviation
        return normalised, self.labels[start:stop]

    def eval_batch_at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """As `plain_batch`, at these indices: int64 (B,) on the CPU."""
        index = index.to(self.device)
        return (self.images[index].float() - self.mean) / self.deviation, self.labels[index]

    def augmented_batch(self, index: Tensor, offsets: Offsets) -> tuple[Tensor, Tensor]:
        """Zero-padded, cropped and flipped; normalised before, or after.

        index: int64 (B,) on the CPU. Returns float32 (B, C, H, W), int64 (B,).
        """
        side = len(self.position)
        index = index.to(self.device)
        row = (
            self.position + offsets.row.to(self.device)[:, None]
        )  # (B, H): the source row of each row
        backwards = side - 1 - self.position
        column = torch.where(offsets.flip.to(self.device)[:, None], backwards, self.position)
        column = column + offsets.column.to(self.device)[:, None]  # (B, W)
        inside = ((row >= 0) & (row < side))[:, :, None] & ((column >= 0) & (column < side))[
            :, None, :
        ]
        row, column = (
            row.clamp(0, side - 1)[:, None, :, None],
            column.clamp(0, side - 1)[:, None, None, :],
        )
        values = self.images[index[:, None, None, None], self.channel, row, column].float()
        if self.black_padding:
            return (values * inside[:, None] - self.mean) / self.deviation, self.labels[index]
        normalised = (values - self.mean[self.channel, row, column]) / self.deviation
        return normalised * inside[:, None], self.labels[index]
