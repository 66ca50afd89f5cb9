"""Which runs follow the paper's protocols, and how departures are named."""

import re
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from analysis.paper_protocol import (
    ANY,
    CIFAR10,
    IMAGENET,
    find_departures,
    follows_cifar10_protocol,
    follows_imagenet_protocol,
)
from degradation.records.config_validation import config_columns
from degradation.run_id import HASH_DEFAULTS, hashed_values
from tests.support.changed_keys import change_keys

PROTOCOLS = {
    "cifar10": ("data=cifar10", "schedule=paper", "optim.lr=0.1"),
    "imagenet": (
        "data=imagenet",
        "data.root=x",
        "model=imagenet_residual",
        "schedule=imagenet",
        "optim.lr=0.1",
        "optim.batch_size=256",
    ),
}
CIFAR10_WARMUP = (
    "null below 110 layers; with that depth or more, lr 0.01 until the training error is below 80 %"
)


@pytest.fixture
def protocol_runs(compose_config):
    """Return a function from a protocol and overrides to a table with this one run."""

    def build(protocol, *overrides):
        config = change_keys(compose_config, *PROTOCOLS[protocol], *overrides)
        values = config_columns(hashed_values(config, "content"))
        return pd.DataFrame([{"depth": config.model.depth, **values}])

    return build


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model=plain",),
        ("model.depth=56",),
        ("model.depth=110",),
        ("model=plain", "model.depth=110"),
        ("model.depth=1202",),
        ("seed=7",),
        ("precision=bf16",),
        ("data.normalise=after_padding",),
        ("model.new_channels=either_side",),
        ("model.initialisation=fan_in",),
        ("model.bn_parts=2",),
        ("model.bn_statistics=exact",),
        ("optim.momentum_form=caffe",),
        ("optim.decay=weights",),
        ("model.depth=110", "schedule.warmup.max_iterations=400"),
        ("model.depth=110", "schedule.warmup.max_iterations=null"),
        ("schedule.evaluate_every=500",),
        ("model.depth=110", "schedule.warmup.below=null", "schedule.warmup.max_iterations=400"),
    ],
)
def test_every_reading_of_the_paper_follows_it(protocol_runs, overrides):
    assert follows_cifar10_protocol(protocol_runs("cifar10", *overrides)).tolist() == [True]


@pytest.mark.parametrize(
    "overrides",
    [
        ("data=cifar100",),
        ("data=image_folder", "data.root=x"),
        ("data.pad=2",),
        ("data.flip=false",),
        ("data.normalisation=channel",),
        ("data.validation=5000",),
        ("model.shortcut=B",),
        ("model.shortcut=C",),
        ("model.order=pre",),
        ("model=plain_preactivation",),
        ("model.block=bottleneck",),
        ("model.width=32",),
        ("model.bn_parts=4",),
        ("model=constructed", "model.depth=56"),
        ("optim.lr=0.05",),
        ("optim.momentum=0.8",),
        ("optim.weight_decay=0.0005",),
        ("optim.batch_size=64",),
        ("schedule=short",),
        ("schedule=paper_longer",),
        ("schedule.iterations=63999",),
        ("schedule.milestones=[32000]",),
        ("schedule.factor=0.2",),
        ("schedule.warmup.from_depth=20",),
        ("model.depth=110", "schedule.warmup=null"),
        ("model.depth=110", "schedule.warmup.lr=0.02"),
        ("model.depth=110", "schedule.warmup.below=50"),
        ("model.depth=110", "schedule.warmup.window=10"),
        ("model.depth=110", "schedule.warmup.max_iterations=32000"),
        ("model.depth=110", "schedule.warmup.max_iterations=1"),
    ],
)
def test_each_departure_from_cifar10_is_detected(protocol_runs, overrides):
    assert follows_cifar10_protocol(protocol_runs("cifar10", *overrides)).tolist() == [False]


