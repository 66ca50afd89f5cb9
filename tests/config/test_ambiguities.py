"""Each ambiguity in the paper is a key that changes the run id and the quantity it concerns."""

import pytest
import torch
from torch import nn

from degradation.config import parent_config
from degradation.data.datasets import draw_held_out, load_dataset
from degradation.data.fingerprint import data_fingerprint
from degradation.models.batchnorm import exact_statistics
from degradation.models.complexity import measure_complexity
from degradation.run_id import compute_run_id
from degradation.training.evaluate import eval_batchnorm, evaluate
from degradation.training.events import Metrics, ProbeResult
from degradation.training.optimizer import build_optimizer
from degradation.training.trainer import Trainer, fit
from tests.support.changed_keys import change_keys
from tests.support.training_batches import training_batches

CPU = torch.device("cpu")
# Those that change the loss of the first or a later iteration.
TRAINING_AMBIGUITIES = [
    "data.validation=100",
    "model.bn_parts=2",
    "data.normalisation=pixel",
    "data.normalise=after_padding",
    "optim.momentum_form=caffe",
    "optim.decay=weights",
    "model.initialisation=fan_in",
    "model.new_channels=either_side",
    "model.order=pre",
]
AMBIGUITIES = [
    *TRAINING_AMBIGUITIES,
    "model.bn_statistics=exact",
    "model=constructed",
    "model.layout=imagenet model.depth=18",
]


def compute_id(config):
    return compute_run_id(config, data_fingerprint(config.data))


def build_trainer(config):
    return Trainer(config, load_dataset(config.data), CPU)


def last_row(trainer):
    """Return the last row of metrics of a training run."""
    return [event.row for event in fit(trainer) if isinstance(event, Metrics)][-1]


def train_to_last_row(config):
    return last_row(build_trainer(config))


@pytest.mark.parametrize("override", AMBIGUITIES)
def test_ambiguity_changes_the_run_id(compose_config, override):
    changed = change_keys(compose_config, *override.split())
    assert compute_id(compose_config()) != compute_id(changed)


@pytest.mark.parametrize(
    "overrides",
    [
        "model.block=bottleneck model.depth=29 model.bottleneck_stride=1x1",
        "schedule=paper model.depth=110 schedule.warmup.below=70",
        "schedule=paper model.depth=110 schedule.warmup.below=null",
        "schedule=paper model.depth=110 schedule.warmup.max_iterations=null",
        "schedule=paper model.depth=110 schedule.warmup.window=50",
    ],
)
def test_ambiguity_of_some_networks_changes_their_ids(compose_config, overrides):
    *context, override = overrides.split()
    assert compute_id(compose_config(*context)) != compute_id(compose_config(*context, override))


@pytest.mark.parametrize(
    "overrides",
    [
        "model.bottleneck_stride=1x1",
        "model=plain model.new_channels=either_side",
        "data.pad=0 data.normalise=after_padding",
    ],
)
def test_key_without_effect_is_not_part_of_the_id(compose_config, overrides):
    *context, override = overrides.split()
    assert compute_id(compose_config(*context)) == compute_id(compose_config(*context, override))


# Twelve iterations, a drop at the sixth: momentum form and weight decay have an effect.
TRAINING_OVERRIDES = ("optim.lr=0.1", "optim.weight_decay=0.01", "probes=none")


@pytest.fixture(scope="module")
def default_loss(compose_config, tiny_overrides):
    """Return the clean loss at the end of a training without any of the changes below."""
    config = compose_config(*tiny_overrides, *TRAINING_OVERRIDES)
    return train_to_last_row(config)["train/clean_loss"]


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize("override", TRAINING_AMBIGUITIES)
def test_ambiguity_changes_the_training(compose_config, tiny_overrides, default_loss, override):
    config = change_keys(compose_config, *tiny_overrides, *TRAINING_OVERRIDES, override)
    assert train_to_last_row(config)["train/clean_loss"] != default_loss


def test_training_that_changes_nothing_has_the_same_loss(
    compose_config, tiny_overrides, default_loss
):
    config = change_keys(compose_config, *tiny_overrides, *TRAINING_OVERRIDES)
    assert train_to_last_row(config)["train/clean_loss"] == default_loss


def test_validation_images_are_held_out_and_evaluated(tiny):
    """Their error and loss are recomputed by hand, with the normalisation of the training set."""
    config = tiny("data.validation=500")
    dataset, whole = load_dataset(config.data), load_dataset(tiny().data)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (1000, 500, 297)
    assert dataset.checksum() == whole.checksum()
    trainer = Trainer(config, dataset, CPU)
    row = last_row(trainer)
    values = dataset.train.images.double()
    mask = draw_held_out(500, len(whole.train))
    held_out, labels = whole.train.images[mask], whole.train.labels[mask]
    images = ((held_out.double() - values.mean()) / values.std(correction=0)).float()
    with torch.no_grad():
        logits = trainer.network.eval()(images)
    error = 100 * (logits.argmax(1) != labels).double().mean().item()
    loss = nn.functional.cross_entropy(logits, labels).item()
    assert row["validation/error"] == pytest.approx(error)
    assert row["validation/loss"] == pytest.approx(loss, rel=1e-5)


