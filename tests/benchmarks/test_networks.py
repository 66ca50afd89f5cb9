"""Which networks a command line has, and which images they are timed on."""

import pytest
import torch

from benchmarks import images
from benchmarks.images import build_random_images, load_images
from benchmarks.networks import check_reference, compose_networks
from degradation.config import ConfigError

STEP = ["data=cifar10"]


def list_networks(groups):
    return [[(each.model.depth, each.precision.dtype) for each in group] for group in groups]


def test_seeds_make_no_difference_and_precisions_share_a_reference():
    overrides = ["model.depth=20,56", "precision=bf16,fp32", "seed=0,1", "device=cpu"]
    groups = compose_networks(overrides, STEP)
    assert list_networks(groups) == [
        [(20, "bf16"), (20, "fp32")],
        [(56, "bf16"), (56, "fp32")],
    ]
    assert groups[0][0].data.name == "cifar10"


def test_default_precisions_are_those_of_the_device(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert list_networks(compose_networks(["device=cpu"], STEP)) == [[(20, "fp32"), (20, "bf16")]]


def test_an_experiment_replaces_the_default_network():
    overrides = ["experiment=quick", "model.depth=8", "precision=fp32"]
    groups = compose_networks(overrides, STEP)
    assert list_networks(groups) == [[(8, "fp32")], [(8, "fp32")]]
    assert {group[0].data.name for group in groups} == {"digits"}
    shortcuts = [group[0].model.shortcut for group in groups]
    assert shortcuts == ["none", "A"]


def test_constructed_networks_are_refused():
    with pytest.raises(ConfigError, match=r"^model\.grown_from: a constructed network cannot"):
        compose_networks(["experiment=construction_digits", "seed=0"], STEP)


def test_cifar_is_replaced_by_random_images(compose_config, monkeypatch):
    monkeypatch.setattr(images, "build_random_images", lambda *shape: shape)
    assert load_images(compose_config("data=cifar100").data) == (3, 32, 100)


def test_random_images_are_equal_in_every_process():
    first, second = (build_random_images(3, 4, 10, train=20, test=5) for _ in range(2))
    assert torch.equal(first.train.images, second.train.images)
    assert first.train.images.shape == (20, 3, 4, 4)
    assert first.test.labels.dtype == torch.int64


def test_streamed_images_are_refused(compose_config, tmp_path):
    config = compose_config("data=imagenet", f"data.root={tmp_path}")
    with pytest.raises(ConfigError, match=r"^data\.name: imagenet is read from disk"):
        load_images(config.data)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.shortcut=B", "model.shortcut: 'B' is not in the reference loop; allowed: none, A"),
        ("optim=adam", "optim.name: 'adam' is not in the reference loop; allowed: sgd"),
        ("model.bn_parts=2", "model.bn_parts: 2 is not in the reference loop; allowed: 1"),
    ],
)
def test_other_networks_and_optimisers_are_refused(compose_config, override, message):
    with pytest.raises(ConfigError) as caught:
        check_reference(compose_config(override))
    assert str(caught.value) == message
