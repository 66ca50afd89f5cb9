"""The published numbers, written out a second time, and the protocols that a run must follow to stand beside them."""

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
from analysis.published_values import SOURCES, find_published
from degradation.records.config_validation import config_columns
from degradation.run_id import hashed_values


def error(family, depth, source, metric="test/error", **wanted):
    (one,) = find_published(
        data="cifar10", family=family, depth=depth, source=source, metric=metric, **wanted
    )
    return one


def test_table_6():
    printed = {
        20: (8.75, 0.27),
        32: (7.51, 0.46),
        44: (7.17, 0.66),
        56: (6.97, 0.85),
        110: (6.61, 1.7),
        1202: (7.93, 19.4),
    }
    for depth, (test, millions) in printed.items():
        assert error("residual", depth, "H15", best=False).value == test
        assert error("residual", depth, "H15", "parameters").value == pytest.approx(millions * 1e6)
    mean, best = error("residual", 110, "H15", best=False), error("residual", 110, "H15", best=True)
    assert (mean.sd, mean.runs, best.value, best.runs) == (0.16, 5, 6.43, 5)
    train = error("residual", 1202, "H15", "train/clean_error")
    assert (train.value, train.low, train.high) == (None, None, 0.1)


def test_parameters_and_multiply_adds_are_the_same_for_plain_and_residual():
    expected = {
        20: (269722, 40.6), 32: (464154, 68.9), 44: (658586, 97.2), 56: (853018, 125.5), 110: (1727962, 252.9),
        1202: (19421274, 2829.0),
    }  # fmt: skip
    for depth, (parameters, millions) in expected.items():
        for family in ("plain", "residual"):
            assert error(family, depth, "G", "parameters").value == parameters
            assert error(family, depth, "G", "multiply_adds").value == pytest.approx(millions * 1e6)


def test_figure_6_is_read_by_eye():
    plain = {depth: error("plain", depth, "H15") for depth in (20, 32, 44, 56, 110)}
    assert [(one.value, one.low, one.high) for one in plain.values()] == [
        (None, 9, 9.5), (10, None, None), (12, None, None), (None, 13, 13.5), (None, 60, None),
    ]  # fmt: skip
    assert [one.by_eye for one in plain.values()] == [True] * 4 + [
        False
    ]  # the caption says that 110 is above 60
    assert [one.format() for one in plain.values()] == [
        "~9 to 9.5",
        "~10",
        "~12",
        "~13 to 13.5",
        "above 60",
    ]


def test_public_reproductions():
    p1 = {
        "plain": {20: (0.74, 9.69), 32: (0.79, 10.04), 44: (2.76, 11.56), 56: (3.33, 13.07)},
        "residual": {20: (0.40, 8.04), 32: (0.12, 7.79), 44: (0.05, 7.51), 56: (0.04, 7.46)},
    }
    for family, depths in p1.items():
        for depth, (train, test) in depths.items():
            assert error(family, depth, "P1", "train/augmented_error").value == train
            assert error(family, depth, "P1").value == test
    p2 = [("plain", 20, 9.78, 0.13), ("plain", 56, 12.95, 0.22), ("residual", 20, 8.51, 0.22),
          ("residual", 56, 7.40, 0.27), ("residual", 110, 7.14, 0.20)]  # fmt: skip
    for family, depth, mean, sd in p2:
        one = error(family, depth, "P2")
        assert (one.value, one.sd, one.runs) == (mean, sd, 5)
    assert "never returned to 0.1" in error("residual", 110, "P2").note
    assert len(find_published(source="P1")) == 16
    assert len(find_published(source="P2")) == 5