def test_bn_parts_are_normalised_separately(tiny):
    """The statistics are those of each half, as on two GPUs; the averages move once per half."""
    whole = build_trainer(tiny("model.bn_parts=1"))
    halves = build_trainer(tiny("model.bn_parts=2"))
    images, _ = next(training_batches(halves.loader, 0))
    activations = halves.network.conv1(images).detach()
    mean = torch.zeros(4)
    for half in activations.chunk(2):
        mean = 0.9 * mean + 0.1 * half.mean((0, 2, 3))
    whole.step()
    halves.step()
    torch.testing.assert_close(halves.network.bn1.running_mean, mean)
    assert whole.network.bn1.num_batches_tracked.item() == 1
    assert halves.network.bn1.num_batches_tracked.item() == 2


def test_exact_statistics_are_those_of_all_training_images(tiny):
    config = tiny()
    trainer = build_trainer(config)
    trainer.step()
    network = trainer.network
    images, labels = trainer.loader.splits["train"].eval_batch(0, 1500)
    with exact_statistics(network, [images]):
        with torch.no_grad():
            activations = network.conv1(images)
        mean, variance = activations.mean((0, 2, 3)), activations.var((0, 2, 3))
        torch.testing.assert_close(network.bn1.running_mean, mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network.bn1.running_var, variance, rtol=1e-4, atol=1e-5)
        exact = evaluate(network, [(images, labels)], config.precision)
    moving = evaluate(network, [(images, labels)], config.precision)
    assert exact.loss != moving.loss
    # eval mode with exact statistics equals train mode on a batch of all images
    with torch.no_grad():
        batch_loss = nn.functional.cross_entropy(network.train()(images), labels).item()
    assert exact.loss == pytest.approx(batch_loss, rel=1e-2)


def test_exact_statistics_do_not_change_training(tiny):
    exact, moving = train_to_last_row(tiny("model.bn_statistics=exact")), train_to_last_row(tiny())
    assert exact["train/running_loss"] == moving["train/running_loss"]
    assert exact["train/clean_loss"] != moving["train/clean_loss"]


@pytest.mark.parametrize(("overrides", "is_exact"), [([], False), (["exact"], True)])
def test_exact_statistics_are_restored_after_probes(tiny, overrides, is_exact):
    trainer = build_trainer(tiny(*[f"model.bn_statistics={value}" for value in overrides]))
    before = trainer.network.bn1.running_mean.clone()
    with eval_batchnorm(trainer.network, trainer.config, trainer.loader):
        inside = trainer.network.bn1.running_mean.clone()
    assert torch.equal(before, inside) is not is_exact
    assert torch.equal(before, trainer.network.bn1.running_mean)


@pytest.mark.parametrize("statistics", ["moving", "exact"])
def test_probe_and_evaluation_use_the_same_statistics(tiny, statistics):
    """The first row of lesions is the intact network on all test images: the row's test error."""
    config = tiny(f"model.bn_statistics={statistics}", "probes.training=[lesions]", "optim.lr=0.05")
    events = list(fit(build_trainer(config)))
    (probe,) = [
        event for event in events if isinstance(event, ProbeResult) and event.iteration == 12
    ]
    row = [event.row for event in events if isinstance(event, Metrics)][-1]
    assert probe.table["kind"][0] == "none"
    assert probe.table["error"][0] == pytest.approx(row["test/error"])


@pytest.mark.parametrize("form", ["pytorch", "caffe"])
def test_momentum_forms_differ_after_a_drop(compose_config, form):
    """By hand, with g = 1 always.

    pytorch: v = 0.9 v + g, w -= lr v. caffe: v = 0.9 v + lr g, w -= v.
    """
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
    config = compose_config(f"optim.momentum_form={form}", "optim.weight_decay=0", "optim.lr=0.1")
    optimizer = build_optimizer(layer, config.optim)
    velocity, weight = 0.0, 0.0
    for lr in (0.1, 0.1, 0.01, 0.01):
        optimizer.set_learning_rate(lr)
        layer.weight.grad = torch.ones(1, 1)
        optimizer.step()
        velocity = 0.9 * velocity + (1.0 if form == "pytorch" else lr)
        weight -= lr * velocity if form == "pytorch" else velocity
    assert layer.weight.item() == pytest.approx(weight, rel=1e-5)


def test_weight_decay_can_exclude_biases_and_bn(tiny):
    trainer = build_trainer(tiny("optim.decay=weights"))
    parameters = dict(trainer.network.named_parameters())
    decayed_ids = set()
    optimized = 0
    for group in trainer.optimizer.param_groups:
        optimized += len(group["params"])
        if group["weight_decay"]:
            decayed_ids |= {id(parameter) for parameter in group["params"]}
    decayed = {name for name, parameter in parameters.items() if id(parameter) in decayed_ids}
    assert decayed == {name for name in parameters if "conv" in name or name == "fc.weight"}
    assert optimized == len(parameters)


def test_bottleneck_stride_changes_the_multiply_adds(make_model):
    on_3x3 = make_model(block="bottleneck", depth=29, bottleneck_stride="3x3")
    on_1x1 = make_model(block="bottleneck", depth=29, bottleneck_stride="1x1")
    counts = [measure_complexity(model, 3, 32, 10).multiply_adds for model in (on_1x1, on_3x3)]
    assert counts[0] < counts[1]


def test_parent_is_the_plain_run_of_the_grown_depth(compose_config):
    config = compose_config("model=constructed", "model.depth=56", "seed=3")
    parent = parent_config(config)
    assert compute_id(parent) == compute_id(
        compose_config("model=plain", "model.depth=20", "seed=3")
    )
    assert parent_config(parent) is None
