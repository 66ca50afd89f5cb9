"""A grid: the runs that a command line stands for, by Hydra's own composition and sweeper. Free of torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, open_dict

from degradation import config as schema
from degradation.config import CONF, Config
from degradation.data.content import content
from degradation.environment import InstallationError, check_torch_pair
from degradation.identity import hashed_values, run_id
from degradation.records.store import Record


@dataclass(frozen=True)
class GridRun:
    """One run of a grid, trained or not."""

    config: Config
    run_id: str
    record: Record


def grid_run(config: Config) -> GridRun:
    identifier = run_id(config, content(config.data))
    return GridRun(config, identifier, Record(config.record_root, identifier))


def expand(overrides: list[str]) -> list[GridRun]:
    """The distinct runs of `experiments/train.py OVERRIDES`, in the sweep's order.

    Raises ConfigError, or Hydra's own exception for an override that does not parse or compose.
    """
    runs = [grid_run(config) for config in configurations(overrides)]
    return list({run.run_id: run for run in runs}.values())


def configurations(overrides: list[str]) -> list[Config]:
    """As `expand`, without the ids, and so without a look at the data."""
    schema.register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        # the base configuration of a sweep has no swept value: Hydra composes it without them
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        fixed = [given for given in overrides if not parser.parse_override(given).is_sweep_override()]
        base = compose("config", fixed, return_hydra_config=True)
        swept = [f"{key}={value}" for key, value in (base.hydra.sweeper.params or {}).items()]
        (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*swept, *overrides]), max_batch_size=None)
        return [schema.read(compose("config", job)) for job in jobs]


def default_margin(data: str) -> float:
    """The margin of a data set in conf/, in points of training error."""
    schema.register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return float(compose("config", [f"data={data}"]).data.margin)


@dataclass(frozen=True)
class Admission:
    """What the launcher needs to know of a job before it spends a process on it."""

    label: str
    work: float  # in any unit that is the same for all jobs of a sweep
    settled: str | None  # why there is nothing to do, such as `done before`


def admitted(cfg: DictConfig) -> GridRun:
    """The run of a job, checked before any job has started. Raises ConfigError: then none starts."""
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.pop("hydra", None)
    run = grid_run(schema.read(cfg))
    try:
        check_torch_pair()
    except InstallationError as problem:
        raise schema.ConfigError(str(problem)) from None
    return run


def preflight(cfg: DictConfig) -> Admission:
    """For train.py; called by the launcher for each job."""
    run = admitted(cfg)
    outcome, work = run.record.outcome(), float(run.config.schedule.iterations * run.config.model.depth)
    return Admission(run.run_id, work, f"{outcome} before" if outcome else None)


def title(runs: list[GridRun]) -> str:
    """The experiment's name: that of its runs."""
    return runs[0].config.name


def root(runs: list[GridRun]) -> Path:
    return Path(runs[0].config.record_root)


def described(run: GridRun) -> dict[str, Any]:
    """What the frame shows of a run that has no record yet, in the form of a record's run.json."""
    return {
        "run_id": run.run_id,
        "family": schema.family(run.config.model),
        "config": hashed_values(run.config, content(run.config.data)),
    }
