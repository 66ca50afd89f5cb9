"""What a reader returns for images that fit into memory. Free of torch."""

from dataclasses import dataclass

import numpy as np

from degradation.data.errors import DataError


@dataclass(frozen=True)
class Arrays:
    """The images and labels of a data set, in its own order.

    Images are uint8 (N, C, H, W) with H = W, labels are int64 (N,) and count from 0.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    def check(self, name: str) -> None:
        """Raise DataError unless the arrays have the documented types and shapes.

        Args:
            name: the data set's name, for the message
        """
        image_shape = self.train_images.shape[1:]
        for split in ("train", "test"):
            images = getattr(self, f"{split}_images")
            labels = getattr(self, f"{split}_labels")
            problem = _find_problem(images, labels, image_shape)
            if problem is not None:
                raise DataError(f"data.name={name}: {split} {problem}; correct the reader")


def _find_problem(
    images: np.ndarray, labels: np.ndarray, image_shape: tuple[int, ...]
) -> str | None:
    """Return what is wrong with a split, or None."""
    if images.dtype != np.uint8 or images.ndim != 4:
        return f"images are {images.dtype} {images.shape}, expected uint8 (N, C, H, W)"
    if images.shape[1:] != image_shape or images.shape[2] != images.shape[3]:
        return f"images are {images.shape}, expected squares of the shape {image_shape}"
    if labels.dtype != np.int64 or labels.shape != (len(images),):
        return f"labels are {labels.dtype} {labels.shape}, expected int64 ({len(images)},)"
    if len(labels) == 0:
        return "images: there is none"
    if labels.min() < 0:
        return f"labels: the smallest is {labels.min()}, expected 0 or more"
    return None
