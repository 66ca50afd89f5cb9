"""Fixtures of all tests: composed configurations, tiny runs, frames made by hand, a W&B server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from analysis.frame import Frame
from degradation import config as schema
from degradation.config import CONF, Config, Model
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


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def compose_config() -> Compose:
    """Return a function: overrides -> checked Config."""
    return schema.compose_config


@pytest.fixture
def tiny(compose_config: Compose, tmp_path: Path) -> Compose:
    """Return a function: overrides -> Config of a tiny run, its records in tmp_path/runs."""

    def compose_tiny(*overrides: str) -> Config:
        return compose_config(*TINY, f"record_root={tmp_path / 'runs'}", *overrides)

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
    return list(TINY)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Model]:
    """Return a function: keys -> Model of conf/model/residual.yaml with these keys changed."""

    def build(**keys: Any) -> Model:
        return Model(**{**OmegaConf.load(CONF / "model/residual.yaml"), **keys})

    return build


def make_frame(errors: dict[str, dict[int, list[float]]], **columns: Any) -> Frame:
    """Return a frame of done runs on ten classes.

    No other error can be mistaken for the clean training error: the test error falls by half of
    what that rises, and the augmented and running training errors have numbers and an order of
    their own.

    Args:
        errors: {family: {depth: [clean training error of each seed]}}, in percent
        columns: values of further columns, or of others than the default
    """
    rows = []
    for family, depths in errors.items():
        for depth, errors_of_depth in depths.items():
            for seed, error in enumerate(errors_of_depth):
                rows.append(make_run_row(family, depth, seed, error) | columns)
    curves = []
    for row in rows:
        curves += [make_curve_row(row, 200, 1.5), make_curve_row(row, 400, 1.0)]
    return Frame(pd.DataFrame(rows), pd.DataFrame(curves))


def make_run_row(family: str, depth: int, seed: int, error: float) -> dict[str, Any]:
    """Return a run's row; `error`: the clean training error in percent."""
    has_shortcuts = not (family.startswith("plain") or family == "constructed")
    return {
        "run_id": f"{family}-d{depth}-s{seed}",
        "family": family,
        "depth": depth,
        "seed": seed,
        "shortcut": "none" if family == "plain" else "A",
        "data": "digits",
        "state": "done",
        "chance": 90.0,
        "iterations": 400,
        "iteration": 400,
        "training_error": error,
        "training_error_at_start": float("nan"),
        "error_step": float("nan"),
        "test_step": float("nan"),
        "train/clean_error": error,
        "train/clean_loss": error / 100,
        "train/augmented_error": 61.3 - error / 3,
        "train/running_error": 72.9 - error / 5,
        "test/error": 48.6 - error / 2,
        "device": "cpu",
        "threads": "1",
        "commit": "c",
        "untrained": error >= 88,
        "reason": None,
        "versions": {},
        "parameters": 269434,
        "multiply_adds": 2516608,
        "activations": 11786,
        "config.schedule.milestones": "[200, 300]",
        "config.model.bn_statistics": "moving",
        "config.model.grown_from": 20 if family == "constructed" else None,
        "config.model.shortcut": "A" if has_shortcuts else "none",
    }


def make_curve_row(run: dict[str, Any], iteration: int, factor: float) -> dict[str, Any]:
    """Return a row of the curves; `factor`: the training error in those of the end."""
    keys = ("run_id", "family", "depth", "seed", "state")
    return {key: run[key] for key in keys} | {
        "iteration": iteration,
        "training_error": run["training_error"] * factor,
        "test/error": run["test/error"] / factor,
    }


@pytest.fixture(scope="session")
def frame_of() -> Callable[..., Frame]:
    return make_frame
