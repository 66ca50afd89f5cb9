"""Plateaus are detected in the validation error, or without validation images in the test error."""

import pytest
import torch

from degradation.data.datasets import load_dataset
from degradation.models.error_counts import SplitCounts
from degradation.training import evaluate as evaluate_module
from degradation.training.events import Metrics, ProbeResult
from degradation.training.trainer import Trainer, fit

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
    """Return a function: overrides, test and validation errors -> plateaus per evaluation."""

    def count(overrides, test, validation):
        config = tiny(*PLATEAU, *overrides)
        trainer = Trainer(config, load_dataset(config.data), CPU)
        sizes = trainer.loader.sizes
        errors = {sizes["test"]: list(test)}
        if "validation" in sizes:
            errors[sizes["validation"]] = list(validation)

        def count_split(_network, batches, *_):
            images = sum(len(labels) for _, labels in batches)
            error = errors[images].pop(0) if images in errors else 0.0
            zero = torch.tensor(0.0)
            return SplitCounts([(zero, torch.tensor(error), zero)], images=100)

        monkeypatch.setattr(evaluate_module, "count_split", count_split)
        return [
            event.row["schedule/plateaus"] for event in fit(trainer) if isinstance(event, Metrics)
        ]

    return count


def test_validation_error_decides_a_plateau(plateaus):
    assert plateaus(["data.validation=500"], test=FALLING, validation=STUCK) == [0, 1, 1]
    assert plateaus(["data.validation=500"], test=STUCK, validation=FALLING) == [0, 0, 0]


def test_test_error_decides_a_plateau_without_validation(plateaus):
    assert plateaus([], test=STUCK, validation=[]) == [0, 1, 1]
    assert plateaus([], test=FALLING, validation=[]) == [0, 0, 0]


def test_probes_are_taken_at_each_plateau(tiny):
    """A plateau is not known in advance, so training itself has to run the probes there."""
    keys = [
        *PLATEAU[:1],
        "schedule.plateau.patience=1",
        "schedule.plateau.improvement=100",
        "probes.early=2",
    ]
    config = tiny(
        *keys, "probes.training=[gradient_flow]", "data.validation=500", "schedule.evaluate_every=3"
    )
    trainer = Trainer(config, load_dataset(config.data), CPU)
    probed = [event.iteration for event in fit(trainer) if isinstance(event, ProbeResult)]
    # each time at the second of two evaluations without progress
    assert trainer.schedule_state.plateaus == [6, 12]
    assert probed == [0, 2, 6, 12]


def test_imagenet_has_a_validation_set_by_default(compose_config):
    config = compose_config("data=imagenet", "data.root=ROOT", "schedule=imagenet")
    assert config.data.validation == 10000
    assert config.schedule.plateau is not None
