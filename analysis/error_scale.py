"""The ends and the step of an error's scale: what chance is, and in which steps an error moves."""

import math
from typing import Any

import numpy as np

from degradation.durable_io import Row
from degradation.metrics import RUNNING_ERROR

# The fixed training images of digits, of which older records do not say how many are of the commonest class
DIGITS = "digits-1500-297"
DIGITS_COMMONEST = 153 / 1500

NOT_KNOWN = math.nan


def chance_error(description: Row) -> float:
    """The error in percent of a network that has learned nothing: it names the commonest class of the training images.

    Where run.json does not say how many images that class has, the classes count as equally large; those of digits are
    known, and held-out images are taken to be spread as the others. The test error of a diverged run has the same
    number, though the classes of the test images may be spread a little differently.
    """
    data = description["data"]
    if "commonest" in data:
        share = data["commonest"] / data["train"]
    elif description["config"]["data"].get("content") == DIGITS:
        share = DIGITS_COMMONEST
    else:
        share = 1 / data["classes"]
    return float(100 * (1 - share))


def training_error_step(description: Row, metric: str) -> float:
    """The step in points in which this training error moves: 100 / N over N images; NaN where N is not known."""
    config = description["config"]
    images = _running(config) if metric == RUNNING_ERROR else _evaluated(description)
    return 100 / images


def test_error_step(description: Row) -> float:
    """The step of the test error in points; NaN where it is not known."""
    return 100 / float(description["data"].get("test", NOT_KNOWN))


def _evaluated(description: Row) -> float:
    """The training images that the clean and the augmented error are measured on: of streamed data only a part."""
    images = float(description["data"].get("train", NOT_KNOWN))
    stream: dict[str, Any] | None = description["config"]["data"].get("stream")
    if stream is None:
        return images
    return float(
        np.minimum(images, stream.get("train_evaluated", NOT_KNOWN))
    )  # NaN where either is


def _running(config: Row) -> float:
    """The training images of the last average over batches: those since the evaluation before the last one."""
    schedule = config["schedule"]
    last, every = schedule["iterations"], schedule["evaluate_every"]
    iterations = last % every or every
    return float(iterations * config.get("optim", {}).get("batch_size", NOT_KNOWN))
