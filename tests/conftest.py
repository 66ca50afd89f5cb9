"""Fixtures for all tests: configurations, tiny runs, frames made by hand, and a W&B server."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from analysis.frame import Frame
from degradation.config import CONF, Config, Model
from degradation.config import compose_config as compose_checked
from tests.support.frames import make_frame
from tests.support.wandb_server import KEY, StandIn, stand_in

# eight layers, four filters, twelve iterations: a fraction of a second
TINY = [
    "model.depth=8",
    "model.width=4",
    "optim.batch_size=32",
    "schedule.iterations=12",
    "schedule.milestones=[6]",
    "schedule.evaluate_every=4",
    "schedule.snapshots=[6]",
    "tracking=disabled",
    "device=cpu",
]

Compose = Callable[..., Config]


def pytest_configure() -> None:
    """Exclude what torch, pandas and matplotlib hold from the search for garbage.

    These objects live until the end, and searching them took a sixth of the tests' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the cases of a test beyond its number of fast cases as slow."""
    counts: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("fast_cases")
        if marker is None or item.get_closest_marker("slow") is not None:
            continue
        test = item.nodeid.partition("[")[0]
        counts[test] += 1
        if counts[test] > marker.args[0]:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    gc.freeze()  # the collected tests and their modules live as long


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def compose_config() -> Compose:
    """Return a function: overrides -> checked Config, composed once per process."""

    def compose(*overrides: str) -> Config:
        if any(":" in override for override in overrides):
            return compose_checked(*overrides)  # composing imports a user's own file
        return deepcopy(_compose(overrides))

    return compose


@cache
def _compose(overrides: tuple[str, ...]) -> Config:
    return compose_checked(*overrides)


@pytest.fixture
def tiny(compose_config: Compose, tmp_path: Path) -> Compose:
    """Return a function: overrides -> Config of a tiny run, its records in tmp_path/runs."""

    def compose_tiny(*overrides: str) -> Config:
        config = compose_config(*TINY, *overrides)
        if any(override.startswith("record_root=") for override in overrides):
            return config
        return replace(config, record_root=str(tmp_path / "runs"))

    return compose_tiny


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """Run a stand-in for W&B's server; the environment names it and a key."""
    with stand_in() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        yield running


@pytest.fixture(scope="session")
def tiny_overrides() -> list[str]:
    """Return the overrides of a tiny run."""
    return list(TINY)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Model]:
    """Return a function: keys -> Model of conf/model/residual.yaml with these keys changed."""

    def build(**keys: Any) -> Model:
        return Model(**{**OmegaConf.load(CONF / "model/residual.yaml"), **keys})

    return build


@pytest.fixture(scope="session")
def build_frame() -> Callable[..., Frame]:
    """Return `make_frame`."""
    return make_frame
