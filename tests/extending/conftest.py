"""A tiny run of three iterations, for the recipes of CONTRIBUTING.md."""

from collections.abc import Callable
from typing import Any

import pytest

from analysis.frame import Frame, load
from degradation.config import Config
from degradation.run import train
from degradation.sweep.jobs import describe_planned_run, locate_run

THREE_ITERATIONS = [
    "schedule.iterations=3",
    "schedule.milestones=[]",
    "schedule.snapshots=[]",
    "schedule.evaluate_every=1",
]


@pytest.fixture
def short(tiny: Callable[..., Config]) -> Callable[..., Config]:
    """Return a function from overrides to the configuration of a run of three iterations."""
    return lambda *overrides: tiny(*THREE_ITERATIONS, *overrides)


@pytest.fixture
def train_and_load() -> Callable[[Config], Frame]:
    """Return a function that trains a run and reads its record as a report does."""

    def run(config: Config) -> Frame:
        assert train(config) == "done"
        expected: dict[str, Any] = describe_planned_run(locate_run(config))
        return load(config.record_root, [expected])

    return run
