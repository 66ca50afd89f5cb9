"""The error of chance, and the steps in which errors move."""

import math

import numpy as np
import pytest

from analysis import error_resolution
from analysis.claim import is_no_better_than_chance
from analysis.frame import load
from degradation.records.schema import State
from tests.support.records import CONFIG, write_record


@pytest.mark.parametrize(("error", "expected"), [(86.0, True), (85.9, False)])
def test_untrained_is_within_two_points_of_chance(tmp_path, error, expected):
    """Chance is 88 %, that of the most frequent class."""
    images = {"train": 800, "commonest": 96}
    run = write_record(tmp_path, "a", State.DONE, errors=(90.0, error), images=images)
    runs = load(tmp_path, [run]).runs
    assert bool(runs.loc[0, "untrained"]) is expected
    assert is_no_better_than_chance(runs) is expected


def test_chance_is_that_of_the_commonest_class(tmp_path):
    """Older records lack the size of that class. It is known for the digits; other classes count
    as equally large.
    """
    digits = {**CONFIG["data"], "content": "digits-1500-297"}
    folder = {"name": "image_folder", "content": "sha256:0123"}
    images = {
        "new": {"train": 1000, "commonest": 600},
        "old-digits": {"train": 1500},
        "old-folder": {"train": 1000},
    }
    data = {"new": digits, "old-digits": digits, "old-folder": folder}
    expected = [
        write_record(tmp_path, name, State.DIVERGED, images=images[name], data=data[name])
        for name in images
    ]
    runs = load(tmp_path, expected).runs.set_index("run_id")
    assert runs["chance"].to_dict() == pytest.approx(
        {"new": 40.0, "old-digits": 89.8, "old-folder": 90.0}
    )
    for column in ("training_error", "test/error"):
        assert runs[column].tolist() == runs["chance"].tolist()


def test_commonest_digit_is_counted(compose_config):
    from degradation.data.datasets import load_dataset

    labels = load_dataset(compose_config("data=digits").data).train.labels
    assert np.bincount(labels).max() / len(labels) == error_resolution.DIGITS_COMMONEST


STREAM = {"train_evaluated": 500}
SCHEDULE = {"iterations": 130, "evaluate_every": 40}


@pytest.mark.parametrize(
    ("kind", "images", "config", "step"),
    [
        ("clean", {"train": 800}, {}, 0.125),
        ("augmented", {"train": 800}, {}, 0.125),
        ("clean", {}, {}, math.nan),
        ("clean", {"train": 800}, {"data": {"name": "imagenet", "stream": STREAM}}, 0.2),
        ("augmented", {"train": 400}, {"data": {"name": "imagenet", "stream": STREAM}}, 0.25),
        ("clean", {"train": 800}, {"data": {"name": "imagenet", "stream": {}}}, math.nan),
        ("running", {"train": 800}, {"optim": {"batch_size": 50}}, 0.05),
        ("running", {"train": 800}, {"optim": {"batch_size": 50}, "schedule": SCHEDULE}, 0.2),
        ("running", {"train": 800}, {}, math.nan),
    ],
)
def test_step_of_the_training_error(tmp_path, kind, images, config, step):
    """The step is 100 points over the number of images that the error is measured on.

    The running error is measured on those since the last evaluation: 40 or 10 batches.
    """
    run = write_record(tmp_path, "a", State.DONE, images=images, **config)
    frame = load(tmp_path, [run], kind)
    assert frame.runs.loc[0, "error_step"] == pytest.approx(step, nan_ok=True)


def test_step_of_the_test_error(tmp_path):
    expected = [
        write_record(tmp_path, "a", State.DONE, images={"train": 800, "test": 400}),
        write_record(tmp_path, "b", State.DONE, seed=1),
    ]
    steps = load(tmp_path, expected).runs["test_step"].tolist()
    assert steps == pytest.approx([0.25, math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("images", "key"),
    [
        ({"train": 0}, "train"),
        ({"train": "800"}, "train"),
        ({"test": 0}, "test"),
        ({"test": True}, "test"),
        ({"train": 800, "commonest": 0}, "commonest"),
        ({"train": 800, "commonest": 801}, "commonest"),
        ({"train": 800, "commonest": 80.0}, "commonest"),
        ({"commonest": 80}, "commonest"),
    ],
)
def test_invalid_image_counts_are_rejected(tmp_path, images, key):
    frame = load(tmp_path, [write_record(tmp_path, "a", State.DONE, images=images)])
    assert frame.runs.empty
    assert frame.excluded[0].endswith(f"data.{key} is invalid")
