"""Which error a plateau of the learning rate is found in: that of held-out images, or of test images without any."""

import pytest
import torch

from degradation.data.datasets import load_dataset
from degradation.models.error_counts import ErrorCounts
from degradation.training import trainer as fit_module
from degradation.training.trainer import Metrics, ProbeResult, Trainer, fit

CPU = torch.device("cpu")
PLATEAU = [
    "schedule=imagenet",
    "schedule.plateau.patience=1",
    "schedule.plateau.improvement=0",
    "probes=none",
]
FALLING, STUCK = [50.0, 40.0, 30.0], [50.0, 60.0, 70.0]


@pytest.fixture
def plateaus(tiny, monkeypatch):
    """(overrides, test errors, validation errors) -> how often the rate has dropped after each of three evaluations."""

    def found(overrides, test, validation):
        config = tiny(*PLATEAU, *overrides)
        training = Trainer(config, load_dataset(config.data), CPU)
        sizes = training.loader.sizes
        left = {sizes["test"]: list(test)} | (
            {sizes["validation"]: list(validation)} if "validation" in sizes else {}
        )

        def measured(_network, batches, *_):
            seen = sum(len(labels) for _, labels in batches)
            error = left[seen].pop(0) if seen in left else 0.0
            return ErrorCounts(images=100, wrong=error, wrong_top5=0, loss_sum=0)

        monkeypatch.setattr(fit_module, "evaluate", measured)
        return [
            event.row["schedule/plateaus"] for event in fit(training) if isinstance(event, Metrics)
        ]

    return found


def test_validation_error_decides_a_plateau(plateaus):
    assert plateaus(["data.validation=500"], test=FALLING, validation=STUCK) == [0, 1, 1]
    assert plateaus(["data.validation=500"], test=STUCK, validation=FALLING) == [0, 0, 0]


def test_test_error_decides_a_plateau_without_validation(plateaus):
    assert plateaus([], test=STUCK, validation=[]) == [0, 1, 1]
    assert plateaus([], test=FALLING, validation=[]) == [0, 0, 0]


def test_probes_are_taken_at_each_plateau(tiny):
    """A plateau is no iteration that is known beforehand: the snapshot of a moment comes with the drop itself."""
    keys = [
        *PLATEAU[:1],
        "schedule.plateau.patience=1",
        "schedule.plateau.improvement=100",
        "probes.early=2",
    ]
    config = tiny(
        *keys, "probes.training=[gradient_flow]", "data.validation=500", "schedule.evaluate_every=3"
    )
    training = Trainer(config, load_dataset(config.data), CPU)
    probed = [event.iteration for event in fit(training) if isinstance(event, ProbeResult)]
    assert training.schedule_state.plateaus == [
        6,
        12,
    ]  # the second of two evaluations without progress, each time
    assert probed == [0, 2, 6, 12]


def test_imagenet_has_a_validation_set_by_default(compose_config):
    config = compose_config("data=imagenet", "data.root=ROOT", "schedule=imagenet")
    assert config.data.validation == 10000
    assert config.schedule.plateau is not None
