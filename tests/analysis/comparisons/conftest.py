"""Fixtures of the tests of comparisons."""

import pytest

from tests.support.comparisons import join_conditions


@pytest.fixture
def joined(build_frame):
    """(errors by family and depth, columns) pairs -> one frame of all their runs."""
    return lambda *conditions: join_conditions(build_frame, conditions)
