"""Run ids: pinned, changed by every value that changes the numbers and by nothing else."""

import pytest

from degradation import identity
from degradation.data.content import content
from degradation.identity import run_id

PINNED = {
    (): "residual-d20-s0-89440b24",
    ("model=plain", "model.depth=56", "seed=3"): "plain-d56-s3-be84004f",
    ("experiment=paper", "model.depth=110", "seed=4"): "residual-d110-s4-b9315beb",
}
CHANGES = [
    "seed=1", "model.shortcut=B", "model.depth=26", "model.width=8", "optim.lr=0.02", "optim.momentum=0.8",
    "optim.weight_decay=0", "optim.batch_size=64", "schedule.iterations=401", "schedule.milestones=[200]",
    "schedule.factor=0.2", "schedule.evaluate_every=50", "schedule.snapshots=[]", "precision=bf16",
    "precision.channels_last=false", "data.pad=0", "data.flip=true", "data.normalisation=pixel", "data=cifar10",
]  # fmt: skip
KEEPS = [
    "device=cpu", "threads=2", "record_root=elsewhere", "tracking=online", "name=mine", "data.root=elsewhere",
    "data.margin=1", "allow_device_change=true", "probes=none", "probes.early=3", "landscape.square=51",
]  # fmt: skip


def identifier(config):
    return run_id(config, content(config.data))


@pytest.mark.parametrize("overrides", PINNED)
def test_ids_are_pinned(compose_config, overrides):
    assert identifier(compose_config(*overrides)) == PINNED[overrides]


@pytest.mark.parametrize("override", CHANGES)
def test_what_changes_the_numbers_changes_the_id(compose_config, override):
    assert identifier(compose_config(override)) != identifier(compose_config())


@pytest.mark.parametrize("override", KEEPS)
def test_what_does_not_change_the_numbers_keeps_the_id(compose_config, override):
    assert identifier(compose_config(override)) == identifier(compose_config())


def test_a_warm_up_that_a_network_does_not_have_is_not_part_of_its_id(compose_config):
    with_key = compose_config("schedule=paper", "model.depth=56")
    without = compose_config("schedule=paper", "model.depth=56", "schedule.warmup=null")
    assert identifier(with_key) == identifier(without)
    deep = [compose_config("schedule=paper", "model.depth=110", f"schedule.warmup.lr={lr}") for lr in (0.01, 0.02)]
    assert identifier(deep[0]) != identifier(deep[1])


def test_a_key_added_later_keeps_older_ids_while_it_reproduces_them(compose_config, monkeypatch):
    monkeypatch.setitem(identity.ADDED_LATER, "model.width", 16)
    reproduces = identity.hashed_values(compose_config(), "")
    assert "width" not in reproduces["model"]
    assert identity.hashed_values(compose_config("model.width=8"), "")["model"]["width"] == 8


def test_the_content_of_the_data_is_part_of_the_id(compose_config):
    config = compose_config()
    assert run_id(config, "one") != run_id(config, "another")


def test_seed_zero_is_a_seed(compose_config):
    assert "-s0-" in identifier(compose_config("seed=0"))
    assert identifier(compose_config("seed=00")) == identifier(compose_config("seed=0"))
