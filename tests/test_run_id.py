"""Run ids are pinned, and change with every value that changes the numbers, and with no other."""

from pathlib import Path

import pandas as pd
import pytest

from degradation import run_id as run_id_module
from degradation.config import parent_config
from degradation.data.fingerprint import data_fingerprint
from degradation.run_id import compute_run_id
from degradation.sweep.runs import expand_runs
from tests.support.changed_keys import change_keys

PINNED = {
    (): "residual-d20-s0-89440b24",
    ("model=plain", "model.depth=56", "seed=3"): "plain-d56-s3-be84004f",
    ("experiment=paper", "model.depth=110", "seed=4"): "residual-d110-s4-b9315beb",
}
CHANGES = [
    "seed=1",
    "model.shortcut=B",
    "model.depth=26",
    "model.width=8",
    "optim.lr=0.02",
    "optim.momentum=0.8",
    "optim.weight_decay=0",
    "optim.batch_size=64",
    "schedule.iterations=401",
    "schedule.milestones=[200]",
    "schedule.factor=0.2",
    "schedule.evaluate_every=50",
    "schedule.augmented_every=400",
    "schedule.snapshots=[]",
    "schedule.linear_warmup=10",
    "schedule=cosine",
    "optim=adam",
    "optim=adamw",
    "precision=bf16",
    "precision=tf32",
    "precision.deterministic=false",
    "precision.channels_last=false",
    "data.pad=0",
    "data.flip=true",
    "data.normalisation=pixel",
    "data=cifar10",
]
ID_PRESERVING = [
    "device=cpu",
    "threads=2",
    "cuda_graphs=false",
    "record_root=elsewhere",
    "tracking=online",
    "name=mine",
    "data.root=elsewhere",
    "data.margin=1",
    "allow_device_change=true",
    "probes=none",
    "probes.early=3",
    "landscape.square=51",
    "report.titles=neutral",
]


def identifier(config):
    return compute_run_id(config, data_fingerprint(config.data))


@pytest.mark.parametrize("overrides", PINNED)
def test_ids_are_pinned(compose_config, overrides):
    assert identifier(compose_config(*overrides)) == PINNED[overrides]


@pytest.mark.parametrize("override", CHANGES)
def test_values_that_change_the_numbers_change_the_id(compose_config, override):
    assert identifier(change_keys(compose_config, override)) != identifier(compose_config())


@pytest.mark.parametrize("override", ID_PRESERVING)
def test_other_values_keep_the_id(compose_config, override):
    assert identifier(change_keys(compose_config, override)) == identifier(compose_config())


def test_id_covers_only_a_warmup_that_the_network_has(compose_config):
    with_warmup = change_keys(compose_config, "schedule=paper", "model.depth=56")
    without_warmup = change_keys(
        compose_config, "schedule=paper", "model.depth=56", "schedule.warmup=null"
    )
    assert identifier(with_warmup) == identifier(without_warmup)
    deep = [
        change_keys(compose_config, "schedule=paper", "model.depth=110", f"schedule.warmup.lr={lr}")
        for lr in (0.01, 0.02)
    ]
    assert identifier(deep[0]) != identifier(deep[1])


def test_default_of_a_later_key_keeps_older_ids(compose_config, monkeypatch):
    monkeypatch.setitem(run_id_module.HASH_DEFAULTS, "model.width", 16)
    values = run_id_module.hashed_values(compose_config(), "")
    assert "width" not in values["model"]
    assert run_id_module.hashed_values(compose_config("model.width=8"), "")["model"]["width"] == 8


def test_id_covers_the_content_of_the_data(compose_config):
    config = compose_config()
    assert compute_run_id(config, "one") != compute_run_id(config, "another")


def test_seed_zero_is_in_the_id(compose_config):
    assert "-s0-" in identifier(compose_config("seed=0"))
    assert identifier(compose_config("seed=00")) == identifier(compose_config("seed=0"))


NO_EFFECT = [
    ("optim.weight_decay=0", "optim.decay=weights"),
    ("optim.momentum=0", "optim.momentum_form=caffe"),
    ("schedule.milestones=[]", "schedule.factor=0.5"),
    ("schedule=paper model.depth=110 schedule.warmup.below=null", "schedule.warmup.window=7"),
    ("schedule=cosine", "schedule.factor=0.5"),
    ("optim=adam", "optim.momentum=0.5"),
    ("optim=adamw", "optim.momentum_form=caffe"),
]


@pytest.mark.parametrize(("base", "override"), NO_EFFECT)
def test_id_does_not_cover_a_value_without_effect(compose_config, base, override):
    base = base.split()
    assert identifier(change_keys(compose_config, *base, override)) == identifier(
        change_keys(compose_config, *base)
    )