def test_imagenet_tables_2_and_3():
    def printed(where, metric):
        found = find_published(data="imagenet", where=where, metric=f"test/ten_crop_{metric}")
        return {(one.family, one.shortcut, one.depth): one.value for one in found}

    assert printed("table 2", "error") == {
        ("plain", "none", 18): 27.94, ("plain", "none", 34): 28.54, ("residual", "A", 18): 27.88,
        ("residual", "A", 34): 25.03,
    }  # fmt: skip
    nets = [("plain", "none", 34), *(("residual", shortcut, 34) for shortcut in "ABC"),
            *(("residual", "B", depth) for depth in (50, 101, 152))]  # fmt: skip
    top1 = [28.54, 25.03, 24.52, 24.19, 22.85, 21.75, 21.43]
    top5 = [10.02, 7.76, 7.46, 7.40, 6.71, 6.05, 5.71]
    assert printed("table 3", "error") == dict(zip(nets, top1, strict=True))
    assert printed("table 3", "top5_error") == dict(zip(nets, top5, strict=True))


def test_imagenet_multiply_adds_depend_on_the_bottlenecks_stride():
    def giga(**wanted):
        return [
            one.value / 1e9
            for one in find_published(data="imagenet", metric="multiply_adds", **wanted)
        ]

    assert giga(source="H15", family="residual") == pytest.approx([1.8, 3.6, 3.8, 7.6, 11.3])
    assert giga(source="G", stride="1x1") == pytest.approx([3.86, 7.57, 11.28])
    assert giga(source="G", stride="3x3") == pytest.approx([4.09, 7.80, 11.51])
    assert giga(source="G", depth=34, shortcut="B") == pytest.approx([3.66])


def test_every_number_has_a_source_and_a_place():
    everything = find_published()
    assert all(one.source in SOURCES and one.where for one in everything)
    assert len(set(everything)) == len(everything)


@pytest.fixture
def protocol_runs(compose_config):
    """(experiment, overrides) -> the frame of one run, its configuration flattened as a record's is."""
    experiments = {
        "paper": ("data=cifar10", "schedule=paper", "optim.lr=0.1"),
        "imagenet": ("data=imagenet", "data.root=x", "model=imagenet_residual", "schedule=imagenet", "optim.lr=0.1",
                     "optim.batch_size=256"),
    }  # fmt: skip

    def composed(experiment, *overrides):
        config = compose_config(*experiments[experiment], *overrides)
        return pd.DataFrame(
            [{"depth": config.model.depth, **config_columns(hashed_values(config, "content"))}]
        )

    return composed


@pytest.mark.parametrize(
    "overrides",
    [
        (), ("model=plain",), ("model.depth=56",), ("model.depth=110",), ("model=plain", "model.depth=110"),
        ("model.depth=1202",), ("seed=7",), ("precision=bf16",), ("data.normalise=after_padding",),
        ("model.new_channels=either_side",), ("model.initialisation=fan_in",), ("model.bn_parts=2",),
        ("model.bn_statistics=exact",), ("optim.momentum_form=caffe",), ("optim.decay=weights",),
        ("model.depth=110", "schedule.warmup.max_iterations=400"),
        ("model.depth=110", "schedule.warmup.max_iterations=null"), ("schedule.evaluate_every=500",),
        ("model.depth=110", "schedule.warmup.below=null", "schedule.warmup.max_iterations=400"),
    ],
)  # fmt: skip
def test_what_the_paper_leaves_open_is_compared(protocol_runs, overrides):
    assert follows_cifar10_protocol(protocol_runs("paper", *overrides)).tolist() == [True]


