"""The arrays that a reader returns for images that fit into memory. Does not import torch."""

from dataclasses import dataclass

import numpy as np

from degradation.data.errors import DataError


@dataclass(frozen=True)
class Arrays:
    """The images and labels of a data set, in its original order.

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
            problem = _find_image_problem(images, image_shape)
            problem = problem or _find_label_problem(labels, len(images))
            if problem is not None:
                raise DataError(f"data.name={name}: {split} {problem}; correct the reader")
        problem = self._find_degenerate_content()
        if problem is not None:
            raise DataError(f"data.name={name}: {problem}; correct the data")

    def _find_degenerate_content(self) -> str | None:
        """Return why no network could learn from the data or be tested on it, or None.

        Training on such data would end with a meaningless result: chance error, or none.
        """
        train_classes = np.unique(self.train_labels)
        if len(train_classes) < 2:
            return f"all training images have the label {train_classes[0]}, expected two classes"
        unknown = np.setdiff1d(self.test_labels, train_classes)
        if len(unknown):
            return f"test images have the label {unknown[0]}, which no training image has"
        for split, images in (("training", self.train_images), ("test", self.test_images)):
            # stops at the first difference
            if all(np.array_equal(image, images[0]) for image in images):
                return f"all {split} images are the same"
        return None


def _find_image_problem(images: np.ndarray, image_shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with a split's images, or None."""
    if images.dtype != np.uint8 or images.ndim != 4:
        return f"images are {images.dtype} {images.shape}, expected uint8 (N, C, H, W)"
    if images.shape[2] != images.shape[3]:
        return f"images are {images.shape[3]}x{images.shape[2]} pixels, expected squares"
    if images.shape[1:] != image_shape:
        return f"images have the shape {images.shape[1:]}, expected {image_shape} as in training"
    if len(images) == 0:
        return "split has no images"
    return None


def _find_label_problem(labels: np.ndarray, count: int) -> str | None:
    """Return what is wrong with the labels of `count` images, at least one, or None."""
    if labels.dtype != np.int64 or labels.shape != (count,):
        return f"labels are {labels.dtype} {labels.shape}, expected int64 ({count},)"
    if labels.min() < 0:
        return f"labels have a minimum of {labels.min()}, expected 0 or more"
    return None
