"""All mechanisms together: their order, their captions, and what they need from a frame."""

from dataclasses import replace

import pytest

from analysis.figures import style
from analysis.mechanisms import explain_mechanisms
from tests.support.probe_tables import (
    LEVEL,
    gradient_flow_table,
    identity_table,
    responses_table,
    shattering_table,
)

DEPTHS = (8, 14)
FAMILIES = ("plain", "residual")


@pytest.fixture
def frame(build_frame):
    style.apply()
    frame = build_frame({family: {depth: [1.0, 2.0] for depth in DEPTHS} for family in FAMILIES})
    norms = {family: {depth: {0: LEVEL} for depth in DEPTHS} for family in FAMILIES}
    means = {family: dict.fromkeys(DEPTHS, 0.8) for family in FAMILIES}
    probes = {
        "responses": responses_table(means, seeds=2),
        "identity": identity_table(DEPTHS),
        "shattering": shattering_table(means, seeds=2),
        "gradient_flow": gradient_flow_table(norms),
    }
    return replace(frame, probes=probes)


def test_mechanisms_follow_the_order_of_the_argument(frame):
    names = [explanation.name for explanation in explain_mechanisms(frame, 2.0)]
    assert names == ["convergence", "gradient-flow", "shattering", "identity", "responses"]


def test_frame_without_probes_is_not_explained(frame):
    assert explain_mechanisms(replace(frame, probes={}), 2.0) == []
