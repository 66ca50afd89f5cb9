"""The iterations at which a run is evaluated and probed."""

import pytest

from degradation.config import (
    evaluation_iterations,
    is_applicable,
    is_evaluated,
    later_probe_iterations,
    probe_iterations,
)
from degradation.registry import PROBES


@pytest.mark.parametrize(
    ("last", "every", "expected"),
    [
        (12, 4, [4, 8, 12]),
        (10, 4, [4, 8, 10]),  # the last iteration is always evaluated
        (3, 4, [3]),
        (4, 4, [4]),
        (3, 1, [1, 2, 3]),
    ],
)
def test_evaluation_iterations(last, every, expected):
    assert list(evaluation_iterations(last, every)) == expected
    assert [n for n in range(last + 1) if is_evaluated(n, last, every)] == expected
    assert list(evaluation_iterations(last, every, at_start=True)) == [0, *expected]


def test_training_is_probed_early_and_at_each_milestone(compose_config):
    config = compose_config("schedule.iterations=400", "probes.early=10")
    assert probe_iterations(config) == [0, 10, 200, 300, 400]
    short = compose_config(
        "schedule.iterations=8",
        "schedule.milestones=[4]",
        "schedule.snapshots=[]",
        "probes.early=10",
    )
    assert probe_iterations(short) == [0, 4, 8]


@pytest.mark.parametrize(("snapshots", "start"), [("[]", []), ("[0,200]", [0])])
def test_constructed_network_start_needs_a_snapshot(compose_config, snapshots, start):
    config = compose_config("model=constructed", f"schedule.snapshots={snapshots}")
    assert later_probe_iterations(config)["start"] == start
    assert later_probe_iterations(compose_config())["start"] == [0]


def test_phases_of_each_probe_exist(compose_config):
    phases = later_probe_iterations(compose_config())
    for name in PROBES.names():
        assert set(PROBES.facts(name)["at"]) <= set(phases)


def test_probes_of_shortcuts_need_shortcuts(make_model):
    plain, residual = make_model(shortcut="none"), make_model(shortcut="A")
    applicable = {name for name in PROBES.names() if is_applicable(name, plain)}
    assert set(PROBES.names()) - applicable == {"identity", "paths"}
    assert all(is_applicable(name, residual) for name in PROBES.names())