@pytest.mark.parametrize(
    "overrides",
    [
        ("data=cifar100",), ("data=image_folder", "data.root=x"), ("data.pad=2",), ("data.flip=false",),
        ("data.normalisation=channel",), ("data.validation=5000",), ("model.shortcut=B",), ("model.shortcut=C",),
        ("model.order=pre",), ("model=plain_preactivation",), ("model.block=bottleneck",), ("model.width=32",),
        ("model.bn_parts=4",), ("model=constructed", "model.depth=56"), ("optim.lr=0.05",), ("optim.momentum=0.8",),
        ("optim.weight_decay=5e-4",), ("optim.batch_size=64",), ("schedule=short",), ("schedule=paper_longer",),
        ("schedule.iterations=63999",), ("schedule.milestones=[32000]",), ("schedule.factor=0.2",),
        ("schedule.warmup.from_depth=20",),
        ("model.depth=110", "schedule.warmup=null"), ("model.depth=110", "schedule.warmup.lr=0.02"),
        ("model.depth=110", "schedule.warmup.below=50"), ("model.depth=110", "schedule.warmup.window=10"),
        ("model.depth=110", "schedule.warmup.max_iterations=32000"),
        ("model.depth=110", "schedule.warmup.max_iterations=1"),
    ],
)  # fmt: skip
def test_each_deviation_is_compared_with_nothing(protocol_runs, overrides):
    assert follows_cifar10_protocol(protocol_runs("paper", *overrides)).tolist() == [False]


@pytest.mark.parametrize(
    ("experiment", "overrides", "expected"),
    [
        ("paper", ("optim.lr=0.05",), ["optim.lr is 0.05, the paper's protocol has 0.1"]),
        ("paper", ("model.bn_parts=4",), ["model.bn_parts is 4, the paper's protocol has 1 or 2"]),
        ("paper", ("model=constructed", "model.depth=56"), ["model.grown_from is 20, the paper's protocol has null"]),
        ("paper", ("optim.lr=0.05", "optim.momentum=0.8"),
         ["optim.lr is 0.05, the paper's protocol has 0.1", "optim.momentum is 0.8, the paper's protocol has 0.9"]),
        ("paper", ("model.depth=110", "schedule.warmup=null"), ["schedule.warmup is null, the paper's protocol has null"
         " below 110 layers, and from there on lr 0.01 until the training error is below 80 %"]),
        ("paper", ("model.depth=110", "schedule.warmup.lr=0.02"), ["schedule.warmup is lr 0.02, below 80, window 100,"
         " max_iterations 2000, the paper's protocol has null below 110 layers, and from there on lr 0.01 until the"
         " training error is below 80 %"]),
        ("imagenet", ("model.bn_parts=16",), ["model.bn_parts is 16, the paper's protocol has 1 or 2 or 4 or 8"]),
        ("imagenet", ("schedule.plateau=null",), ["schedule.plateau is null, the paper's protocol has a learning-rate drop"
         " when the error stops falling"]),
        ("paper", (), []), ("imagenet", (), []), ("paper", ("data=cifar100", "optim.lr=0.05"), []),
    ],
)  # fmt: skip
def test_what_departs_from_the_protocol_is_named(protocol_runs, experiment, overrides, expected):
    assert find_departures(protocol_runs(experiment, *overrides)) == expected


def test_each_value_that_departs_is_named_once(protocol_runs):
    parts = [
        protocol_runs("paper", *one)
        for one in ((), ("optim.lr=0.05",), ("optim.lr=0.05", "seed=1"))
    ]
    parts.append(protocol_runs("paper", "optim.lr=0.2", "model.depth=110"))
    assert find_departures(pd.concat(parts, ignore_index=True)) == [
        "optim.lr is 0.05, the paper's protocol has 0.1",
        "optim.lr is 0.2, the paper's protocol has 0.1",
    ]


def test_a_value_that_no_record_has_is_named(protocol_runs):
    runs = protocol_runs("paper").drop(columns="config.optim.weight_decay")
    assert find_departures(runs) == ["optim.weight_decay is null, the paper's protocol has 0.0001"]


def test_a_rate_lowered_at_a_plateau_is_another_protocol(protocol_runs):
    assert follows_cifar10_protocol(
        protocol_runs("paper").assign(**{"config.schedule.plateau.patience": 6})
    ).tolist() == [False]


def test_a_jpeg_edition_is_never_compared_even_where_all_else_agrees(protocol_runs):
    runs = protocol_runs("paper")
    assert follows_cifar10_protocol(
        runs.assign(**{"config.data.name": "image_folder"})
    ).tolist() == [False]


