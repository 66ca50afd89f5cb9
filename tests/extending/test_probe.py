"""CONTRIBUTING.md, "A probe": a registered function, its mechanism and its figure."""

from contextlib import ExitStack

import pytest

from analysis.frame import load
from analysis.mechanisms import explain_mechanisms
from degradation.registry import PROBES
from degradation.run_probes import run_probes
from degradation.sweep.planned_runs import describe_planned_run
from degradation.sweep.runs import locate_run
from tests.support.recipes import added_module, read_recipe

FILES = (
    "src/degradation/probes/dead_channels.py",
    "analysis/figures/dead_channels.py",
    "analysis/mechanisms/dead_channels.py",
)


@pytest.fixture(autouse=True)
def _dead_channels(tmp_path):
    recipe = read_recipe("A probe")
    assert set(recipe) == set(FILES)
    with ExitStack() as stack:
        for path in FILES:
            stack.enter_context(added_module(path, recipe[path], tmp_path))
        yield
    PROBES.unregister("dead_channels")


def test_new_probe_runs_during_training(short, train_and_load):
    frame = train_and_load(short("probes.training=[dead_channels]", "probes.early=2"))
    assert frame.excluded == ()
    table = frame.probes["dead_channels"]
    assert table["iteration"].unique().tolist() == [0, 2, 3]
    assert table["block"].tolist() == [0, 1, 2] * 3  # one block per stage
    assert table["share"].between(0, 1).all()


def test_new_probe_runs_afterwards_and_is_reported(short, train_and_load):
    train_and_load(short("probes=none"))
    config = short("probes=none", "probes.afterwards=[dead_channels]")
    run_probes(config)
    frame = load(config.record_root, [describe_planned_run(locate_run(config))])
    assert frame.probes["dead_channels"]["time_point"].unique().tolist() == [
        "initialisation",
        "end",
    ]
    explanations = {
        explanation.name: explanation for explanation in explain_mechanisms(frame, margin=2.0)
    }
    assert len(explanations["dead-channels"].table) == 1
    assert list(explanations["dead-channels"].figures) == ["dead-channels"]
