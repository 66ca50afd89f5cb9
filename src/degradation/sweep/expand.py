"""The configurations that a command line expands to, by Hydra's composition and sweeper.

For example, of the command line

    experiments/train.py -m model=plain,residual model.depth=20,56 seed=1

Hydra's sweeper makes four jobs, each with one value per key:

    model=plain model.depth=20 seed=1           model=residual model.depth=20 seed=1
    model=plain model.depth=56 seed=1           model=residual model.depth=56 seed=1

and each job becomes a `Config`. Hydra composes the first job of each model; into the other, the
depth is substituted (`job_template`), which is faster. Free of torch.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from degradation.config import (
    Config,
    ConfigError,
    check_overrides,
    check_single_values,
    compose_overrides,
    initialise_hydra,
    quote_text,
    read,
    split_experiments,
)
from degradation.single_warnings import warn_once
from degradation.sweep.ineffective_keys import warn_about_ineffective_keys
from degradation.sweep.job_template import JobTemplate, find_substitutable_keys, split_job
from degradation.sweep.option_errors import (
    build_ignored_grid_error,
    explained_options,
    read_grid,
)
from degradation.sweep.override_effects import (
    check_is_one_run,
    check_one_report,
    describe_equal_runs,
    warn_about_ineffective_overrides,
    warn_about_repeated_keys,
)
from degradation.sweep.replaced_options import (
    list_repeated_values,
    list_replaced_sweeps,
    warn_about_ineffective_options,
    warn_about_kept_values,
)
from degradation.sweep.unread_keys import warn_about_unread_optim_keys, warn_about_unread_root

TRAINING = "config"  # the file in conf/ from which trainings are composed


def expand_configs(overrides: Sequence[str]) -> list[Config]:
    """Return the configurations of `experiments/train.py OVERRIDES`, in the sweep's order.

    Configurations share the sections in which they do not differ. Raises ConfigError.
    """
    configs: list[Config] = []
    for command_line in split_experiments(overrides):
        quoted = quote_text(command_line)
        check_overrides(quoted)
        with initialise_hydra():
            base = _compose_base(TRAINING, quoted)
            expanded = list(_expand(base, TRAINING, quoted))
            _warn_about_effects(base, expanded, TRAINING, quoted)
        configs += expanded
    return configs


def check_command_line(
    overrides: Sequence[str], config_name: str, multirun: bool, starts_jobs: bool
) -> Path | None:
    """Compose every configuration of a command line before Hydra does, to find every mistake.

    Hydra writes files before it has checked a sweep, and reports some mistakes by a traceback.
    Returns the folder of the sweep's logs, or None if no sweep is about to start. Raises
    ConfigError.

    Args:
        multirun: whether -m was passed; if not, the configuration says whether this is a sweep
        starts_jobs: False for an option such as --cfg, which only prints, and accepts incomplete
            configurations
    """
    quoted = quote_text(overrides)
    check_overrides(quoted)
    with initialise_hydra():
        base = _compose_base(config_name, quoted)
        if not starts_jobs:
            return None
        parsed = OverridesParser.create().parse_overrides(list(quoted))
        if not multirun and base.hydra.mode is not RunMode.MULTIRUN:
            check_single_values(overrides)
            check_is_one_run(base, parsed)
            if os.environ.get("RANK", "0") == "0":  # one of the processes that torchrun starts
                _warn_about_effects(base, [_read_without_hydra(base)], config_name, quoted)
            return None
        # each configuration is checked when it is composed
        configs = list(_expand(base, config_name, quoted))
        _warn_about_effects(base, configs, config_name, quoted)
        return Path(str(base.hydra.sweep.dir))


def _warn_about_effects(
    base: DictConfig, configs: Sequence[Config], config_name: str, overrides: Sequence[str]
) -> None:
    """Log a line for whatever on the command line has not the effect that it seems to have."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    loader = GlobalHydra.instance().config_loader()
    groups = loader.list_groups("")
    warn_about_repeated_keys(parsed)
    warn_about_unread_root(configs, parsed)
    warn_about_unread_optim_keys(configs)
    warn_about_kept_values(base, parsed, config_name, groups)
    warn_about_ineffective_options(base, parsed, config_name, groups)
    warn_about_ineffective_overrides(configs, parsed, config_name)
    has_ineffective_keys = bool(warn_about_ineffective_keys(configs))
    equal_runs = describe_equal_runs(configs)
    if equal_runs is not None and not has_ineffective_keys:
        causes = list_replaced_sweeps(base, parsed, config_name, groups)
        causes += list_repeated_values(base, parsed)
        reason = "; ".join(causes) or "an override sets what a swept key selects"
        warn_once(f"{equal_runs}: {reason}")


def compose_launcher(overrides: Sequence[str]) -> DictConfig:
    """Return the settings of the launcher that a command line selects. Raises ConfigError."""
    quoted = quote_text(split_experiments(overrides)[0])
    check_overrides(quoted)
    with initialise_hydra():
        launcher: DictConfig = _compose_base(TRAINING, quoted).hydra.launcher
        return launcher


def _compose_base(config_name: str, overrides: Sequence[str]) -> DictConfig:
    """Return the composition without the swept keys; it holds Hydra's own configuration."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    fixed = [
        text
        for text, override in zip(overrides, parsed, strict=True)
        if not override.is_sweep_override()
    ]
    return compose_overrides(config_name, fixed, return_hydra_config=True)


def _read_without_hydra(composed: DictConfig) -> Config:
    """Return the configuration of a composition that holds Hydra's own too. Raises ConfigError."""
    own = composed.copy()
    with read_write(own), open_dict(own):
        del own["hydra"]
    return read(own)


def _expand(base: DictConfig, config_name: str, overrides: Sequence[str]) -> Iterator[Config]:
    """Yield the configuration of each job. Raises ConfigError."""
    parameters = base.hydra.sweeper.params or {}
    swept = [f"{key}={value}" for key, value in parameters.items()]
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    parsed = parser.parse_overrides([*swept, *overrides])
    check_one_report(parsed)
    grid = read_grid(base)
    (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    if not jobs:
        raise ConfigError(
            "the sweep is empty: a key has no value to sweep over; allowed: value1,value2"
        )
    # as in Hydra's sweeper, the command line's values of a key replace those of the grid
    effective = {override.get_key_element(): override for override in parsed}
    with explained_options(parsed):
        yield from _compose_jobs(jobs, config_name, list(effective.values()), grid, parser)


def _compose_jobs(
    jobs: Sequence[Sequence[str]],
    config_name: str,
    parsed: Sequence[Override],
    grid: Any,
    parser: OverridesParser,
) -> Iterator[Config]:
    """Yield the configuration of each job; most are substituted into one that Hydra composed."""
    substitutable = find_substitutable_keys(parsed)
    parse = cache(parser.parse_override)
    templates: dict[tuple[str, ...], JobTemplate] = {}
    for job in jobs:
        values, others = split_job(job, substitutable, parse)
        if others not in templates:
            # composed unchanged, so that a mistake in it is reported as in a single run
            template = JobTemplate(config_name, job)
            if template.grid != grid:
                raise build_ignored_grid_error(config_name, job, parsed, grid)
            templates[others] = template
            yield template.config
        else:
            substituted = templates[others].substitute(values)
            yield substituted or JobTemplate(config_name, job).config
