"""Resizing of images that are held in memory: by area averaging, or by Pillow's bilinear filter.

Both give the same bytes on every machine. Does not import torch.
"""

import numpy as np

from degradation.config import ConfigError, Data
from degradation.config.schema import AREA, BILINEAR
from degradation.data.arrays import Arrays

CHUNK_VALUES = 2**21  # values converted to float64 at a time: 16 MiB


def build_cache_suffix(data: Data) -> str:
    """Return how images are resized, for the names of cached files: as-is, 16 or 16-area."""
    if data.size is None:
        return "as-is"
    return str(data.size) if data.resize == BILINEAR else f"{data.size}-{data.resize}"


def resize_arrays(arrays: Arrays, side: int, method: str) -> Arrays:
    """Return the data set with images of `side` x `side` pixels; unchanged if they have this size.

    Args:
        method: AREA or BILINEAR, as `data.resize`

    Raises:
        ConfigError: area averaging would have to enlarge the images.
    """
    current = arrays.train_images.shape[2]
    if current == side:
        return arrays
    if method == AREA and side > current:
        raise ConfigError(
            f"data.size: {side} is not allowed, since area averaging (data.resize=area) cannot"
            f" enlarge images of {current}x{current} pixels; allowed: null, or at most {current}"
        )
    return Arrays(
        resize_images(arrays.train_images, side, method),
        arrays.train_labels,
        resize_images(arrays.test_images, side, method),
        arrays.test_labels,
    )


def resize_images(images: np.ndarray, side: int, method: str) -> np.ndarray:
    """Return uint8 (..., side, side) of images uint8 (..., H, W); what is not square is distorted.

    Args:
        method: AREA or BILINEAR, as `data.resize`
    """
    planes = images.reshape(-1, *images.shape[-2:])
    resized = _average_areas(planes, side) if method == AREA else _resize_bilinearly(planes, side)
    return resized.reshape(*images.shape[:-2], side, side)


def _average_areas(planes: np.ndarray, side: int) -> np.ndarray:
    """Return the mean of the area that each target pixel covers, halves rounded up.

    A source pixel that is covered in part counts in proportion. The weights are whole numbers, so
    the float64 sums are exact, whatever their order.

    Args:
        planes: uint8 (N, H, W); H and W must be `side` or more
    """
    height, width = planes.shape[1:]
    rows, columns = _count_overlaps(height, side), _count_overlaps(width, side)
    averaged = np.empty((len(planes), side, side), dtype=np.uint8)
    chunk = max(1, CHUNK_VALUES // (height * width))
    for start in range(0, len(planes), chunk):
        values = planes[start : start + chunk].astype(np.float64)
        means = rows @ (values @ columns.T) / (height * width)
        averaged[start : start + chunk] = np.floor(means + 0.5)
    return averaged


def _count_overlaps(source: int, target: int) -> np.ndarray:
    """Return how much of each source pixel each target pixel covers: float64 (target, source).

    The side is divided into source x target units, so that each source pixel has `target` units and
    each target pixel `source` units. The sum of a row is therefore `source`.
    """
    target_start = np.arange(target)[:, None] * source
    source_start = np.arange(source)[None, :] * target
    end = np.minimum(target_start + source, source_start + target)
    overlaps: np.ndarray = np.maximum(end - np.maximum(target_start, source_start), 0)
    return overlaps.astype(np.float64)


def _resize_bilinearly(planes: np.ndarray, side: int) -> np.ndarray:
    """Return (N, H, W) resized by Pillow, whose filter widens when it reduces an image."""
    from PIL import Image  # which few runs need

    resized = np.empty((len(planes), side, side), dtype=np.uint8)
    for index, plane in enumerate(planes):
        image = Image.fromarray(plane).resize((side, side), Image.Resampling.BILINEAR)
        resized[index] = np.asarray(image)
    return resized