@pytest.mark.parametrize(
    ("protocol", "overrides", "departures"),
    [
        ("cifar10", ("optim.lr=0.05",), {"optim.lr is 0.05": "0.1"}),
        ("cifar10", ("model.bn_parts=4",), {"model.bn_parts is 4": "1 or 2"}),
        ("cifar10", ("model=constructed", "model.depth=56"), {"model.grown_from is 20": "null"}),
        (
            "cifar10",
            ("optim.lr=0.05", "optim.momentum=0.8"),
            {"optim.lr is 0.05": "0.1", "optim.momentum is 0.8": "0.9"},
        ),
        (
            "cifar10",
            ("model.depth=110", "schedule.warmup=null"),
            {"schedule.warmup is null": CIFAR10_WARMUP},
        ),
        (
            "cifar10",
            ("model.depth=110", "schedule.warmup.lr=0.02"),
            {
                "schedule.warmup is lr 0.02, below 80, window 100, max_iterations 2000": (
                    CIFAR10_WARMUP
                )
            },
        ),
        ("imagenet", ("model.bn_parts=16",), {"model.bn_parts is 16": "1 or 2 or 4 or 8"}),
        (
            "imagenet",
            ("schedule.plateau=null",),
            {"schedule.plateau is null": "a learning-rate drop when the error stops falling"},
        ),
        ("cifar10", ("data.size=16",), {"data.size is 16": "null"}),
        ("cifar10", (), {}),
        ("imagenet", (), {}),
        ("cifar10", ("data=cifar100", "optim.lr=0.05"), {}),
    ],
)
def test_departures_name_key_value_and_protocol(protocol_runs, protocol, overrides, departures):
    lines = [
        f"{value}, but the paper's protocol requires {paper}" for value, paper in departures.items()
    ]
    assert find_departures(protocol_runs(protocol, *overrides)) == lines


@pytest.mark.parametrize(("images", "held_out"), [(1281167, 0), (1271167, 10000), (None, 10000)])
def test_all_images_of_imagenet_follow_the_protocol(protocol_runs, images, held_out):
    """Records of older versions do not say how many images they were trained on."""
    runs = protocol_runs("imagenet", f"data.validation={held_out}").assign(train_images=images)
    assert follows_imagenet_protocol(runs).tolist() == [True]


def test_some_classes_of_imagenet_are_not_compared_with_the_paper(protocol_runs):
    runs = protocol_runs("imagenet").assign(train_images=126689)
    assert follows_imagenet_protocol(runs).tolist() == [False]
    assert find_departures(runs) == [
        "the number of training images is 126689, but the paper's protocol requires 1281167 less"
        " data.validation"
    ]


def test_each_departing_value_is_named_once(protocol_runs):
    runs = [
        protocol_runs("cifar10"),
        protocol_runs("cifar10", "optim.lr=0.05"),
        protocol_runs("cifar10", "optim.lr=0.05", "seed=1"),
        protocol_runs("cifar10", "optim.lr=0.2", "model.depth=110"),
    ]
    assert find_departures(pd.concat(runs, ignore_index=True)) == [
        "optim.lr is 0.05, but the paper's protocol requires 0.1",
        "optim.lr is 0.2, but the paper's protocol requires 0.1",
    ]


def test_value_missing_from_a_record_is_a_departure(protocol_runs):
    runs = protocol_runs("cifar10").drop(columns="config.optim.weight_decay")
    assert follows_cifar10_protocol(runs).tolist() == [False]
    assert find_departures(runs) == [
        "optim.weight_decay is null, but the paper's protocol requires 0.0001"
    ]


def test_no_runs_follow_nothing(protocol_runs):
    assert follows_cifar10_protocol(protocol_runs("cifar10").iloc[:0]).tolist() == []


def test_plateau_departs_from_cifar10(protocol_runs):
    runs = protocol_runs("cifar10").assign(**{"config.schedule.plateau.patience": 6})
    assert follows_cifar10_protocol(runs).tolist() == [False]


def test_image_folder_of_cifar10_is_never_compared(protocol_runs):
    """Its images may be JPEG files, even if everything else agrees."""
    runs = protocol_runs("cifar10").assign(**{"config.data.name": "image_folder"})
    assert follows_cifar10_protocol(runs).tolist() == [False]


