"""What a reader returns is checked before it is used."""

from dataclasses import replace

import numpy as np
import pytest

from degradation.data.arrays import Arrays
from degradation.data.errors import DataError


def build_arrays(**fields):
    """Four images, each of one grey, of two classes in each split, with some fields replaced."""
    images, labels = np.zeros((4, 3, 8, 8), np.uint8), np.arange(4) % 2
    images += np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    return replace(Arrays(images, labels, images, labels), **fields)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"train_images": np.zeros((4, 3, 8, 8))}, r"train images are float64 .*, expected uint8"),
        ({"test_images": np.zeros((4, 8, 8), np.uint8)}, r"test images are uint8 \(4, 8, 8\)"),
        (
            {"test_images": np.zeros((4, 3, 9, 9), np.uint8)},
            r"test images have the shape \(3, 9, 9\), expected \(3, 8, 8\)",
        ),
        ({"train_labels": np.zeros(4)}, r"train labels are float64 .*, expected int64 \(4,\)"),
        ({"train_labels": np.arange(3)}, r"train labels are int64 \(3,\), expected int64 \(4,\)"),
        (
            {"test_labels": np.arange(4) - 1},
            r"test labels have a minimum of -1, expected 0 or more",
        ),
    ],
)
def test_invalid_arrays_are_rejected(fields, problem):
    with pytest.raises(DataError, match=rf"^data\.name=mine: {problem}.*; correct the reader$"):
        build_arrays(**fields).check("mine")


def test_images_must_be_square():
    images = np.zeros((4, 3, 8, 6), np.uint8)
    with pytest.raises(DataError, match="train images are 6x8 pixels, expected squares"):
        build_arrays(train_images=images, test_images=images).check("mine")


def test_empty_split_is_rejected():
    images, labels = np.zeros((0, 3, 8, 8), np.uint8), np.zeros(0, np.int64)
    with pytest.raises(DataError, match="test split has no images"):
        build_arrays(test_images=images, test_labels=labels).check("mine")


def test_valid_arrays_are_accepted():
    build_arrays().check("mine")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"train_labels": np.ones(4, np.int64)}, "all training images have the label 1"),
        ({"test_labels": np.array([0, 1, 2, 2])}, "test images have the label 2, which no train"),
        ({"train_images": np.full((4, 3, 8, 8), 255, np.uint8)}, "all training images are the sa"),
        ({"test_images": np.zeros((2, 3, 8, 8), np.uint8)}, "all test images are the same"),
    ],
)
def test_data_without_information_is_no_result(fields, problem):
    arrays = build_arrays(**fields)
    if len(arrays.test_images) == 2:
        arrays = replace(arrays, test_labels=np.arange(2))
    with pytest.raises(DataError, match=rf"^data\.name=mine: {problem}.*; correct the data$"):
        arrays.check("mine")
