"""Fixtures of the tests of comparisons."""

import pytest

from tests.support.comparisons import join_conditions


@pytest.fixture
def joined(frame_of):
    """(errors by family and depth, columns) pairs -> one frame of all their runs."""
    return lambda *conditions: join_conditions(frame_of, conditions)
