"""Every job's configuration equals the one that Hydra composes, though few are composed."""

import copy
from unittest.mock import patch

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from degradation.config.composition import initialise_hydra, read_typed
from hydra_plugins.sweep_launcher._job_configs import JobConfigs


@pytest.fixture
def loader():
    with initialise_hydra():
        yield GlobalHydra.instance().config_loader()


def compose_sweep(loader, config_name, overrides):
    """Return the configuration of a sweep and the overrides of its jobs."""
    parser = OverridesParser.create(loader)
    fixed = [
        text
        for text, override in zip(overrides, parser.parse_overrides(overrides), strict=True)
        if not override.is_sweep_override()
    ]
    sweep = loader.load_configuration(config_name, fixed, RunMode.MULTIRUN)
    grid = [f"{key}={value}" for key, value in (sweep.hydra.sweeper.params or {}).items()]
    (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*grid, *overrides]), None)
    return sweep, jobs


def read(composed):
    """Return the part of a configuration that is not Hydra's own, with the types of the schema."""
    part = copy.deepcopy(composed)
    with read_write(part), open_dict(part):
        del part["hydra"]
    return read_typed(part)


@pytest.mark.fast_cases(8)
@pytest.mark.parametrize(
    ("config_name", "overrides", "count_composed"),
    [
        ("config", ["experiment=quick", "model.depth=20,56", "seed=0,1"], 2),  # plain and residual
        ("landscape", ["experiment=quick", "model=plain", "model.depth=20,56", "seed=0"], 1),
        ("config", ["model.depth=20,56", "seed=0,1", "name=2026_01_15,true"], 1),
        ("config", ["model.depth=8,14", "data.margin=1,2.5", "device=cpu,auto"], 1),
        ("config", ["model.depth=8,14", "data=digits,cifar10"], 2),
        ("config", ["schedule.iterations=8,16", "schedule.milestones=[4],[8]"], 2),
        ("config", ["model.depth=8,14", "hydra.sweep.subdir=a,b"], 2),
        ("config", ["model.depth=8,14", "+model.options.scale=1,2"], 2),
        ("config", ["experiment=paper"], 2),
        ("config", ["experiment=natural"], 2),
        ("config", ["experiment=construction_digits"], None),
        ("landscape", ["experiment=quick"], 2),
    ],
    ids=str,
)
def test_configurations_equal_those_of_hydra(loader, config_name, overrides, count_composed):
    sweep, jobs = compose_sweep(loader, config_name, overrides)
    compose = loader.load_sweep_config
    with patch.object(loader, "load_sweep_config", side_effect=compose) as composed:
        job_configs = JobConfigs(loader, sweep)
        configs = [job_configs.compose(job) for job in jobs]
    if count_composed is not None:
        assert composed.call_count == count_composed
    for job, config in zip(jobs, configs, strict=True):
        expected = compose(sweep, job)
        assert OmegaConf.to_container(config, resolve=False) == OmegaConf.to_container(
            expected, resolve=False
        )
        assert read(config) == read(expected)


def test_order_decides_between_a_section_and_its_key(loader):
    job = ["schedule=paper", "schedule.warmup={lr:0.05,below:70}", "schedule.warmup.lr=0.02"]
    sweep, _ = compose_sweep(loader, "config", ["model=plain"])
    job_configs = JobConfigs(loader, sweep)
    config = job_configs.compose(job)
    assert job_configs.compose(job) == config == loader.load_sweep_config(sweep, job)
    assert config.schedule.warmup.lr == 0.02


def test_job_does_not_change_a_later_one(loader):
    sweep, _ = compose_sweep(loader, "config", ["model=plain"])
    job_configs = JobConfigs(loader, sweep)
    first = job_configs.compose(["model.depth=20"])
    first.model.depth = 8
    second = job_configs.compose(["model.depth=56"])
    second.optim.lr = 3.0
    assert job_configs.compose(["model.depth=20"]) == loader.load_sweep_config(
        sweep, ["model.depth=20"]
    )


def catch(function, *arguments):
    """Return the kind and the text of the exception that a call raises."""
    with pytest.raises((ValueError, HydraException)) as raised:
        function(*arguments)
    return raised.type, str(raised.value)


@pytest.mark.parametrize("wrong", ["model.depth=many", "model.dpth=56", "schedule=8"])
def test_mistake_in_a_later_job_has_the_message_of_hydra(loader, wrong):
    sweep, _ = compose_sweep(loader, "config", ["model=plain"])
    job_configs = JobConfigs(loader, sweep)
    job_configs.compose(["model.depth=20"])
    assert catch(job_configs.compose, [wrong]) == catch(loader.load_sweep_config, sweep, [wrong])
