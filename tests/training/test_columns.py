"""Every column of metrics.jsonl, recomputed without the code that measures it."""

import copy
from itertools import islice

import pytest
import torch
import torch.nn.functional as F

from degradation.data.datasets import Dataset, Split, load_dataset
from degradation.data.loaders import build_loader
from degradation.training.events import Metrics, Progress
from degradation.training.trainer import Trainer, fit
from tests.support.training_batches import training_batches

CPU = torch.device("cpu")
BATCH = 32
KEYS = ("data.validation=100", "optim.lr=0.05", "optim.momentum=0.5")


@pytest.fixture(scope="module")
def dataset(compose_config):
    return load_dataset(compose_config("data.validation=100").data)


def normalise(dataset, images):
    """Normalise by mean and standard deviation of the training images."""
    pixels = dataset.train.images.double()
    return ((images.double() - pixels.mean()) / pixels.std(correction=0)).float()


@torch.no_grad()
def error_and_loss(network, images, labels):
    """Return the error in percent and the mean cross-entropy in nats."""
    logits = network(images)
    wrong = (logits.argmax(1) != labels).double().mean().item()
    return 100 * wrong, F.cross_entropy(logits, labels).item()


def as_pair(row, name):
    return row[f"{name}error"], row[f"{name}loss"]


def train_to(config, dataset, iteration):
    """Return a trainer at this iteration, and its last row."""
    trainer = Trainer(config, dataset, CPU)
    for event in fit(trainer):
        if isinstance(event, Metrics):
            row = event.row
        if event == Progress(iteration):
            return trainer, row
    raise AssertionError("training ended earlier")


@pytest.fixture(scope="module")
def trained_to_8(compose_config, tiny_overrides, dataset):
    """Return the trainer after eight iterations, and the second row of the run."""
    return train_to(compose_config(*tiny_overrides, *KEYS), dataset, 8)


@pytest.mark.parametrize(
    ("column", "split"),
    [("train/clean_", "train"), ("test/", "test"), ("validation/", "validation")],
)
def test_clean_columns_are_measured_on_their_own_split(trained_to_8, dataset, column, split):
    trainer, row = trained_to_8
    network = copy.deepcopy(trainer.network).eval()
    evaluated = getattr(dataset, split)
    images = normalise(dataset, evaluated.images)
    expected = error_and_loss(network, images, evaluated.labels)
    assert as_pair(row, column) == pytest.approx(expected, rel=1e-5)


def test_splits_give_different_numbers(trained_to_8):
    """Otherwise the test above could not detect that two columns are swapped."""
    _, row = trained_to_8
    names = ("train/clean_", "train/augmented_", "train/running_", "test/", "validation/")
    assert len({row[f"{name}error"] for name in names}) == len(names)
    assert len({row[f"{name}loss"] for name in names}) == len(names)


def test_augmented_columns_use_augmented_training_images(trained_to_8, dataset):
    trainer, row = trained_to_8
    batches = list(build_loader(dataset, trainer.config, CPU).augmented_batches(8))
    images = torch.cat([batch[0] for batch in batches])
    labels = torch.cat([batch[1] for batch in batches])
    assert torch.equal(labels, dataset.train.labels)
    assert not torch.allclose(images, normalise(dataset, dataset.train.images))
    network = copy.deepcopy(trainer.network).eval()
    assert as_pair(row, "train/augmented_") == pytest.approx(
        error_and_loss(network, images, labels), rel=1e-5
    )


def test_running_columns_average_since_the_last_row(
    compose_config, tiny_overrides, dataset, trained_to_8
):
    """They are measured in train mode, before each update."""
    config = compose_config(*tiny_overrides, *KEYS)
    trainer, _ = train_to(config, dataset, 4)
    batches = list(islice(training_batches(build_loader(dataset, config, CPU), 4), 4))
    measured = []
    for images, labels in batches:
        measured.append(error_and_loss(copy.deepcopy(trainer.network).train(), images, labels))
        trainer.step()
    errors, losses = zip(*measured, strict=True)
    _, row = trained_to_8
    assert as_pair(row, "train/running_") == pytest.approx(
        (sum(errors) / 4, sum(losses) / 4), rel=1e-5
    )


