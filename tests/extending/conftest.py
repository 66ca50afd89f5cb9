"""Tiny runs of three iterations, composed from conf/ and the YAML files of a recipe."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from analysis.frame import Frame, load
from degradation.config import CONF, Config, read, register
from degradation.run import train
from degradation.sweep.planned_runs import describe_planned_run
from degradation.sweep.runs import locate_run
from tests.support.recipes import THREE_ITERATIONS


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of conf/, to which a test may add files."""
    return shutil.copytree(CONF, tmp_path / "conf")


@pytest.fixture
def short(conf: Path, tmp_path: Path, tiny_overrides: list[str]) -> Callable[..., Config]:
    """Return a function from overrides to the configuration of a run of three iterations."""

    def compose_short(*overrides: str) -> Config:
        register()
        words = [*tiny_overrides, *THREE_ITERATIONS, f"record_root={tmp_path / 'runs'}"]
        with initialize_config_dir(config_dir=str(conf), version_base="1.3"):
            return read(compose("config", [*words, *overrides]))

    return compose_short


@pytest.fixture
def train_and_load() -> Callable[[Config], Frame]:
    """Return a function that trains a run and reads its record as a report does."""

    def run(config: Config) -> Frame:
        assert train(config) == "done"
        return load(config.record_root, [describe_planned_run(locate_run(config))])

    return run
