"""Networks of `degradation`: initial, trained, and grown."""

import numpy as np
import pytest
import torch

import degradation
from degradation.metrics import AUGMENTED_ERROR, CLEAN_ERROR, TEST_ERROR

SCALED = {"model.block": "scaled"}


def test_initial_network_is_that_of_iteration_0(plain_run):
    drawn = degradation.network("plain", 8, seed=4, channels=1, width=4)
    recorded = plain_run.network(0)
    for name, values in drawn.state_dict().items():
        assert torch.equal(values, recorded.state_dict()[name]), name
    assert drawn.training
    assert not recorded.training


def test_network_has_the_published_size():
    residual = degradation.network("residual", 56)
    assert sum(parameter.numel() for parameter in residual.parameters()) == 853_018


def test_trained_network_has_the_recorded_errors(plain_run):
    network = plain_run.network()
    errors = degradation.measure_errors(network, overrides={"optim.batch_size": 32})
    last = plain_run.curve().iloc[-1]
    assert errors[CLEAN_ERROR] == last[CLEAN_ERROR]
    assert errors[TEST_ERROR] == last[TEST_ERROR]
    assert not network.training


def test_grown_network_computes_the_same_function(plain_run):
    grown = degradation.grow(plain_run, 20)
    images = torch.linspace(-2, 2, 5 * 64).reshape(5, 1, 8, 8)
    assert torch.equal(grown(images), plain_run.network()(images))
    assert len(list(grown.blocks())) == 9


def test_network_whose_batches_are_not_the_defaults_can_grow(tiny_keys):
    keys = {"optim.batch_size": 30, "model.bn_parts": 3}
    run = degradation.train("plain", **(tiny_keys | {"overrides": tiny_keys["overrides"] | keys}))
    grown = degradation.grow(run, np.int64(14))
    images = torch.linspace(-2, 2, 5 * 64).reshape(5, 1, 8, 8)
    assert torch.equal(grown(images), run.network()(images))


@pytest.mark.parametrize(
    ("depth", "line"), [(8, "depth: 8 is"), (9, "model.depth: 9 is"), ("20", "depth: '20' is")]
)
def test_network_cannot_grow_to_this_depth(plain_run, depth, line):
    with pytest.raises(degradation.UserError, match=f"^{line} not allowed; allowed: "):
        degradation.grow(plain_run, depth)


@pytest.mark.slow
def test_residual_network_cannot_grow(tiny_keys):
    run = degradation.train("residual", **tiny_keys)
    with pytest.raises(
        degradation.UserError, match=r"^run: residual-d8-s\d+-\w+ has model\.shortcut=A; "
    ):
        degradation.grow(run, 14)


@pytest.mark.slow
def test_network_of_another_block_cannot_grow(tiny_keys):
    run = degradation.train("plain", **(tiny_keys | {"overrides": tiny_keys["overrides"] | SCALED}))
    with pytest.raises(degradation.UserError, match=r" has model\.block=scaled; allowed: plain"):
        degradation.grow(run, 14)


def test_run_is_measured_on_its_own_data(plain_run):
    last = plain_run.curve().iloc[-1]
    assert degradation.measure_errors(plain_run)[TEST_ERROR] == last[TEST_ERROR]


@pytest.mark.parametrize(
    "own", [{"data.normalisation": "pixel"}, {"model.bn_statistics": "exact"}], ids=str
)
def test_run_is_measured_under_its_own_configuration(tiny_keys, own):
    """An override replaces one value; what the run was trained with stays."""
    run = degradation.train("plain", **(tiny_keys | {"overrides": tiny_keys["overrides"] | own}))
    last = run.curve().iloc[-1]
    for overrides in (None, {}, {"threads": 1}):
        errors = degradation.measure_errors(run, overrides=overrides)
        for name in (CLEAN_ERROR, AUGMENTED_ERROR, TEST_ERROR):
            assert errors[name] == last[name], (name, overrides)
    changed = {"data.normalisation": "channel", "model.bn_statistics": "moving"}
    errors = degradation.measure_errors(run, overrides=changed)
    assert errors[CLEAN_ERROR] != last[CLEAN_ERROR]


@pytest.mark.parametrize("shape", [{"channels": 3}, {"channels": 1, "classes": 5}])
def test_network_that_does_not_fit_the_data_is_one_line(shape):
    line = r"^network: does not fit data=digits, images of shape \(1, 8, 8\) in 10 classes \("
    with pytest.raises(degradation.UserError, match=line):
        degradation.measure_errors(degradation.network("plain", 8, width=4, **shape))


def test_missing_snapshot_is_one_line(plain_run):
    with pytest.raises(degradation.UserError, match=r"snapshots/00000007\.pt: missing$"):
        plain_run.network(7)


def test_constructed_network_has_a_start_only_as_a_snapshot(tiny_keys):
    without = _train_constructed(tiny_keys, snapshots=[])
    line = (
        rf"^{without.run_id}: has no weights of iteration 0; .* schedule.snapshots=\[0\] for that$"
    )
    with pytest.raises(degradation.UserError, match=line):
        without.network(0)
    run = _train_constructed(tiny_keys, snapshots=[0])
    start = degradation.measure_errors(run.network(0), "digits", device="cpu")
    assert start[CLEAN_ERROR] == run.curve().iloc[0][CLEAN_ERROR]


def _train_constructed(tiny_keys, snapshots):
    keys = {"model.depth": 14, "model.grown_from": 8, "schedule.snapshots": snapshots}
    return degradation.train(
        "constructed", **(tiny_keys | {"overrides": tiny_keys["overrides"] | keys})
    )


@pytest.mark.parametrize("name", ["channels", "classes"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3"])
def test_images_need_positive_counts(name, value):
    line = rf"^{name}: .+ is not allowed; allowed: a positive whole number$"
    with pytest.raises(degradation.UserError, match=line):
        degradation.network("plain", 8, **{name: value})


def test_constructed_network_needs_a_run():
    line = r"^model: constructed starts from .+; allowed: degradation.grow"
    with pytest.raises(degradation.UserError, match=line):
        degradation.network("constructed", 56)


def test_numbers_of_numpy_are_counts():
    network = degradation.network("plain", np.int64(8), channels=np.int64(1), classes=np.int32(2))
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 2)


def test_unknown_key_of_a_network_is_one_line():
    with pytest.raises(degradation.UserError, match=r"^model\.blok: no such key"):
        degradation.network("plain", 20, blok="basic")
