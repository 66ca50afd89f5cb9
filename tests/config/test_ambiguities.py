"""Each of the paper's ambiguities is a value: changing it changes the run's identity, and the number that it should."""

import pytest
import torch
from torch import nn

from degradation.config import parent_config
from degradation.data.datasets import load_dataset
from degradation.data.fingerprint import data_fingerprint
from degradation.models.batchnorm import exact_statistics
from degradation.models.complexity import measure_complexity
from degradation.run_id import compute_run_id
from degradation.training.evaluate import eval_batchnorm, evaluate
from degradation.training.optimizer import build_optimizer, set_learning_rate
from degradation.training.trainer import Metrics, ProbeResult, Trainer, fit

CPU = torch.device("cpu")
AMBIGUITIES = [
    "data.validation=100", "model.bn_parts=2", "model.bn_statistics=exact", "data.normalisation=pixel",
    "data.normalise=after_padding", "optim.momentum_form=caffe", "optim.decay=weights", "model.initialisation=fan_in",
    "model.new_channels=either_side", "model.order=pre", "model=constructed", "model.layout=imagenet model.depth=18",
]  # fmt: skip
# those that change the very first update's loss, or what follows from it
TRAINED = [
    "data.validation=100", "model.bn_parts=2", "data.normalisation=pixel", "data.normalise=after_padding",
    "optim.momentum_form=caffe", "optim.decay=weights", "model.initialisation=fan_in",
    "model.new_channels=either_side", "model.order=pre",
]  # fmt: skip


def last_row(config):
    training = Trainer(config, load_dataset(config.data), CPU)
    return [event.row for event in fit(training) if isinstance(event, Metrics)][-1]


@pytest.mark.parametrize("override", AMBIGUITIES)
def test_each_changes_the_identity(compose_config, override):
    plain, changed = compose_config(), compose_config(*override.split())
    assert compute_run_id(plain, data_fingerprint(plain.data)) != compute_run_id(
        changed, data_fingerprint(changed.data)
    )


@pytest.mark.parametrize(
    "words",
    [
        "model.block=bottleneck model.depth=29 model.bottleneck_stride=1x1",
        "schedule=paper model.depth=110 schedule.warmup.below=70",
        "schedule=paper model.depth=110 schedule.warmup.below=null",
        "schedule=paper model.depth=110 schedule.warmup.max_iterations=null",
        "schedule=paper model.depth=110 schedule.warmup.window=50",
    ],
)
def test_those_of_some_networks_change_the_identity_of_these(compose_config, words):
    *given, override = words.split()
    one, other = compose_config(*given), compose_config(*given, override)
    assert compute_run_id(one, data_fingerprint(one.data)) != compute_run_id(
        other, data_fingerprint(other.data)
    )


@pytest.mark.parametrize(
    "words",
    [
        "model.bottleneck_stride=1x1",
        "model=plain model.new_channels=either_side",
        "data.pad=0 data.normalise=after_padding",
    ],
)
def test_what_has_no_effect_on_a_network_is_not_part_of_its_id(compose_config, words):
    *given, override = words.split()
    one, other = compose_config(*given), compose_config(*given, override)
    assert compute_run_id(one, data_fingerprint(one.data)) == compute_run_id(
        other, data_fingerprint(other.data)
    )


@pytest.mark.parametrize("override", TRAINED)
def test_each_changes_the_training(tiny, override):
    """Twelve iterations with a drop of the rate at the sixth; momentum's form and the decay show in the loss."""
    keys = ("optim.lr=0.1", "optim.weight_decay=0.01")
    assert (
        last_row(tiny(*keys))["train/clean_loss"]
        != last_row(tiny(*keys, override))["train/clean_loss"]
    )


def test_validation_pictures_are_not_trained_on_and_have_an_error_of_their_own(tiny):
    """Measured again by hand, on the held-out pictures as the training set has them."""
    config = tiny("data.validation=500")
    dataset, whole = load_dataset(config.data), load_dataset(tiny().data)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (1000, 500, 297)
    assert dataset.checksum() == whole.checksum()
    training = Trainer(config, dataset, CPU)
    row = [event.row for event in fit(training) if isinstance(event, Metrics)][-1]
    values = dataset.train.images.double()
    held_out, labels = whole.train.images[dataset.held_out], whole.train.labels[dataset.held_out]
    pictures = ((held_out.double() - values.mean()) / values.std(correction=0)).float()
    with torch.no_grad():
        logits = training.network.eval()(pictures)
    assert row["validation/error"] == pytest.approx(
        100 * (logits.argmax(1) != labels).double().mean().item()
    )
    assert row["validation/loss"] == pytest.approx(
        nn.functional.cross_entropy(logits, labels).item(), rel=1e-5
    )


def test_two_parts_are_normalised_apart(tiny):
    """The batch's statistics are those of each half, as if on two GPUs; the averages move once a half."""
    one, two = (
        Trainer(tiny(f"model.bn_parts={parts}"), load_dataset(tiny().data), CPU) for parts in (1, 2)
    )
    pictures, _ = next(two.loader.training_batches(0))
    expected = two.network.conv1(pictures).detach()
    mean = torch.zeros(4)
    for half in expected.chunk(2):
        mean = 0.9 * mean + 0.1 * half.mean((0, 2, 3))
    for training in (one, two):
        training.step()
    torch.testing.assert_close(two.network.bn1.running_mean, mean)
    assert (
        one.network.bn1.num_batches_tracked.item(),
        two.network.bn1.num_batches_tracked.item(),
    ) == (1, 2)


