"""scikit-learn's handwritten digits: small enough to show degradation in minutes on one core."""

import numpy as np

from degradation.config import Data
from degradation.data.arrays import Arrays
from degradation.registry import DATASETS

TEST_IMAGES = 297


@DATASETS.register(
    "digits", fingerprint="digits-1500-297", channels=1, side=8, classes=10, needs_root=False
)
def read_digits(_data: Data) -> Arrays:
    """Read the 1,797 greyscale 8x8 images (values 0 to 16) in a fixed stratified split.

    1,500 are for training, 297 for testing.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    images = pixels.astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = labels.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    return Arrays(images[train], labels[train], images[test], labels[test])
