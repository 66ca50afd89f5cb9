"""Fixtures for the tests of data."""

from collections.abc import Callable

import pytest

from degradation.config import Config, Data
from tests.support.image_splits import TEST_SPLITS


@pytest.fixture(scope="session")
def sections(compose_config: Callable[..., Config]) -> dict[str, Data]:
    """The `data` section of each kind of image folder, by name."""
    return {
        name: compose_config(f"data={name}", "data.root=/", "data.validation=0").data
        for name in TEST_SPLITS
    }
