"""Arguments of a tiny run, and one that has been trained."""

from pathlib import Path
from typing import Any

import pytest

import degradation


def list_tiny_keys(tiny_overrides: list[str], record_root: Path) -> dict[str, Any]:
    overrides = dict(text.split("=") for text in tiny_overrides)
    lists = {key: [int(value[1:-1])] for key, value in overrides.items() if value[0] == "["}
    return {"overrides": overrides | lists, "record_root": record_root, "tracking": None}


@pytest.fixture
def tiny_keys(tiny_overrides: list[str], tmp_path: Path) -> dict[str, Any]:
    """Return the arguments of `degradation.train` for a fraction of a second of training."""
    return list_tiny_keys(tiny_overrides, tmp_path / "runs")


@pytest.fixture(scope="module")
def plain_run(
    tiny_overrides: list[str], tmp_path_factory: pytest.TempPathFactory
) -> degradation.TrainedRun:
    """Return a trained plain run, with seed 4."""
    keys = list_tiny_keys(tiny_overrides, tmp_path_factory.mktemp("runs"))
    return degradation.train("plain", seed=4, **keys)