def test_id_covers_the_way_of_resizing_only_with_a_size(compose_config):
    data = [f"data.resize={method}" for method in ("area", "bilinear")]
    whole = {identifier(compose_config("data=cifar10", override)) for override in data}
    assert whole == {identifier(compose_config("data=cifar10"))}
    small = {identifier(compose_config("data=cifar10", "data.size=16", value)) for value in data}
    assert len(small) == 2
    assert not small & whole


@pytest.mark.parametrize("override", ["optim.beta1=0", "optim.beta2=0.9", "optim.epsilon=1"])
def test_only_adam_has_the_keys_of_adam_in_its_id(compose_config, override):
    assert identifier(change_keys(compose_config, override)) == identifier(compose_config())
    for name in ("adam", "adamw"):
        base = f"optim={name}"
        assert identifier(change_keys(compose_config, base, override)) != identifier(
            change_keys(compose_config, base)
        )


@pytest.mark.parametrize(("base", "override"), NO_EFFECT)
def test_id_covers_the_same_value_with_an_effect(compose_config, base, override):
    has_warmup = base.startswith("schedule=paper")
    base = ["schedule=paper", "model.depth=110"] if has_warmup else []
    assert identifier(change_keys(compose_config, *base, override)) != identifier(
        change_keys(compose_config, *base)
    )


def test_values_without_effect_are_those_of_the_presets(compose_config):
    """What is hashed for a value without effect is the value of the presets: earlier ids stay."""
    config = compose_config("schedule.milestones=[]")
    assert run_id_module.hashed_values(config, "")["schedule"]["factor"] == config.schedule.factor
    warm = compose_config("schedule=paper", "model.depth=110", "schedule.warmup.below=null")
    assert (
        run_id_module.hashed_values(warm, "")["schedule"]["warmup"]["window"]
        == warm.schedule.warmup.window
    )


def test_id_covers_the_factor_if_plateaus_lower_the_rate(compose_config):
    base = ["data=imagenet", "data.root=r", "schedule=imagenet"]
    values = [
        run_id_module.hashed_values(compose_config(*base, f"schedule.factor={factor}"), "")
        for factor in (0.1, 0.5)
    ]
    assert values[0] != values[1]


GROWN = ["model=constructed", "model.depth=116", "model.grown_from=110", "schedule=paper"]


def test_constructed_runs_of_different_parents_differ(compose_config):
    """The constructed run has no warm-up itself, so only the parent's differs."""
    first, second = (compose_config(*GROWN, f"schedule.warmup.lr={lr}") for lr in (0.01, 0.02))
    assert identifier(parent_config(first)) != identifier(parent_config(second))
    assert identifier(first) != identifier(second)
    assert identifier(first) == identifier(compose_config(*GROWN, "schedule.warmup.lr=0.01"))


def test_constructed_runs_of_the_ledger_keep_their_ids(compose_config):
    for depth, expected in {
        20: "constructed-d20-s0-d8c8c1c0",
        110: "constructed-d110-s0-2a1ed759",
    }.items():
        config = compose_config(
            "experiment=construction_digits", "model=constructed", f"model.depth={depth}"
        )
        assert identifier(config) == expected


LEDGER = Path(__file__).parents[1] / "experiments/ledger"


ENTRIES = sorted(path.parent.name for path in LEDGER.glob("*_digits/runs.csv"))
FAST_ENTRIES = ["construction_digits", "width_digits"]


@pytest.mark.parametrize(
    "name",
    ["quick"]
    + [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST_ENTRIES))
        for name in ENTRIES
    ],
)
def test_ids_of_the_ledgers_runs_have_not_changed(name):
    published = set(pd.read_csv(LEDGER / name / "runs.csv")["run_id"])
    assert {run.run_id for run in expand_runs([f"experiment={name}"])} == published


@pytest.mark.parametrize(
    "name", [pytest.param("optimizer_digits", marks=pytest.mark.slow), "width_digits"]
)
def test_experiments_on_digits_share_the_runs_of_quick(name):
    """Those with SGD and with 16 filters are the same runs, which are trained only once."""
    quick = {run.run_id for run in expand_runs(["experiment=quick", "model.depth=20,56", "seed=2"])}
    assert len(quick) == 4
    assert quick < {run.run_id for run in expand_runs([f"experiment={name}", "seed=2"])}


@pytest.mark.parametrize(
    ("overrides", "version"),
    [
        ([], 1),
        (["data.validation=100"], 1),
        (["model.bn_statistics=exact"], 2),
        (["data=imagenet", "data.root=r", "schedule=imagenet"], 2),
        (["data=imagenet", "data.root=r", "schedule=imagenet", "data.validation=0"], 1),
    ],
)
def test_only_changed_numerics_have_a_new_version(compose_config, overrides, version):
    assert (
        run_id_module.hashed_values(compose_config(*overrides), "")["numerics_version"] == version
    )
