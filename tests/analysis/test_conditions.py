"""What is averaged together: nothing that differs in more than family, depth and seed."""

import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.condition_labels import label_conditions
from analysis.conditions import find_varying_keys, split_by_condition
from tests.support.frames import join_frames

WARMUP = {"lr": 0.01, "below": 80.0, "window": 100, "max_iterations": 400}
OTHER_WARMUP = WARMUP | {"max_iterations": 2000}
BY_ERROR = WARMUP | {"max_iterations": None}


def config_of(warmup=None, **keys):
    """Columns of a record's configuration; `warmup`: a group of keys, or null."""
    group = {f"config.schedule.warmup.{key}": value for key, value in (warmup or {}).items()}
    return {
        "config.schedule.warmup": None,
        **group,
        **{f"config.{key}": value for key, value in keys.items()},
    }


@pytest.fixture
def joined(frame_of):
    """(name, families, columns) triples -> one frame of all their runs; ids begin with the name."""

    def join(*sets):
        frames = [frame_of(errors, **columns) for _, errors, columns in sets]
        return join_frames(frames, [name for name, _, _ in sets])

    return join


def parts_of(frame):
    """The nets of each part, such as `warm:residual-110`, without their seeds."""
    return [
        sorted(
            {
                f"{run['run_id'].split(':')[0]}:{run['family']}-{run['depth']}"
                for run in part.runs.to_dict("records")
            }
        )
        for _, part in split_by_condition(frame)
    ]


def assert_nothing_twice(frame):
    parts = split_by_condition(frame)
    assert {run for _, part in parts for run in part.runs["run_id"]} == set(frame.runs["run_id"])
    for _, part in parts:
        assert not part.runs.duplicated(["family", "depth", "seed"]).any()


def test_a_warmup_switched_off_is_another_condition(joined):
    """Averaged with it, the nets that need it would contradict 'no degradation' by 30 points."""
    frame = joined(
        ("cold", {"residual": {20: [0.5, 0.6, 0.7], 110: [60.0, 61.0, 62.0]}}, config_of()),
        ("warm", {"residual": {110: [0.4, 0.5, 0.6]}}, config_of(WARMUP)),
    )
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["cold:residual-20", "warm:residual-110"],
        ["cold:residual-110", "cold:residual-20"],
    ]
    assert [label for label, _ in split_by_condition(frame)] == [
        "warm-up at learning rate 0.01",
        "no warm-up",
    ]
    (_, warm), (_, cold) = split_by_condition(frame)
    verdicts = [judge(part.runs, 2.0)[1].verdict for part in (warm, cold)]
    assert verdicts == [Verdict.REPRODUCED, Verdict.CONTRADICTED]
    assert "+60.40" in judge(cold.runs, 2.0)[1].decisive


def test_a_net_too_shallow_for_a_warmup_stands_beside_warm_ones(joined):
    frame = joined(
        (
            "short",
            {"plain": {20: [1.0, 2.0], 56: [5.0, 6.0]}, "residual": {20: [1.0, 1.0]}},
            config_of(),
        ),
        ("warm", {"plain": {110: [60.0, 70.0]}, "residual": {110: [0.5, 0.6]}}, config_of(WARMUP)),
    )
    assert find_varying_keys(frame.runs) == []
    assert [label for label, _ in split_by_condition(frame)] == [""]


@pytest.mark.parametrize("depth", [56, 110])
def test_a_net_as_deep_as_a_warm_one_has_it_switched_off(joined, depth):
    frame = joined(
        ("cold", {"residual": {20: [1.0], depth: [1.0]}}, config_of()),
        ("warm", {"residual": {56: [0.5], 110: [0.5]}}, config_of(WARMUP)),
    )
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["cold:residual-20", "warm:residual-110", "warm:residual-56"],
        sorted(["cold:residual-20", f"cold:residual-{depth}"]),
    ]


def test_warmups_of_different_lengths_are_apart(joined):
    """Each has the shallow nets beside it."""
    frame = joined(
        ("short", {"residual": {20: [1.0]}}, config_of()),
        ("one", {"residual": {110: [0.5]}}, config_of(WARMUP)),
        ("other", {"residual": {110: [0.6]}}, config_of(OTHER_WARMUP)),
    )
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["one:residual-110", "short:residual-20"],
        ["other:residual-110", "short:residual-20"],
    ]


def test_a_null_inside_a_warmup_is_a_value(joined):
    """A warm-up that ends by the error alone is not one that ends after 400 iterations too."""
    frame = joined(
        ("short", {"residual": {20: [1.0]}}, config_of()),
        ("limited", {"residual": {110: [0.5]}}, config_of(WARMUP)),
        ("open", {"residual": {110: [0.6]}}, config_of(BY_ERROR)),
    )
    assert find_varying_keys(frame.runs) == ["config.schedule.warmup.max_iterations"]
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["limited:residual-110", "short:residual-20"],
        ["open:residual-110", "short:residual-20"],
    ]


def test_how_deep_a_warmup_begins_may_differ_between_rates(joined):
    """At 0.1 from 110 layers on, at 0.2 from 56 on: at 0.1 a 56-layer net is too shallow for it."""
    frame = joined(
        ("a", {"residual": {56: [1.0]}}, config_of(**{"optim.lr": 0.1})),
        ("a", {"residual": {110: [0.5]}}, config_of(WARMUP, **{"optim.lr": 0.1})),
        ("b", {"residual": {56: [1.0], 110: [0.5]}}, config_of(WARMUP, **{"optim.lr": 0.2})),
    )
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["a:residual-110", "a:residual-56"],
        ["b:residual-110", "b:residual-56"],
    ]
    assert "config.schedule.warmup.lr" in find_varying_keys(
        frame.runs
    )  # so no comparison takes the rate for the only difference


