"""Each optimiser's updates, computed by hand from its paper's formulas; decay groups; resuming."""

import math
import warnings

import pytest
import torch
from torch import nn

from degradation.config import ConfigError
from degradation.data.datasets import load_dataset
from degradation.optimizers import base
from degradation.registry import OPTIMIZERS
from degradation.training import serialization
from degradation.training.optimizer import build_optimizer
from degradation.training.trainer import Trainer

CPU = torch.device("cpu")
GRADIENTS = (0.5, -2.0, 1.0, 3.0)
RATES = (0.1, 0.1, 0.02, 0.02)  # the learning rate drops
BETA1, BETA2, EPSILON, DECAY = 0.8, 0.95, 1e-3, 0.3
OVERRIDES = [
    f"optim.beta1={BETA1}", f"optim.beta2={BETA2}", f"optim.epsilon={EPSILON}",
    f"optim.weight_decay={DECAY}", "optim.lr=0.1",
]  # fmt: skip


@pytest.fixture(scope="module")
def digits(compose_config):
    return load_dataset(compose_config().data)


def build_layer(weight: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(weight)
    return layer


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_updates_of_adam_by_hand(compose_config, name):
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2."""
    layer, config = build_layer(2.0), compose_config(f"optim={name}", *OVERRIDES)
    optimizer = build_optimizer(layer, config.optim)
    weight, mean, mean_square = 2.0, 0.0, 0.0
    for update, (gradient, lr) in enumerate(zip(GRADIENTS, RATES, strict=True), start=1):
        optimizer.set_learning_rate(lr)
        layer.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        slope = gradient
        if name == "adam":
            slope += DECAY * weight
        else:
            weight -= lr * DECAY * weight
        mean = BETA1 * mean + (1 - BETA1) * slope
        mean_square = BETA2 * mean_square + (1 - BETA2) * slope**2
        unbiased_mean = mean / (1 - BETA1**update)
        unbiased_square = mean_square / (1 - BETA2**update)
        weight -= lr * unbiased_mean / (math.sqrt(unbiased_square) + EPSILON)
        assert layer.weight.item() == pytest.approx(weight, rel=1e-5)


def test_first_update_of_adam_is_the_learning_rate(compose_config):
    """m / sqrt(v) is the gradient's sign, whatever its size."""
    config = compose_config("optim=adam", "optim.weight_decay=0")
    for gradient in (1e-3, -50.0):
        layer = build_layer(0.0)
        layer.weight.grad = torch.full((1, 1), gradient)
        build_optimizer(layer, config.optim).step()
        assert layer.weight.item() == pytest.approx(-math.copysign(0.001, gradient), rel=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_decay_groups_hold_for_every_optimiser(tiny, digits, name):
    trainer = Trainer(tiny(f"optim={name}", "optim.decay=weights"), digits, CPU)
    decayed, exempt = trainer.optimizer.param_groups
    assert (decayed["weight_decay"] > 0, exempt["weight_decay"]) == (True, 0.0)
    assert {parameter.dim() for parameter in exempt["params"]} == {1}
    assert {parameter.dim() for parameter in decayed["params"]} == {2, 4}


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_resume_with_adam_is_bit_exact(tiny, digits, name):
    """The state, with Adam's means and count of updates, as it is after it was on disk."""
    config = tiny(f"optim={name}", "schedule.milestones=[4]", "schedule.snapshots=[]")
    without_break = Trainer(config, digits, CPU)
    for _ in range(3):
        without_break.step()
    content = serialization.dump(without_break.state())
    resumed = Trainer(config, digits, CPU)
    resumed.restore(serialization.load(content))
    for _ in range(3):
        without_break.step()
        resumed.step()
    assert resumed.lr == without_break.lr == pytest.approx(0.0001)
    expected = without_break.network.state_dict()
    for parameter, value in resumed.network.state_dict().items():
        assert torch.equal(value, expected[parameter]), parameter


@pytest.mark.parametrize(
    ("override", "allowed"),
    [
        ("optim.name=lion", "adam, adamw, sgd"),
        ("optim.name=Adam", "adam, adamw, sgd"),
        ("optim.beta1=1", "a number, 0 or more and less than 1"),
        ("optim.beta2=-0.1", "a number, 0 or more and less than 1"),
        ("optim.epsilon=0", "a positive number"),
        ("optim.epsilon=nan", "a positive number"),
    ],
)
def test_bad_value_of_an_optimiser_is_refused(compose_config, override, allowed):
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"^{key}: .* is not allowed; allowed: {allowed}$"):
        compose_config("optim=adam", override)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_checkpoints_move_between_kinds_of_updates(tiny, digits, monkeypatch, name):
    """A GPU's updates are fused and read the learning rate from a tensor, a CPU's do neither."""
    config = tiny(f"optim={name}", "optim.momentum_form=caffe", "schedule.milestones=[4]")
    losses = {}
    for first, second in ((), ("cpu",)), (("cpu",), ()), ((), ()):
        monkeypatch.setattr(base, "FUSED_DEVICES", first)
        trainer = Trainer(config, digits, CPU)
        for _ in range(3):
            trainer.step()
        content = serialization.dump(trainer.state())
        monkeypatch.setattr(base, "FUSED_DEVICES", second)
        resumed = Trainer(config, digits, CPU)
        resumed.restore(serialization.load(content))
        for _ in range(3):
            resumed.step()
        (group,) = resumed.optimizer.param_groups
        assert isinstance(group["lr"], torch.Tensor) == bool(second)
        assert bool(group["fused"]) == bool(second)
        assert resumed.optimizer.state_dict()["param_groups"][0]["lr"] == resumed.lr
        losses[first, second] = resumed.sums.loss.item()
    assert list(losses.values()) == pytest.approx([losses[(), ()]] * 3, rel=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_unrecorded_update_on_a_gpu_warns_of_nothing(compose_config, monkeypatch, name):
    """PyTorch warns of updates outside a CUDA graph, but the first ones cannot be in one."""

    class Stream:
        def is_capturing(self):
            return False

    monkeypatch.setattr(base, "FUSED_DEVICES", ("cpu",))
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: cuda)
    monkeypatch.setattr(torch.accelerator, "current_stream", Stream)
    layer = build_layer(2.0)
    optimizer = build_optimizer(layer, compose_config(f"optim={name}").optim)
    layer.weight.grad = torch.ones(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()


@pytest.mark.parametrize("optim", ["sgd", "adamw"])
def test_restored_state_has_the_memory_format_of_the_weights(tiny, digits, optim):
    """Fused kernels refuse operands of two formats, and devices differ in the one they have."""
    saved = Trainer(tiny(f"optim={optim}"), digits, CPU)
    for _ in range(2):
        saved.step()
    resumed = Trainer(tiny(f"optim={optim}", "precision.channels_last=false"), digits, CPU)
    resumed.restore(saved.state())
    pairs = zip(saved.network.parameters(), resumed.network.parameters(), strict=True)
    before, weight = next(pair for pair in pairs if pair[0].dim() == 4 and pair[0].shape[1] > 1)
    expected = saved.optimizer.state[before]
    assert weight.is_contiguous()
    for name, value in resumed.optimizer.state[weight].items():
        assert torch.equal(value, expected[name])
        if value.dim() == 4:
            assert not expected[name].is_contiguous()
            assert value.stride() == weight.stride()


def test_network_without_parameters_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.network: a network without parameters"):
        base.device_options([{"params": []}], 0.1)
