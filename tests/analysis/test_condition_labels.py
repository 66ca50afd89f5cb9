"""Labels of conditions: the fewest keys that distinguish them, in words."""

import pandas as pd
import pytest

from analysis.condition_labels import NULL, format_values, label_conditions, name_key
from analysis.conditions import list_conditions
from analysis.frame import load
from degradation.records.schema import State
from tests.support.conditions import build_config_columns, join_named, list_labels
from tests.support.records import CONFIG, write_record


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


def test_null_and_the_text_null_have_two_labels():
    table = pd.DataFrame({"config.model.options.n": [NULL, "null"]})
    assert label_conditions(table) == ["no n", "n null"]


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


def test_conditions_are_named_by_the_keys_that_lead():
    runs = {"plain": {20: [1.0]}}
    frame = join_named(
        ("sgd", runs, build_config_columns(**{"optim.lr": 0.1, "optim.name": "sgd"})),
        ("adam", runs, build_config_columns(**{"optim.lr": 0.001, "optim.name": "adam"})),
    )
    labels = list_labels(frame)
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
def test_labels_name_what_a_rate_belongs_to(key, values, labels):
    configs = [{f"config.{key}": name, "config.optim.lr": rate} for name, rate in values]
    frame = join_named(*[("run", {"plain": {20: [1.0]}}, config) for config in configs])
    other, *of_two_rates = sorted(list_labels(frame))
    assert of_two_rates == labels
    assert values[2][0] in other


def test_labels_name_an_optimiser_that_follows():
    pairs = [("digits", "sgd"), ("cifar10", "adam")]
    configs = [{"config.data.name": data, "config.optim.name": name} for data, name in pairs]
    frame = join_named(*[("run", {"plain": {20: [1.0]}}, config) for config in configs])
    assert sorted(list_labels(frame)) == [
        "data set cifar10, optimiser adam",
        "data set digits, optimiser sgd",
    ]


def test_optimisers_and_shapes_are_conditions_with_names(tmp_path):
    """Records that lack the keys were trained with SGD and with drops."""
    cosine = {**CONFIG["schedule"], "shape": "cosine", "milestones": []}
    expected = [
        write_record(tmp_path, "old", State.DONE, optim={"lr": 0.01}),
        write_record(tmp_path, "adam", State.DONE, optim={"lr": 0.001, "name": "adam"}),
        write_record(tmp_path, "cosine", State.DONE, optim={"lr": 0.01}, schedule=cosine),
    ]
    conditions = list_conditions(load(tmp_path, expected))
    assert {condition.label: list(condition.frame.runs["run_id"]) for condition in conditions} == {
        "optimiser adam, step schedule": ["adam"],
        "optimiser sgd, cosine schedule": ["cosine"],
        "optimiser sgd, step schedule": ["old"],
    }
