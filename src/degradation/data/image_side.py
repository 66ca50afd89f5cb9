"""The side of a data set's images, found without decoding all of them. Does not import torch."""

from pathlib import Path

from degradation.config import Data
from degradation.data.errors import DataError
from degradation.data.folders import check_root, find_splits, iterate_images
from degradation.registry import DATASETS


def find_known_side(data: Data) -> int | None:
    """Return the side that the configuration or the registration states, without reading files.

    This is the side of the images that a network sees, in pixels; None if it is not stated.
    """
    if data.stream is not None:
        return data.stream.crop
    side: int | None = data.size or DATASETS.facts(data.name).get("side")
    return side


def find_image_side(data: Data) -> int | None:
    """Return the side in pixels of the images that a network sees.

    It is read from the first training image if neither the configuration nor the registration has
    it. None if it is unknown until the images are read. Raises ConfigError.
    """
    side = find_known_side(data)
    if side is None and "splits" in DATASETS.facts(data.name):
        side = _read_first_side(data)
    return side


def _read_first_side(data: Data) -> int | None:
    """Return the side of the first training image, or None if it cannot be read."""
    from degradation.data.image_files import read_rgb  # imports Pillow, which few runs need

    training, _ = find_splits(data)
    for _, image in iterate_images(check_root(data), training):
        try:
            return min(read_rgb(Path(image.path)).size)
        except DataError:  # reported when the images are read
            return None
    return None
