"""The pair of families that runs belong to."""

import pytest

from analysis.family_pairs import FamilyPair, family_pair


@pytest.mark.parametrize(
    ("family", "pair"),
    [
        ("plain", FamilyPair("plain", "residual")),
        ("residual", FamilyPair("plain", "residual")),
        ("preactivation", FamilyPair("plain-preactivation", "preactivation")),
        ("plain-preactivation", FamilyPair("plain-preactivation", "preactivation")),
    ],
)
def test_runs_belong_to_a_pair_of_families(build_frame, family, pair):
    assert family_pair(build_frame({family: {20: [1.0]}}).runs) == pair
