"""Exact BN statistics are those of all images, whatever their order and their batches."""

import pytest
import torch
from torch import nn

from degradation.data.datasets import Dataset, Split, load_dataset
from degradation.data.loaders import EVALUATION_BATCH, build_loader
from degradation.data.random_streams import shuffle_into_batches
from degradation.models.batchnorm import batch_statistics, exact_statistics
from degradation.training.evaluate import eval_batchnorm, evaluate
from degradation.training.events import Progress
from degradation.training.trainer import Trainer, fit

CPU = torch.device("cpu")


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))


@pytest.fixture
def images():
    """Return 251 images: two kinds in class order, and an outlier at the end."""
    torch.manual_seed(1)
    values = torch.randn(251, 3, 8, 8)
    values[125:] += 2
    values[250] += 5
    return values


def measure_statistics(layer, batches):
    with exact_statistics(layer, batches):
        return layer[1].running_mean.clone(), layer[1].running_var.clone()


@pytest.mark.parametrize("size", [251, 250, 125, 64, 1])
def test_exact_statistics_are_those_of_all_images(layer, images, size):
    mean, variance = measure_statistics(layer, images.split(size))
    with torch.no_grad():
        whole = layer[0](images).double()
    torch.testing.assert_close(mean.double(), whole.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(variance.double(), whole.var((0, 2, 3)), rtol=1e-5, atol=1e-6)


def test_image_order_does_not_change_exact_statistics(layer, images):
    shuffled = images[torch.randperm(251, generator=torch.Generator().manual_seed(2))]
    for statistic, shuffled_statistic in zip(
        measure_statistics(layer, images.split(64)),
        measure_statistics(layer, shuffled.split(64)),
        strict=True,
    ):
        torch.testing.assert_close(statistic, shuffled_statistic, rtol=1e-5, atol=1e-6)


def test_one_batch_gives_pytorchs_own_statistics(layer, images):
    """Bit for bit: probes that normalise by one batch have relied on it."""
    mean, variance = measure_statistics(layer, [images])
    layer[1].momentum = 1.0
    with torch.no_grad():
        layer.train()(images)
    assert torch.equal(mean, layer[1].running_mean)
    assert torch.equal(variance, layer[1].running_var)


def test_variance_survives_a_large_mean(layer, images):
    """The mean is 10,000 standard deviations from 0; sums of squares in float32 would lose it."""
    with torch.no_grad():
        layer[0].weight.zero_()
        layer[0].weight[:, 0, 1, 1] = 1
    far = images + 1e4
    _, variance = measure_statistics(layer, far.split(64))
    assert variance[0].item() == pytest.approx(far[:, 0].double().var().item(), rel=1e-3)


def test_batchnorm_state_is_restored_after_an_error(layer, images):
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.eval()
    too_few_channels = images[:, :2]
    with pytest.raises(RuntimeError), exact_statistics(layer, [too_few_channels]):
        pass
    with exact_statistics(layer, [images]):
        assert not layer.training
    assert not layer.training
    assert not layer[1]._forward_pre_hooks
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name]), name


class MovingSum(nn.Module):
    """A layer of a user's own whose buffer changes in train mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.total += x.detach().sum()
        return x


@pytest.mark.parametrize(
    "own",
    [
        MovingSum(),
        nn.InstanceNorm2d(4, track_running_stats=True),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 1)),
    ],
)
@pytest.mark.parametrize("context", [batch_statistics, exact_statistics])
def test_every_buffer_is_restored(layer, images, own, context):
    """Otherwise probes would change the training of networks with other buffers than BN's."""
    network = nn.Sequential(*layer, own)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    arguments = [images.split(64)] if context is exact_statistics else []
    with context(network, *arguments):
        network(images)
    after = dict(network.named_buffers())
    for name, buffer in before.items():
        assert torch.equal(after[name], buffer), name


@pytest.mark.parametrize(
    ("images", "size"), [(251, 250), (1500, 250), (500, 250), (1, 250), (7, 3)]
)
def test_shuffled_batches_hold_each_image_once(images, size):
    batches = shuffle_into_batches(images, size)
    assert sorted(torch.cat(batches).tolist()) == list(range(images))
    lengths = [len(batch) for batch in batches]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def test_shuffled_batches_of_sorted_images_hold_all_classes(tiny):
    dataset = in_class_order(load_dataset(tiny().data))
    loader = build_loader(dataset, tiny(), CPU)
    for _, labels in loader.shuffled_batches():
        assert len(labels) == EVALUATION_BATCH
        assert torch.bincount(labels, minlength=10).min() >= 10  # 25 expected


@pytest.mark.slow
def test_sorted_data_set_is_evaluated_like_a_shuffled_one(compose_config):
    """A folder lists images class by class, and batches of one or two classes distort the error.

    In earlier releases they doubled it and more.
    """
    config = compose_config(
        "model=plain", "model.depth=14", "model.width=8", "model.bn_statistics=exact",
        "optim.lr=0.05", "schedule.iterations=90", "schedule.milestones=[60]",
        "schedule.snapshots=[]", "probes=none", "device=cpu",
    )  # fmt: skip
    shuffled = load_dataset(config.data)
    trainer = Trainer(config, shuffled, CPU)
    for event in fit(trainer):
        if event == Progress(80):
            break
    losses = []
    for dataset in (shuffled, in_class_order(shuffled)):
        loader = build_loader(dataset, config, CPU)
        with eval_batchnorm(trainer.network, config, loader):
            counts = evaluate(trainer.network, loader.clean_batches("train"), config.precision)
        losses.append(counts.loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def in_class_order(dataset):
    order = torch.argsort(dataset.train.labels, stable=True)
    train = Split(dataset.train.images[order], dataset.train.labels[order])
    return Dataset(train, dataset.test, dataset.classes)
