"""A key that the data set or the optimiser does not read is named before anything is trained."""

import pytest

from degradation.single_warnings import warn_once
from degradation.sweep.expand import check_command_line, expand_configs
from degradation.sweep.jobs import check_before_training


@pytest.fixture(autouse=True)
def forget_messages():
    """Each message is logged once per process."""
    warn_once.cache_clear()


@pytest.mark.parametrize("overrides", [["data.root=images"], ["data.root=images,others"]])
def test_root_of_digits_has_no_effect(caplog, overrides):
    expand_configs(overrides)
    assert caplog.messages == [
        f"{overrides[0]}: has no effect with data=digits; allowed with it: data=image_folder,"
        " data=imagenet, data=cifar10, data=cifar100, data=fashion_mnist"
    ]


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.root=null"],
        ["data.root=images", "data=cifar10"],
        ["data.root=images", "data=digits,cifar10"],
        ["data.root=images", "data=image_folder"],
    ],
    ids=str,
)
def test_root_that_is_read_has_no_line(caplog, overrides):
    expand_configs(overrides)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["optim.beta1=0.8"], "optim.beta1: 0.8 has no effect with optim.name=sgd"),
        (
            ["optim=adam", "optim.momentum=0.5"],
            "optim.momentum: 0.5 has no effect with optim.name=adam",
        ),
        (
            ["optim=sgd,adam", "optim.momentum=0.5", "seed=0,1"],
            "optim.momentum: 0.5 has no effect with optim.name=adam",
        ),
    ],
    ids=str,
)
def test_unread_key_of_the_optimiser_is_named(caplog, overrides, line):
    expand_configs(overrides)
    assert caplog.messages == [line]


def test_unread_key_is_named_once_when_training_starts(caplog, tmp_path):
    overrides = ["optim.beta1=0.8", f"record_root={tmp_path}"]
    check_command_line(overrides, "config", False, True)
    (config,) = expand_configs(overrides)
    check_before_training(config)
    assert caplog.messages == ["optim.beta1: 0.8 has no effect with optim.name=sgd"]
