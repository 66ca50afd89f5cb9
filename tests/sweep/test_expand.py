"""A grid is composed quickly, and is what Hydra would compose job by job."""

import pytest
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from degradation import config as schema
from degradation.sweep.expand import based, expand_configs

GRIDS = [
    ["experiment=quick", "seed=0,1"],  # early probes refer to schedule.evaluate_every
    ["experiment=learning_rate_digits", "seed=0", "model.depth=8,14"],
    ["experiment=construction_digits", "seed=3"],
    ["schedule.evaluate_every=40,80", "seed=0,1"],
    ["optim.lr=1,0.1,1e-2", "name='3',b", "data.margin=1,2", "data.flip=true,false"],
    ["schedule={milestones:[5]}", "schedule.factor=0.1,0.2"],
    ["model=plain,residual", "model.shortcut=A,B", "model.depth=8,20", "seed=range(3)"],
    [
        "data=image_folder",
        "data.root=x",
        "data.size=null,8",
        "schedule.warmup=null",
        "tracking.entity=me,null",
    ],
    ["name=a,'${seed}'", "data.flip=true,3"],
    ["+experiment=quick", "~hydra.sweeper.params.seed", "seed=7,8"],
]


def one_by_one(overrides):
    """Each job composed by Hydra."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    with based(overrides, "config") as base:
        swept = [f"{key}={value}" for key, value in (base.hydra.sweeper.params or {}).items()]
        parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(
            [*swept, *overrides]
        )
        (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        return [schema.read(compose("config", job)) for job in jobs]


def outcome(function, overrides):
    try:
        return function(overrides)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize(
    "overrides",
    [GRIDS[0], *(pytest.param(grid, marks=pytest.mark.slow) for grid in GRIDS[1:])],
    ids=" ".join,
)
def test_a_grid_is_what_hydra_composes_job_by_job(overrides):
    quickly, expected = outcome(expand_configs, overrides), outcome(one_by_one, overrides)
    assert quickly == expected
    assert repr(quickly) == repr(expected)  # 1 and 1.0 are equal, and not the same


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.depth=8,9"], ["seed=0,x"], ["optim.lr=0.1,-1"], ["seed=1,1.5"], ["sed=1,2"], ["seed=0,null"],
        ["name=a,'a/b'"], ["optim.batch_size=128,0"], ["model.bn_parts=1,3"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_wrong_in_a_grid_is_told_as_it_is_of_a_single_run(overrides):
    quickly, expected = outcome(expand_configs, overrides), outcome(one_by_one, overrides)
    assert quickly == expected
    assert isinstance(quickly, tuple)


def test_a_network_is_composed_once_whatever_the_number_of_seeds(monkeypatch):
    from degradation.sweep import expand

    composed = []

    def counted(*given, **named):
        composed.append(given)
        return compose(*given, **named)

    monkeypatch.setattr(expand, "compose", counted)
    assert (
        len(expand_configs(["model=plain,residual", "model.depth=8,14", "seed=range(100)"])) == 400
    )
    assert len(composed) == 3  # the base, and one of each model
