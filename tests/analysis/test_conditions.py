"""Runs that differ in more than family, depth and seed are never averaged together."""

import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.condition_labels import NULL, format_values, label_conditions, name_key
from analysis.conditions import find_varying_keys, split_by_condition
from analysis.frame import load
from degradation.records.schema import State
from tests.support.frames import join_frames
from tests.support.records import CONFIG, write_record

WARMUP = {"lr": 0.01, "below": 80.0, "window": 100, "max_iterations": 400}
OTHER_WARMUP = WARMUP | {"max_iterations": 2000}
BY_ERROR = WARMUP | {"max_iterations": None}


def build_config_columns(warmup=None, **keys):
    """Return columns of a configuration; `warmup` is a group of keys, or None."""
    group = {f"config.schedule.warmup.{key}": value for key, value in (warmup or {}).items()}
    return {
        "config.schedule.warmup": None,
        **group,
        **{f"config.{key}": value for key, value in keys.items()},
    }


@pytest.fixture
def joined(build_frame):
    """(name, families, columns) triples -> one frame of all their runs; ids begin with the name."""

    def join(*sets):
        frames = [build_frame(errors, **columns) for _, errors, columns in sets]
        return join_frames(frames, [name for name, _, _ in sets])

    return join


def list_networks(frame):
    """Return the networks of each condition, such as `warm:residual-110`, without their seeds."""
    conditions = []
    for _, condition in split_by_condition(frame):
        runs = condition.runs
        prefixes = runs["run_id"].str.split(":").str[0]
        networks = prefixes + ":" + runs["family"] + "-" + runs["depth"].astype(str)
        conditions.append(sorted(set(networks)))
    return conditions


def collect_run_ids(frame):
    """Return the ids of all runs that belong to a condition."""
    return set().union(*(condition.runs["run_id"] for _, condition in split_by_condition(frame)))


def assert_no_seed_is_repeated(frame):
    """Every run is in a condition, and no condition has two runs of one network and seed."""
    assert collect_run_ids(frame) == set(frame.runs["run_id"])
    for _, condition in split_by_condition(frame):
        assert not condition.runs.duplicated(["family", "depth", "seed"]).any()


def test_warmup_that_is_off_is_another_condition(joined):
    """Averaging over both would contradict 'no degradation' by 30 points."""
    frame = joined(
        (
            "cold",
            {"residual": {20: [0.5, 0.6, 0.7], 110: [60.0, 61.0, 62.0]}},
            build_config_columns(),
        ),
        ("warm", {"residual": {110: [0.4, 0.5, 0.6]}}, build_config_columns(WARMUP)),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["cold:residual-20", "warm:residual-110"],
        ["cold:residual-110", "cold:residual-20"],
    ]
    assert [label for label, _ in split_by_condition(frame)] == [
        "warm-up at learning rate 0.01",
        "no warm-up",
    ]
    (_, warm), (_, cold) = split_by_condition(frame)
    verdicts = [judge(condition.runs, 2.0)[1].verdict for condition in (warm, cold)]
    assert verdicts == [Verdict.REPRODUCED, Verdict.CONTRADICTED]
    assert "+60.40" in judge(cold.runs, 2.0)[1].decisive_line


def test_networks_too_shallow_for_a_warmup_join_those_with_one(joined):
    frame = joined(
        (
            "short",
            {"plain": {20: [1.0, 2.0], 56: [5.0, 6.0]}, "residual": {20: [1.0, 1.0]}},
            build_config_columns(),
        ),
        (
            "warm",
            {"plain": {110: [60.0, 70.0]}, "residual": {110: [0.5, 0.6]}},
            build_config_columns(WARMUP),
        ),
    )
    assert find_varying_keys(frame.runs) == []
    assert [label for label, _ in split_by_condition(frame)] == [""]


@pytest.mark.parametrize("depth", [56, 110])
def test_deep_network_without_warmup_has_it_switched_off(joined, depth):
    frame = joined(
        ("cold", {"residual": {20: [1.0], depth: [1.0]}}, build_config_columns()),
        ("warm", {"residual": {56: [0.5], 110: [0.5]}}, build_config_columns(WARMUP)),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["cold:residual-20", "warm:residual-110", "warm:residual-56"],
        sorted(["cold:residual-20", f"cold:residual-{depth}"]),
    ]


