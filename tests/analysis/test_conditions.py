"""Runs that differ in more than family, depth and seed are never averaged together."""

import pytest

from analysis.conditions import list_conditions
from analysis.frame import load
from degradation.records.schema import State
from tests.support.conditions import (
    WARMUP,
    assert_no_seed_is_repeated,
    build_config_columns,
    collect_run_ids,
    join_named,
    list_labels,
    list_networks,
)
from tests.support.records import CONFIG, write_record


def test_constructed_networks_of_other_parents_are_separate():
    """Their parents had different warm-ups.

    Networks trained from scratch belong to both conditions.
    """
    frame = join_named(
        ("scratch", {"plain": {20: [1.0], 110: [60.0]}}, build_config_columns()),
        (
            "one",
            {"constructed": {116: [1.0]}},
            build_config_columns(**{"parent.schedule.warmup.lr": 0.01}),
        ),
        (
            "other",
            {"constructed": {116: [2.0]}},
            build_config_columns(**{"parent.schedule.warmup.lr": 0.02}),
        ),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["one:constructed-116", "scratch:plain-110", "scratch:plain-20"],
        ["other:constructed-116", "scratch:plain-110", "scratch:plain-20"],
    ]


@pytest.mark.parametrize(
    "group", ["schedule.plateau.patience", "data.stream.crop", "data.size", "model.new_key"]
)
def test_null_is_a_value_in_every_other_group(group):
    frame = join_named(
        ("with", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns(**{group: 6})),
        ("without", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns()),
    )
    assert_no_seed_is_repeated(frame)
    assert len(list_conditions(frame)) == 2


def test_plain_networks_join_every_shortcut_and_warmup():
    """Two shortcuts with the warm-up on and off make four conditions.

    None of them has plain networks only.
    """
    shortcuts = {"config.model.shortcut": "B"}
    frame = join_named(
        (
            "cold",
            {"plain": {20: [1.0], 110: [60.0]}, "residual": {20: [1.0], 110: [1.0]}},
            build_config_columns(),
        ),
        ("cold B", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns() | shortcuts),
        ("warm", {"plain": {110: [60.0]}, "residual": {110: [1.0]}}, build_config_columns(WARMUP)),
        ("warm B", {"residual": {110: [1.0]}}, build_config_columns(WARMUP) | shortcuts),
    )
    assert_no_seed_is_repeated(frame)
    conditions = list_networks(frame)
    assert len(conditions) == 4
    for networks in conditions:
        names = {network.split(":")[1] for network in networks}
        assert names == {"plain-20", "plain-110", "residual-20", "residual-110"}


def test_runs_with_different_learning_rates_are_not_mixed(tmp_path):
    expected = [
        write_record(tmp_path, f"{lr}-{seed}", State.DONE, seed=seed, optim={"lr": lr})
        for lr in (0.1, 0.01)
        for seed in (0, 1)
    ]
    conditions = list_conditions(load(tmp_path, expected))
    assert [
        (condition.label, len(condition.frame.runs), len(condition.frame.curves))
        for condition in conditions
    ] == [
        ("learning rate 0.01", 2, 4),
        ("learning rate 0.1", 2, 4),
    ]


def test_plain_networks_are_compared_with_each_shortcut(tmp_path):
    expected = [write_record(tmp_path, "plain", State.DONE)]
    for shortcut in "AB":
        model = {"depth": 20, "shortcut": shortcut}
        run = write_record(tmp_path, f"r-{shortcut}", State.DONE, family="residual", model=model)
        expected.append(run)
    conditions = list_conditions(load(tmp_path, expected))
    assert [
        (condition.label, sorted(condition.frame.runs["run_id"])) for condition in conditions
    ] == [
        ("shortcut A", ["plain", "r-A"]),
        ("shortcut B", ["plain", "r-B"]),
    ]


def test_missing_runs_have_a_condition_too(tmp_path):
    expected = []
    for seed in (0, 1):
        run = write_record(tmp_path, f"s{seed}", State.DONE, seed=seed, optim={"lr": 0.01})
        config = {**CONFIG, "seed": seed, "optim": {"lr": 0.1}}
        missing = {"run_id": f"m{seed}", "family": "plain", "config": config}
        expected += [run, missing]
    conditions = list_conditions(load(tmp_path, expected))
    assert [
        (condition.label, condition.frame.runs["state"].unique().tolist())
        for condition in conditions
    ] == [
        ("learning rate 0.01", ["done"]),
        ("learning rate 0.1", ["missing"]),
    ]


def test_every_run_belongs_to_a_condition(build_frame):
    """A plain network fits any shortcut, but no residual network has this one's rate."""
    errors = {"plain": {20: [1.0]}, "residual": {20: [1.0, 2.0]}}
    frame = build_frame(errors, **{"config.optim.lr": 0.1})
    residual = frame.runs["family"] == "residual"
    frame.runs.loc[residual, "config.model.shortcut"] = ["A", "B"]
    frame.runs.loc[~residual, "config.optim.lr"] = 0.01
    assert len(list_conditions(frame)) == 3
    assert collect_run_ids(frame) == set(frame.runs["run_id"])


def test_null_is_a_value_like_any_other(build_frame):
    frame = build_frame({"plain": {20: [1.0, 2.0]}}, **{"config.data.size": None})
    frame.runs["config.data.size"] = [None, 32]
    labels = list_labels(frame)
    assert sorted(labels) == ["image size 32", "original image size"]


def test_plain_networks_join_every_value_of_an_option_they_lack():
    """A plain network that has the option is a network of its own."""
    frame = join_named(
        ("plain", {"plain": {20: [1.0]}}, build_config_columns()),
        ("half", {"residual": {20: [1.0]}}, build_config_columns(**{"model.options.scale": 0.5})),
        ("one", {"residual": {20: [1.0]}}, build_config_columns(**{"model.options.scale": 1.0})),
        ("gated", {"plain": {20: [1.0]}}, build_config_columns(**{"model.options.scale": 1.0})),
    )
    assert list_networks(frame) == [
        ["half:residual-20", "plain:plain-20"],
        ["gated:plain-20", "one:residual-20", "plain:plain-20"],
    ]
    labels = list_labels(frame)
    assert labels == ["scale 0.5", "scale 1"]


@pytest.mark.parametrize("text", ["null", "none"])
def test_text_that_reads_like_nothing_is_a_value(text):
    """A plain network without the option fits any value of it; one with the text has a value."""
    frame = join_named(
        ("null", {"plain": {20: [1.0]}, "residual": {20: [1.0]}}, {"config.model.options.n": text}),
        ("batch", {"residual": {20: [1.0]}}, {"config.model.options.n": "batch"}),
        ("lacks", {"plain": {20: [1.0]}}, {"config.model.options.n": None}),
    )
    conditions = list_conditions(frame)
    assert {
        condition.label: sorted(condition.frame.runs["run_id"]) for condition in conditions
    } == {
        "n batch": ["batch:residual-d20-s0", "lacks:plain-d20-s0"],
        f"n {text}": ["lacks:plain-d20-s0", "null:plain-d20-s0", "null:residual-d20-s0"],
    }