def test_records_of_several_ages_and_depths_stand_in_one_frame(protocol_runs):
    """A key of a newer record is NaN in an older one's row; a warm-up's in a shallow net's."""
    parts = [
        protocol_runs("paper", *one)
        for one in ((), ("model.depth=110",), ("model.bn_parts=2",), ("data.validation=5000",))
    ]
    assert follows_cifar10_protocol(pd.concat(parts, ignore_index=True)).tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_a_record_that_does_not_tell_a_value_is_not_compared(protocol_runs):
    runs = protocol_runs("paper")
    assert follows_cifar10_protocol(runs.drop(columns="config.optim.weight_decay")).tolist() == [
        False
    ]
    assert follows_cifar10_protocol(runs.iloc[:0]).tolist() == []


def test_imagenet_as_the_paper_trained_it(protocol_runs):
    for overrides in ((), ("model=imagenet_plain",), ("model.shortcut=C",),
                      ("model.block=bottleneck", "model.depth=50"),
                      ("model.block=bottleneck", "model.depth=152", "model.bottleneck_stride=1x1")):  # fmt: skip
        runs = protocol_runs("imagenet", *overrides)
        assert follows_imagenet_protocol(runs).tolist() == [True]
        assert follows_cifar10_protocol(runs).tolist() == [False]


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_imagenets_batch_may_be_cut_into_parts_of_32(protocol_runs, parts):
    """As on eight GPUs, in the authors' next paper; see the comment in reference.py."""
    assert follows_imagenet_protocol(
        protocol_runs("imagenet", f"model.bn_parts={parts}")
    ).tolist() == [True]


def test_documented_torchrun_command_is_compared(protocol_runs):
    page = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
    command = re.search(r"torchrun --.*?\n\n", page, re.DOTALL)
    words = re.findall(r"[\w.]+=\S+", command[0])
    assert "model.bn_parts=8" in words
    assert follows_imagenet_protocol(protocol_runs("imagenet", *words)).tolist() == [True]


@pytest.mark.parametrize(
    "override",
    ["model.bn_parts=16", "optim.batch_size=128", "optim.lr=0.01", "schedule.plateau=null", "model.width=32",
     "optim.weight_decay=0", "optim.momentum=0.8", "schedule.iterations=1000", "schedule.milestones=[300000]",
     "data.stream.scale=[256, 256]",
     "data.stream.colour=0", "data.stream.test_scale=224", "data.flip=false", "model.order=pre"],
)  # fmt: skip
def test_imagenet_otherwise_is_compared_with_nothing(protocol_runs, override):
    assert follows_imagenet_protocol(protocol_runs("imagenet", override)).tolist() == [False]


def test_no_key_of_the_configuration_escapes_the_protocols(compose_config):
    """A key that is added to the schema gets a place here: settled, open, or without effect on the comparison."""
    free = {"data.root", "data.margin", "data.size", "data.stream", "data.stream.ten_crop", "data.stream.workers",
            "data.stream.train_evaluated", "model.depth", "schedule.evaluate_every", "schedule.snapshots",
            "precision.channels_last"}  # fmt: skip
    by_functions = ("model.grown_from", "schedule.warmup", "schedule.plateau")
    for overrides, allowed in ((("data=cifar10", "schedule=paper"), CIFAR10),
                               (("data=imagenet", "data.root=x", "schedule=imagenet"), IMAGENET)):  # fmt: skip
        whole = asdict(compose_config(*overrides))
        groups = {name: whole[name] for name in ("data", "model", "optim", "schedule", "precision")}
        keys = {key.removeprefix("config.") for key in config_columns(groups)}
        assert {
            key for key in keys - allowed.keys() - free if not key.startswith(by_functions)
        } == set()
    assert ANY.keys() <= CIFAR10.keys() & IMAGENET.keys()
