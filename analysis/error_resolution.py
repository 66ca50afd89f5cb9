"""Chance error, and the resolution of an error: the smallest amount by which it can change.

Both follow from the numbers of images in run.json (`metadata` below). Older records lack some of
these numbers; what follows from an unknown number is NaN.
"""

import math
from typing import Any

from degradation.checksums import Row
from degradation.config import evaluation_iterations
from degradation.metrics import RUNNING_ERROR

# Older records of digits lack the number of training images of the most frequent class. In the
# fixed split it is 153 of 1500.
DIGITS_CONTENT = "digits-1500-297"
DIGITS_COMMONEST = 153 / 1500

UNKNOWN = math.nan


def chance_error(metadata: Row) -> float:
    """Return chance error in percent: that of always predicting the most frequent training class.

    If the size of that class is not recorded, the classes are assumed to be equally large, except
    for digits, where it is known. Held-out images are assumed to have the same distribution.

    A diverged run gets this number as its test error too, although the classes of the test images
    may be distributed slightly differently.
    """
    data = metadata["data"]
    if "commonest" in data:
        fraction = data["commonest"] / data["train"]
    elif metadata["config"]["data"].get("content") == DIGITS_CONTENT:
        fraction = DIGITS_COMMONEST
    else:
        fraction = 1 / data["classes"]
    return float(100 * (1 - fraction))


def training_error_resolution(metadata: Row, metric: str) -> float:
    """Return the resolution of a training error, in points: 100 / N for an error on N images."""
    if metric == RUNNING_ERROR:
        images = _count_running_images(metadata["config"])
    else:
        images = _count_evaluated_images(metadata)
    return 100 / images


def test_error_resolution(metadata: Row) -> float:
    """Return the resolution of the test error, in points: 100 / N for N test images."""
    return 100 / float(metadata["data"].get("test", UNKNOWN))


def _count_evaluated_images(metadata: Row) -> float:
    """Return how many training images the clean and the augmented error are measured on.

    Streamed data sets are too large to be evaluated in full, so the error is that of a sample.
    """
    images = float(metadata["data"].get("train", UNKNOWN))
    stream: dict[str, Any] | None = metadata["config"]["data"].get("stream")
    if stream is None:
        return images
    sample = float(stream.get("train_evaluated", UNKNOWN))
    if math.isnan(images) or math.isnan(sample):
        return UNKNOWN
    return min(images, sample)


def _count_running_images(config: Row) -> float:
    """Return the number of training images that the last running error is averaged over.

    They are those of the iterations since the previous evaluation.
    """
    schedule = config["schedule"]
    *earlier, last = evaluation_iterations(schedule["iterations"], schedule["evaluate_every"])
    previous = earlier[-1] if earlier else 0
    batch_size = float(config.get("optim", {}).get("batch_size", UNKNOWN))
    return float((last - previous) * batch_size)