def test_warmups_of_different_lengths_are_separate(joined):
    """The shallow networks belong to both conditions."""
    frame = joined(
        ("short", {"residual": {20: [1.0]}}, build_config_columns()),
        ("one", {"residual": {110: [0.5]}}, build_config_columns(WARMUP)),
        ("other", {"residual": {110: [0.6]}}, build_config_columns(OTHER_WARMUP)),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["one:residual-110", "short:residual-20"],
        ["other:residual-110", "short:residual-20"],
    ]


def test_null_inside_a_warmup_is_a_value(joined):
    """A warm-up without a limit differs from one that ends after 400 iterations at the latest."""
    frame = joined(
        ("short", {"residual": {20: [1.0]}}, build_config_columns()),
        ("limited", {"residual": {110: [0.5]}}, build_config_columns(WARMUP)),
        ("open", {"residual": {110: [0.6]}}, build_config_columns(BY_ERROR)),
    )
    assert find_varying_keys(frame.runs) == ["config.schedule.warmup.max_iterations"]
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["limited:residual-110", "short:residual-20"],
        ["open:residual-110", "short:residual-20"],
    ]


def test_depth_of_a_warmup_may_differ_between_rates(joined):
    """It applies to 110 or more layers at rate 0.1 (56 are too few), and to 56 or more at 0.2."""
    frame = joined(
        ("a", {"residual": {56: [1.0]}}, build_config_columns(**{"optim.lr": 0.1})),
        ("a", {"residual": {110: [0.5]}}, build_config_columns(WARMUP, **{"optim.lr": 0.1})),
        (
            "b",
            {"residual": {56: [1.0], 110: [0.5]}},
            build_config_columns(WARMUP, **{"optim.lr": 0.2}),
        ),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["a:residual-110", "a:residual-56"],
        ["b:residual-110", "b:residual-56"],
    ]
    assert "config.schedule.warmup.lr" in find_varying_keys(
        frame.runs
    )  # so no comparison takes the rate for the only difference


def test_warmup_at_one_rate_only_is_no_rate_comparison(joined):
    frame = joined(
        ("a", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns(**{"optim.lr": 0.1})),
        ("b", {"residual": {20: [1.0]}}, build_config_columns(**{"optim.lr": 0.2})),
        ("b", {"residual": {110: [0.5]}}, build_config_columns(WARMUP, **{"optim.lr": 0.2})),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["a:residual-110", "a:residual-20"],
        ["b:residual-110", "b:residual-20"],
    ]
    assert "config.schedule.warmup.lr" in find_varying_keys(frame.runs)


def test_constructed_network_has_no_warmup_at_any_depth(joined):
    """It has no shortcut either, and belongs to the conditions with and without a warm-up."""
    frame = joined(
        ("short", {"plain": {20: [1.0]}}, build_config_columns()),
        ("warm", {"plain": {110: [60.0]}}, build_config_columns(WARMUP)),
        ("grown", {"constructed": {110: [1.0]}}, build_config_columns()),
    )
    assert find_varying_keys(frame.runs) == []
    cold = joined(
        ("short", {"plain": {20: [1.0]}}, build_config_columns()),
        ("cold", {"plain": {110: [60.0]}}, build_config_columns()),
        ("warm", {"plain": {110: [60.0]}}, build_config_columns(WARMUP)),
        ("grown", {"constructed": {110: [1.0]}}, build_config_columns()),
    )
    assert_no_seed_is_repeated(cold)
    assert list_networks(cold) == [
        ["grown:constructed-110", "short:plain-20", "warm:plain-110"],
        ["cold:plain-110", "grown:constructed-110", "short:plain-20"],
    ]


