"""Normalisation, padding, cropping and flipping of a batch in one gather, on any device.

The augmentation is that of He et al. 2015, 4.2: pad with zeros, take a random crop of the original
size, and flip it horizontally with probability one half.
"""

import torch
from torch import Tensor

from degradation.config import Data
from degradation.data.datasets import Split

STATISTICS_CHUNK = 8192  # images converted to float64 at a time
WHITE = 255.0


def draw_offsets(batch_size: int, data: Data, generator: torch.Generator) -> Tensor:
    """Draw a crop for each image of a batch, and a horizontal flip if data.flip is set.

    Returns:
        int64 (3, B) on the CPU: the offsets of the row and of the column, from -pad to pad, and 1
        if the image is flipped.
    """
    crop = torch.randint(-data.pad, data.pad + 1, (2, batch_size), generator=generator)
    if data.flip:
        flip = torch.rand(batch_size, generator=generator) < 0.5
    else:
        flip = torch.zeros(batch_size, dtype=torch.bool)
    return torch.cat([crop, flip.long()[None]])


def compute_statistics(images: Tensor, normalisation: str) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of images.

    Args:
        images: uint8 (N, C, H, W)
        normalisation: "channel" for the mean and the standard deviation of each channel; "pixel"
            for the mean of each pixel and a divisor of 255, since the paper only subtracts the
            per-pixel mean; values are then in [-1, 1]. A constant channel has the divisor 255 too.

    Returns:
        two float32 tensors whose shapes broadcast to (C, H, W); sums are accumulated in float64.
    """
    total = torch.zeros(images.shape[1:], dtype=torch.float64)
    total_of_squares = torch.zeros_like(total)
    for start in range(0, len(images), STATISTICS_CHUNK):
        values = images[start : start + STATISTICS_CHUNK].double()
        total += values.sum(0)
        total_of_squares += values.square().sum(0)
    pixel_mean = total / len(images)
    if normalisation == "pixel":
        return pixel_mean.float(), torch.full((1, 1, 1), WHITE)
    mean = pixel_mean.mean((1, 2), keepdim=True)
    mean_of_squares = (total_of_squares / len(images)).mean((1, 2), keepdim=True)
    # rounding could make the variance of a nearly constant channel negative
    variance = (mean_of_squares - mean.square()).clamp(min=0)
    # a channel that is constant in all images becomes 0 instead of 0/0; test images may differ
    deviation = torch.where(variance > 0, variance.sqrt(), WHITE)
    return mean.float(), deviation.float()


class ImageBatches:
    """A split that resides on a device and returns normalised batches.

    Args:
        split: the images and labels
        mean, deviation: as `compute_statistics` returns them
        device: where the images are stored and the batches are computed
        normalise: "before_padding" (the padding is the mean image) or "after_padding" (it is black)
    """

    def __init__(
        self, split: Split, mean: Tensor, deviation: Tensor, device: torch.device, normalise: str
    ) -> None:
        self.images = split.images.to(device)
        self.labels = split.labels.to(device)
        channels, side, _ = self.images.shape[1:]
        self.mean = mean.expand(self.images.shape[1:]).contiguous().to(device)
        self.deviation = deviation.to(device)
        self.device = device
        self.has_black_padding = normalise == "after_padding"
        self.channel = torch.arange(channels, device=device).view(1, -1, 1, 1)
        self.position = torch.arange(side, device=device)

    def __len__(self) -> int:
        return len(self.labels)

    def eval_batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return images `start` to `stop`, unaugmented: float32 (B, C, H, W), int64 (B,)."""
        return self._normalise(self.images[start:stop]), self.labels[start:stop]

    def eval_batch_at(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images at `indices`, int64 (B,) on the CPU, as `eval_batch` does."""
        indices = indices.to(self.device)
        return self._normalise(self.images[indices]), self.labels[indices]

    def _normalise(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean) / self.deviation

    def augmented_batch(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Return padded, cropped and flipped images: float32 (B, C, H, W), int64 (B,).

        This neither waits for the device nor copies to it if the draws are on it already.

        Args:
            draws: int64 (4, B): the index of each image, and its offsets as `draw_offsets` returns
                them. One tensor is one transfer to a device, and one buffer to copy into.
        """
        indices, row_offset, column_offset, flip = draws.to(self.device).unbind()
        row, column = self._find_source_pixels(row_offset, column_offset, flip.bool())
        is_row_inside = (row >= 0) & (row < len(self.position))
        is_column_inside = (column >= 0) & (column < len(self.position))
        is_inside = is_row_inside[:, None, :, None] & is_column_inside[:, None, None, :]
        # one gather: each target pixel reads its source pixel; padding reads a border pixel
        last = len(self.position) - 1
        row = row.clamp(0, last)[:, None, :, None]
        column = column.clamp(0, last)[:, None, None, :]
        values = self.images[indices[:, None, None, None], self.channel, row, column].float()
        labels = self.labels[indices]
        if self.has_black_padding:
            return (values * is_inside - self.mean) / self.deviation, labels
        mean = self.mean[self.channel, row, column]
        return (values - mean) / self.deviation * is_inside, labels

    def _find_source_pixels(
        self, row_offset: Tensor, column_offset: Tensor, flip: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the source row (B, H) and column (B, W) of each pixel; padding lies outside."""
        row = self.position + row_offset[:, None]
        flipped = self.position.flip(0)
        column = torch.where(flip[:, None], flipped, self.position)
        return row, column + column_offset[:, None]