def test_exact_statistics_are_those_of_the_training_pictures_and_leave_training_alone(tiny):
    config = tiny()
    training = Trainer(config, load_dataset(config.data), CPU)
    training.step()
    network = training.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pictures, labels = training.loader.splits["train"].eval_batch(0, 1500)
    with exact_statistics(network, [pictures]):
        with torch.no_grad():
            first = network.conv1(pictures)
        torch.testing.assert_close(
            network.bn1.running_mean, first.mean((0, 2, 3)), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            network.bn1.running_var, first.var((0, 2, 3)), rtol=1e-4, atol=1e-5
        )
        exact = evaluate(network, [(pictures, labels)], config.precision)
    moving = evaluate(network, [(pictures, labels)], config.precision)
    assert exact.loss != moving.loss
    with torch.no_grad():
        batch = nn.functional.cross_entropy(network.train()(pictures), labels).item()
    assert exact.loss == pytest.approx(
        batch, rel=1e-2
    )  # in eval mode with them as in train mode on all pictures
    network.load_state_dict(before)
    row, again = last_row(tiny("model.bn_statistics=exact")), last_row(tiny())
    assert row["train/running_loss"] == again["train/running_loss"]
    assert row["train/clean_loss"] != again["train/clean_loss"]


def test_probes_see_the_network_as_it_is_evaluated_and_training_does_not(tiny):
    for keys, exact in ((), False), (("model.bn_statistics=exact",), True):
        training = Trainer(tiny(*keys), load_dataset(tiny().data), CPU)
        before = training.network.bn1.running_mean.clone()
        with eval_batchnorm(training.network, training.config, training.loader):
            inside = training.network.bn1.running_mean.clone()
        assert torch.equal(before, inside) is not exact
        assert torch.equal(before, training.network.bn1.running_mean)


def test_a_probe_of_training_has_the_statistics_of_its_evaluation(tiny):
    """Lesions begin with the intact net on all test images: that is the row's test error, exact statistics or not."""
    for keys in ((), ("model.bn_statistics=exact",)):
        config = tiny(*keys, "probes.training=[lesions]", "optim.lr=0.05")
        events = list(fit(Trainer(config, load_dataset(config.data), CPU)))
        (table,) = [
            event.table
            for event in events
            if isinstance(event, ProbeResult) and event.iteration == 12
        ]
        row = [event.row for event in events if isinstance(event, Metrics)][-1]
        assert table["kind"][0] == "none"
        assert table["error"][0] == pytest.approx(row["test/error"])


@pytest.mark.parametrize("form", ["pytorch", "caffe"])
def test_the_two_momenta_differ_where_the_rate_jumps(compose_config, form):
    """By hand: v = 0.9 v + g, w -= lr v (pytorch); v = 0.9 v + lr g, w -= v (caffe). g = 1 always."""
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
    optim = compose_config(
        f"optim.momentum_form={form}", "optim.weight_decay=0", "optim.lr=0.1"
    ).optim
    optimizer = build_optimizer(layer, optim)
    velocity, weight = 0.0, 0.0
    for lr in (0.1, 0.1, 0.01, 0.01):
        set_learning_rate(optimizer, lr, optim.momentum_form)
        layer.weight.grad = torch.ones(1, 1)
        optimizer.step()
        velocity = 0.9 * velocity + (1.0 if form == "pytorch" else lr)
        weight -= lr * velocity if form == "pytorch" else velocity
    assert layer.weight.item() == pytest.approx(weight, rel=1e-5)


def test_weight_decay_may_spare_biases_and_bn(tiny):
    config = tiny("optim.decay=weights")
    training = Trainer(config, load_dataset(config.data), CPU)
    decayed = {
        id(p)
        for group in training.optimizer.param_groups
        if group["weight_decay"]
        for p in group["params"]
    }
    named = {
        name for name, parameter in training.network.named_parameters() if id(parameter) in decayed
    }
    everything = {name for name, _ in training.network.named_parameters()}
    assert named == {name for name in everything if "conv" in name or name == "fc.weight"}
    assert len([p for group in training.optimizer.param_groups for p in group["params"]]) == len(
        everything
    )


def test_the_bottlenecks_stride_changes_the_multiply_adds(make_model):
    on_3x3, on_1x1 = (
        measure_complexity(
            make_model(block="bottleneck", depth=29, bottleneck_stride=stride), 3, 32, 10
        )
        for stride in ("3x3", "1x1")
    )
    assert on_1x1.multiply_adds < on_3x3.multiply_adds


def test_a_constructed_networks_parent_is_the_same_run_at_the_depth_that_it_grew_from(
    compose_config,
):
    config = compose_config("model=constructed", "model.depth=56", "seed=3")
    parent, plain = parent_config(config), compose_config("model=plain", "model.depth=20", "seed=3")
    assert compute_run_id(parent, data_fingerprint(parent.data)) == compute_run_id(
        plain, data_fingerprint(plain.data)
    )
    assert parent_config(parent) is None