def test_constructed_networks_of_other_parents_are_separate(joined):
    """Their parents had different warm-ups.

    Networks trained from scratch belong to both conditions.
    """
    frame = joined(
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
def test_null_is_a_value_in_every_other_group(joined, group):
    frame = joined(
        ("with", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns(**{group: 6})),
        ("without", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns()),
    )
    assert_no_seed_is_repeated(frame)
    assert len(split_by_condition(frame)) == 2


def test_plain_networks_join_every_shortcut_and_warmup(joined):
    """Two shortcuts with the warm-up on and off make four conditions.

    None of them has plain networks only.
    """
    shortcuts = {"config.model.shortcut": "B"}
    frame = joined(
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
    conditions = split_by_condition(load(tmp_path, expected))
    assert [
        (label, len(condition.runs), len(condition.curves)) for label, condition in conditions
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
    conditions = split_by_condition(load(tmp_path, expected))
    assert [(label, sorted(condition.runs["run_id"])) for label, condition in conditions] == [
        ("shortcut A", ["plain", "r-A"]),
        ("shortcut B", ["plain", "r-B"]),
    ]


def test_optimisers_and_shapes_are_conditions_with_names(tmp_path):
    """Records that lack the keys were trained with SGD and with drops."""
    cosine = {**CONFIG["schedule"], "shape": "cosine", "milestones": []}
    expected = [
        write_record(tmp_path, "old", State.DONE, optim={"lr": 0.01}),
        write_record(tmp_path, "adam", State.DONE, optim={"lr": 0.001, "name": "adam"}),
        write_record(tmp_path, "cosine", State.DONE, optim={"lr": 0.01}, schedule=cosine),
    ]
    conditions = split_by_condition(load(tmp_path, expected))
    assert {label: list(condition.runs["run_id"]) for label, condition in conditions} == {
        "optimiser adam, step schedule": ["adam"],
        "optimiser sgd, cosine schedule": ["cosine"],
        "optimiser sgd, step schedule": ["old"],
    }


def test_missing_runs_have_a_condition_too(tmp_path):
    expected = []
    for seed in (0, 1):
        run = write_record(tmp_path, f"s{seed}", State.DONE, seed=seed, optim={"lr": 0.01})
        config = {**CONFIG, "seed": seed, "optim": {"lr": 0.1}}
        missing = {"run_id": f"m{seed}", "family": "plain", "config": config}
        expected += [run, missing]
    conditions = split_by_condition(load(tmp_path, expected))
    assert [
        (label, condition.runs["state"].unique().tolist()) for label, condition in conditions
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
    assert len(split_by_condition(frame)) == 3
    assert collect_run_ids(frame) == set(frame.runs["run_id"])


def test_null_is_a_value_like_any_other(build_frame):
    frame = build_frame({"plain": {20: [1.0, 2.0]}}, **{"config.data.size": None})
    frame.runs["config.data.size"] = [None, 32]
    labels = [label for label, _ in split_by_condition(frame)]
    assert sorted(labels) == ["image size 32", "original image size"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ({"model.width": [16, 32]}, ["width 16", "width 32"]),
        ({"data.flip": [True, False]}, ["flip true", "flip false"]),
        ({"data.stream.crop": [224.0, NULL]}, ["stream crop 224", "no stream crop"]),
        (
            {"optim.lr": [0.01, 0.001, 0.001], "optim.name": ["sgd", "adam", "adamw"]},
            ["optimiser sgd", "optimiser adam", "optimiser adamw"],
        ),
        (
            {
                "schedule.milestones": ["[200, 300]", "[]", "[]"],
                "schedule.shape": ["step", "cosine", "step"],
            },
            [
                "learning-rate drops at [200, 300], step schedule",
                "no learning-rate drops, cosine schedule",
                "no learning-rate drops, step schedule",
            ],
        ),
        (
            {"schedule.linear_warmup": [0, 20]},
            ["no linear warm-up", "linear warm-up over 20 iterations"],
        ),
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


def test_plain_networks_join_every_value_of_an_option_they_lack(joined):
    """A plain network that has the option is a network of its own."""
    frame = joined(
        ("plain", {"plain": {20: [1.0]}}, build_config_columns()),
        ("half", {"residual": {20: [1.0]}}, build_config_columns(**{"model.options.scale": 0.5})),
        ("one", {"residual": {20: [1.0]}}, build_config_columns(**{"model.options.scale": 1.0})),
        ("gated", {"plain": {20: [1.0]}}, build_config_columns(**{"model.options.scale": 1.0})),
    )
    assert list_networks(frame) == [
        ["half:residual-20", "plain:plain-20"],
        ["gated:plain-20", "one:residual-20", "plain:plain-20"],
    ]
    labels = [label for label, _ in split_by_condition(frame)]
    assert labels == ["scale 0.5", "scale 1"]


@pytest.mark.parametrize("text", ["null", "none"])
def test_text_that_reads_like_nothing_is_a_value(joined, text):
    """A plain network without the option fits any value of it; one with the text has a value."""
    frame = joined(
        ("null", {"plain": {20: [1.0]}, "residual": {20: [1.0]}}, {"config.model.options.n": text}),
        ("batch", {"residual": {20: [1.0]}}, {"config.model.options.n": "batch"}),
        ("lacks", {"plain": {20: [1.0]}}, {"config.model.options.n": None}),
    )
    conditions = split_by_condition(frame)
    assert {label: sorted(condition.runs["run_id"]) for label, condition in conditions} == {
        "n batch": ["batch:residual-d20-s0", "lacks:plain-d20-s0"],
        f"n {text}": ["lacks:plain-d20-s0", "null:plain-d20-s0", "null:residual-d20-s0"],
    }


def test_null_and_the_text_null_have_two_labels():
    table = pd.DataFrame({"config.model.options.n": [NULL, "null"]})
    assert label_conditions(table) == ["no n", "n null"]


def test_conditions_are_named_by_the_keys_that_lead(joined):
    runs = {"plain": {20: [1.0]}}
    frame = joined(
        ("sgd", runs, build_config_columns(**{"optim.lr": 0.1, "optim.name": "sgd"})),
        ("adam", runs, build_config_columns(**{"optim.lr": 0.001, "optim.name": "adam"})),
    )
    labels = [label for label, _ in split_by_condition(frame)]
    assert sorted(labels) == ["optimiser adam", "optimiser sgd"]


@pytest.mark.parametrize(
    ("key", "values", "labels"),
    [
        (
            "optim.name",
            [("sgd", 0.1), ("sgd", 0.2), ("adam", 0.001)],
            ["optimiser sgd, learning rate 0.1", "optimiser sgd, learning rate 0.2"],
        ),
        (
            "data.name",
            [("digits", 0.1), ("digits", 0.2), ("cifar10", 0.01)],
            ["data set digits, learning rate 0.1", "data set digits, learning rate 0.2"],
        ),
    ],
)
def test_labels_name_what_a_rate_belongs_to(joined, key, values, labels):
    configs = [{f"config.{key}": name, "config.optim.lr": rate} for name, rate in values]
    frame = joined(*[("run", {"plain": {20: [1.0]}}, config) for config in configs])
    found = [label for label, _ in split_by_condition(frame)]
    assert sorted(found)[1:] == labels
    assert values[2][0] in sorted(found)[0]


def test_labels_name_an_optimiser_that_follows(joined):
    pairs = [("digits", "sgd"), ("cifar10", "adam")]
    configs = [{"config.data.name": data, "config.optim.name": name} for data, name in pairs]
    frame = joined(*[("run", {"plain": {20: [1.0]}}, config) for config in configs])
    assert sorted(label for label, _ in split_by_condition(frame)) == [
        "data set cifar10, optimiser adam",
        "data set digits, optimiser sgd",
    ]


def test_hash_of_a_users_file_is_shown_for_two_versions_only():
    texts = format_values(["mine:Block@1f2e3d4c5b6a", "basic"])
    assert list(texts.values()) == ["mine:Block", "basic"]
    texts = format_values(["mine:Block@1f2e3d4c5b6a", "mine:Block@aaaaaaaaaaaa"])
    assert list(texts.values()) == ["mine:Block@1f2e3d4c5b6a", "mine:Block@aaaaaaaaaaaa"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("optim.batch_size", "batch size"),
        ("optim.lr", "learning rate"),
        ("model.options.shortcut_scale", "shortcut scale"),
        ("parent.optim.lr", "parent optim lr"),
    ],
)
def test_keys_are_named_in_words(key, words):
    assert name_key(f"config.{key}") == words