def test_no_validation_columns_without_validation_images(tiny, compose_config):
    _, row = train_to(tiny(), load_dataset(compose_config().data), 4)
    assert not [name for name in row if name.startswith("validation")]


def test_row_has_the_learning_rate_of_its_last_update(tiny, dataset):
    """The sixth update has the learning rate before the milestone, the seventh that after it."""
    config = tiny(
        *KEYS, "schedule.evaluate_every=1", "schedule.milestones=[6,9]", "schedule.factor=0.5"
    )
    rows = [event.row for event in fit(Trainer(config, dataset, CPU)) if isinstance(event, Metrics)]
    assert [row["iteration"] for row in rows] == list(range(1, 13))
    assert [row["lr"] for row in rows] == [0.05] * 6 + [0.025] * 3 + [0.0125] * 3


def test_row_has_the_optimizers_learning_rate(tiny, dataset):
    trainer = Trainer(tiny(*KEYS, "schedule.evaluate_every=1"), dataset, CPU)
    for event in fit(trainer):
        if isinstance(event, Metrics):
            assert {group["lr"] for group in trainer.optimizer.param_groups} == {event.row["lr"]}


PLATEAU = (
    "data.validation=64",
    "schedule=imagenet", "schedule.iterations=12", "schedule.evaluate_every=1",
    "schedule.milestones=[]", "schedule.snapshots=[]", "schedule.plateau.patience=2",
    "schedule.plateau.improvement=100", "optim.lr=0.1", "probes=none",
)  # fmt: skip


@pytest.fixture
def build_trainer(tiny, dataset):
    """Return a function that builds a trainer on few images.

    No evaluation makes 100 points of progress, so every third one is a plateau.
    """
    train, test, validation = (
        Split(split.images[:64], split.labels[:64])
        for split in (dataset.train, dataset.test, dataset.validation)
    )
    few = Dataset(train, test, 10, validation)
    return lambda: Trainer(tiny(*PLATEAU), few, CPU)


def collect_rows(events):
    return [event.row for event in events if isinstance(event, Metrics)]


def test_plateaus_are_counted_and_lower_the_learning_rate(build_trainer):
    rows = collect_rows(fit(build_trainer()))
    assert [row["schedule/plateaus"] for row in rows] == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert [row["lr"] for row in rows] == pytest.approx(
        [0.1] * 3 + [0.01] * 3 + [0.001] * 3 + [0.0001] * 3
    )


@pytest.mark.parametrize(
    "stop_after",
    [2, 7, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 4, 5, 6, 8, 9, 10, 11))],
)
def test_resume_keeps_the_errors_since_the_last_plateau(build_trainer, stop_after):
    expected = collect_rows(fit(build_trainer()))
    first = build_trainer()
    events = []
    for event in fit(first):
        events.append(event)
        if event == Progress(stop_after):
            break
    second = build_trainer()
    second.restore(copy.deepcopy(first.state()))
    assert collect_rows([*events, *fit(second)]) == expected


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    ("every", "measured"), [("null", [4, 8, 12]), ("8", [8, 12]), ("0.999", [12]), ("12", [12])]
)
def test_augmented_error_is_measured_where_declared(tiny, dataset, every, measured):
    """At the last evaluation in any case; the other columns are measured everywhere."""
    config = tiny(*KEYS, f"schedule.augmented_every={every}")
    trainer = Trainer(config, dataset, CPU)
    rows = [event.row for event in fit(trainer) if isinstance(event, Metrics)]
    expected = [
        event.row for event in fit(Trainer(tiny(*KEYS), dataset, CPU)) if isinstance(event, Metrics)
    ]
    for row, whole in zip(rows, expected, strict=True):
        is_measured = row["iteration"] in measured
        assert ("train/augmented_error" in row) == is_measured
        names = [name for name in whole if is_measured or "augmented" not in name]
        assert row == {name: whole[name] for name in names}
