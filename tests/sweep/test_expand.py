"""A sweep is expanded quickly, to exactly the configurations that Hydra composes job by job."""

import pytest
from hydra import compose
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from degradation.config import ConfigError, composition, initialise_hydra, read
from degradation.config.error_messages import format_hydra_error
from degradation.sweep.expand import expand_configs

SWEEPS = [
    ["schedule.evaluate_every=40,80", "seed=0,1"],
    ["experiment=quick", "seed=0,1"],  # probes.early refers to schedule.evaluate_every
    ["experiment=learning_rate_digits", "seed=0", "model.depth=8,14"],
    ["experiment=construction_digits", "seed=3"],
    ["optim.lr=1,0.1,1e-2", "name='3',b", "optim.weight_decay=1,2", "data.flip=true,false"],
    ["schedule={milestones:[5]}", "schedule.factor=0.1,0.2"],
    ["model=plain,residual", "model.shortcut=A,B", "model.depth=8,20", "seed=range(3)"],
    [
        "data=image_folder", "data.root=x", "data.size=null,8", "schedule.warmup=null",
        "tracking.entity=me,null",
    ],
    ["name=a,'${seed}'", "data.flip=true,3"],
    ["~hydra.sweeper.params.seed", "experiment=quick", "seed=7,8"],
    ["experiment=quick", "model.depth=20,56", "seed=1"],
    ["schedule=paper", "schedule.iterations=100,999", "probes.early=0.5,3", "seed=0,1"],
    ["schedule.evaluate_every=0.25,10", "name='1_0','1.50'"],
]  # fmt: skip
BAD_SWEEPS = [
    ["model.depth=8,9"],
    ["seed=0,x"],
    ["optim.lr=0.1,-1"],
    ["seed=1,1.5"],
    ["sed=1,2"],
    ["seed=0,null"],
    ["name=a,'a/b'"],
    ["optim.batch_size=128,0"],
    ["model.bn_parts=1,3"],
    ["schedule.evaluate_every=0.5,1.5"],
    ["schedule.iterations=100,0"],
]


def compose_each_job(overrides):
    """Compose each job with Hydra alone."""
    fixed = [
        text
        for text, override in zip(
            overrides, OverridesParser.create().parse_overrides(overrides), strict=True
        )
        if not override.is_sweep_override()
    ]
    with initialise_hydra():
        base = compose("config", fixed, return_hydra_config=True)
        parameters = base.hydra.sweeper.params or {}
        swept = [f"{key}={value}" for key, value in parameters.items()]
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        parsed = parser.parse_overrides([*swept, *overrides])
        (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        return [read(compose("config", job)) for job in jobs]


def outcome(function, overrides):
    """Return what the function returns, or the message of its error."""
    try:
        return function(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        return format_hydra_error(error)
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize(
    "overrides",
    [SWEEPS[0], *(pytest.param(sweep, marks=pytest.mark.slow) for sweep in SWEEPS[1:])],
    ids=" ".join,
)
def test_sweep_equals_hydras_composition_of_each_job(overrides):
    quick, expected = outcome(expand_configs, overrides), outcome(compose_each_job, overrides)
    assert quick == expected
    assert repr(quick) == repr(expected)  # 1 and 1.0 are equal, but not the same


@pytest.mark.slow
@pytest.mark.parametrize("overrides", BAD_SWEEPS, ids=" ".join)
def test_bad_sweep_has_the_message_of_a_single_run(overrides):
    quick, expected = outcome(expand_configs, overrides), outcome(compose_each_job, overrides)
    assert quick == expected
    assert isinstance(quick, str)


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        (["model=plain,residual", "model.depth=8,14", "seed=range(100)"], 400),
        # the grid of an experiment, narrowed by the command line
        (["experiment=quick", "model.depth=20,56", "seed=0,1"], 8),
    ],
)
def test_each_network_is_composed_once_for_all_seeds(monkeypatch, overrides, count):
    compositions = []

    def counting_compose(*arguments, **options):
        compositions.append(arguments)
        return compose(*arguments, **options)

    monkeypatch.setattr(composition, "compose", counting_compose)
    assert len(expand_configs(overrides)) == count
    assert len(compositions) == 3  # the base, and one of each model