def test_records_of_different_ages_share_a_frame(protocol_runs):
    """A key that an older record lacks is NaN in its row, as is a warm-up of a shallow network."""
    runs = [
        protocol_runs("cifar10"),
        protocol_runs("cifar10", "model.depth=110"),
        protocol_runs("cifar10", "model.bn_parts=2"),
        protocol_runs("cifar10", "data.validation=5000"),
    ]
    follows = follows_cifar10_protocol(pd.concat(runs, ignore_index=True))
    assert follows.tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model=imagenet_plain",),
        ("model.shortcut=C",),
        ("model.block=bottleneck", "model.depth=50"),
        ("model.block=bottleneck", "model.depth=152", "model.bottleneck_stride=1x1"),
    ],
)
def test_imagenet_networks_follow_their_own_protocol(protocol_runs, overrides):
    runs = protocol_runs("imagenet", *overrides)
    assert follows_imagenet_protocol(runs).tolist() == [True]
    assert follows_cifar10_protocol(runs).tolist() == [False]


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_imagenet_batch_may_be_split_into_parts_of_32(protocol_runs, parts):
    """As on the eight GPUs of the authors' next paper (see analysis/paper_protocol.py)."""
    runs = protocol_runs("imagenet", f"model.bn_parts={parts}")
    assert follows_imagenet_protocol(runs).tolist() == [True]


def test_documented_torchrun_command_is_compared(protocol_runs):
    page = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
    command = re.search(r"torchrun --.*?\n\n", page, re.DOTALL)
    overrides = re.findall(r"[\w.]+=\S+", command[0])
    assert "model.bn_parts=8" in overrides
    assert follows_imagenet_protocol(protocol_runs("imagenet", *overrides)).tolist() == [True]


@pytest.mark.parametrize(
    "override",
    [
        "model.bn_parts=16",
        "optim.batch_size=128",
        "optim.lr=0.01",
        "schedule.plateau=null",
        "model.width=32",
        "optim.weight_decay=0",
        "optim.momentum=0.8",
        "schedule.iterations=1000",
        "schedule.milestones=[300000]",
        "data.stream.scale=[256, 256]",
        "data.stream.colour=0",
        "data.stream.test_scale=224",
        "data.flip=false",
        "model.order=pre",
    ],
)
def test_each_departure_from_imagenet_is_detected(protocol_runs, override):
    assert follows_imagenet_protocol(protocol_runs("imagenet", override)).tolist() == [False]


# Keys that do not matter for a comparison, and groups that the protocols judge as a whole.
FREE_KEYS = {
    "data.root",
    "data.margin",
    "data.stream",
    "data.stream.ten_crop",
    "data.stream.workers",
    "data.stream.train_evaluated",
    "model.depth",
    "schedule.evaluate_every",
    "schedule.augmented_every",
    "schedule.snapshots",
    "precision.channels_last",
}
GROUPS = ("model.grown_from", "schedule.warmup", "schedule.plateau")
PARTS = (*GROUPS, "data.stream")


def test_key_added_after_a_release_may_keep_its_old_behaviour():
    """A key that no protocol names must reproduce the code before it: it costs no entry there."""
    exempt = (*PARTS, "schedule.augmented_every")  # how often an error is measured changes none
    later_keys = {key: value for key, value in HASH_DEFAULTS.items() if not key.startswith(exempt)}
    assert later_keys
    assert "schedule.augmented_every" not in CIFAR10
    for key, value in later_keys.items():
        assert value in CIFAR10[key]


@pytest.mark.parametrize(
    ("overrides", "allowed"),
    [
        (("data=cifar10", "schedule=paper"), CIFAR10),
        (("data=imagenet", "data.root=x", "schedule=imagenet"), IMAGENET),
    ],
)
def test_no_key_of_the_configuration_escapes_the_protocols(compose_config, overrides, allowed):
    """A key added to the schema gets a place: specified, left open, or irrelevant."""
    values = asdict(compose_config(*overrides))
    groups = {name: values[name] for name in ("data", "model", "optim", "schedule", "precision")}
    keys = {key.removeprefix("config.") for key in config_columns(groups)}
    unplaced = keys - allowed.keys() - FREE_KEYS
    assert {key for key in unplaced if not key.startswith(GROUPS)} == set()
    assert ANY.keys() <= allowed.keys()