def test_a_warmup_at_one_rate_alone_is_no_comparison_of_rates(joined):
    frame = joined(
        ("a", {"residual": {20: [1.0], 110: [1.0]}}, config_of(**{"optim.lr": 0.1})),
        ("b", {"residual": {20: [1.0]}}, config_of(**{"optim.lr": 0.2})),
        ("b", {"residual": {110: [0.5]}}, config_of(WARMUP, **{"optim.lr": 0.2})),
    )
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["a:residual-110", "a:residual-20"],
        ["b:residual-110", "b:residual-20"],
    ]
    assert "config.schedule.warmup.lr" in find_varying_keys(frame.runs)


def test_a_constructed_net_has_no_warmup_at_any_depth(joined):
    """Nor has it a shortcut; it stands beside the nets with a warm-up and beside those without."""
    frame = joined(
        ("short", {"plain": {20: [1.0]}}, config_of()),
        ("warm", {"plain": {110: [60.0]}}, config_of(WARMUP)),
        ("grown", {"constructed": {110: [1.0]}}, config_of()),
    )
    assert find_varying_keys(frame.runs) == []
    cold = joined(
        ("short", {"plain": {20: [1.0]}}, config_of()),
        ("cold", {"plain": {110: [60.0]}}, config_of()),
        ("warm", {"plain": {110: [60.0]}}, config_of(WARMUP)),
        ("grown", {"constructed": {110: [1.0]}}, config_of()),
    )
    assert_nothing_twice(cold)
    assert parts_of(cold) == [
        ["grown:constructed-110", "short:plain-20", "warm:plain-110"],
        ["cold:plain-110", "grown:constructed-110", "short:plain-20"],
    ]


def test_constructed_nets_of_other_parents_are_apart(joined):
    """Their parents had other warm-ups; nets from scratch stand beside each."""
    frame = joined(
        ("scratch", {"plain": {20: [1.0], 110: [60.0]}}, config_of()),
        ("one", {"constructed": {116: [1.0]}}, config_of(**{"parent.schedule.warmup.lr": 0.01})),
        ("other", {"constructed": {116: [2.0]}}, config_of(**{"parent.schedule.warmup.lr": 0.02})),
    )
    assert_nothing_twice(frame)
    assert parts_of(frame) == [
        ["one:constructed-116", "scratch:plain-110", "scratch:plain-20"],
        ["other:constructed-116", "scratch:plain-110", "scratch:plain-20"],
    ]


@pytest.mark.parametrize(
    "group", ["schedule.plateau.patience", "data.stream.crop", "data.size", "model.new_key"]
)
def test_null_is_a_value_in_every_other_group(joined, group):
    frame = joined(
        ("with", {"residual": {20: [1.0], 110: [1.0]}}, config_of(**{group: 6})),
        ("without", {"residual": {20: [1.0], 110: [1.0]}}, config_of()),
    )
    assert_nothing_twice(frame)
    assert len(split_by_condition(frame)) == 2


def test_plain_nets_stand_beside_every_shortcut_with_and_without_warmup(joined):
    """Two shortcuts, and a warm-up that was switched off: four conditions, and none of plain nets alone."""
    shortcuts = {"config.model.shortcut": "B"}
    frame = joined(
        (
            "cold",
            {"plain": {20: [1.0], 110: [60.0]}, "residual": {20: [1.0], 110: [1.0]}},
            config_of(),
        ),
        ("cold B", {"residual": {20: [1.0], 110: [1.0]}}, config_of() | shortcuts),
        ("warm", {"plain": {110: [60.0]}, "residual": {110: [1.0]}}, config_of(WARMUP)),
        ("warm B", {"residual": {110: [1.0]}}, config_of(WARMUP) | shortcuts),
    )
    assert_nothing_twice(frame)
    parts = parts_of(frame)
    assert len(parts) == 4
    assert all({"plain-20", "plain-110", "residual-20", "residual-110"} == {net.split(":")[1] for net in part}
               for part in parts)  # fmt: skip


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ({"model.width": [16, 32]}, ["width 16", "width 32"]),
        ({"data.flip": [True, False]}, ["flip true", "flip false"]),
        ({"data.stream.crop": [224.0, "null"]}, ["stream crop 224", "no stream crop"]),
        ({"parent.optim.lr": [0.1, 0.2]}, ["parent optim lr 0.1", "parent optim lr 0.2"]),
        ({"model.width": [16, 32], "optim.batch_size": [64, 128]}, ["width 16", "width 32"]),
        (
            {"model.width": [16, 32, 16], "optim.batch_size": [64, 64, 128]},
            ["width 16, batch size 64", "width 32, batch size 64", "width 16, batch size 128"],
        ),
        (
            {"model.bn_parts": [1, 2], "precision.dtype": ["a", "b"]},
            ["batch normalisation in 1 parts", "batch normalisation in 2 parts"],
        ),
    ],
)
def test_labels_name_the_fewest_keys_in_words(values, labels):
    table = pd.DataFrame({f"config.{key}": column for key, column in values.items()})
    assert label_conditions(table) == labels
