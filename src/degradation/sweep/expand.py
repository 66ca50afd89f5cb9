"""The configurations that a command line expands to, by Hydra's composition and sweeper.

Hydra takes a tenth of a second to compose one configuration. A sweep is therefore composed once for
each of its networks; in jobs that differ from an earlier one in single values only (the seed, the
depth), these values are substituted, with the schema's own conversion and validation. Free of
torch.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from degradation.config import (
    Config,
    ConfigError,
    check,
    check_overrides,
    check_single_values,
    compose_overrides,
    initialise_hydra,
    quote,
    quote_text,
    read,
    read_typed,
    resolve_fractions,
    split_experiments,
)
from degradation.config.schema import KEYS
from degradation.sweep.ineffective_keys import warn_of_ineffective_keys
from degradation.sweep.override_effects import (
    check_is_one_run,
    check_one_report,
    warn_of_equal_runs,
    warn_of_ineffective_overrides,
    warn_of_replaced_options,
)

REFERENCE = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")  # an interpolation such as ${schedule.iterations}
SECTIONS_WITH_FRACTIONS = {"schedule", "probes"}  # they hold fractions of schedule.iterations
OWNERS_OF_OPTIONS = {"model", "model.block", "model.network"}
SCALAR_TYPES = (int, float, str, bool)


def expand_configs(overrides: Sequence[str], config_name: str = "config") -> list[Config]:
    """Return the configurations of `experiments/train.py OVERRIDES`, in the sweep's order.

    Configurations share the sections in which they do not differ. Raises ConfigError.
    """
    configs: list[Config] = []
    for command_line in split_experiments(overrides):
        quoted = quote_text(command_line)
        check_overrides(quoted)
        with initialise_hydra():
            base = _compose_base(config_name, quoted)
            expanded = list(_expand(base, config_name, quoted))
            _warn_of_effects(base, expanded, config_name, quoted)
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
    typed, overrides = overrides, quote_text(overrides)
    check_overrides(overrides)
    with initialise_hydra():
        base = _compose_base(config_name, overrides)
        if not starts_jobs:
            return None
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        if not multirun and base.hydra.mode is not RunMode.MULTIRUN:
            check_single_values(typed)
            check_is_one_run(base, parsed)
            if os.environ.get("RANK", "0") == "0":  # one of the processes that torchrun starts
                _warn_of_effects(base, [_read_without_hydra(base)], config_name, overrides)
            return None
        # each configuration is checked when it is composed
        configs = list(_expand(base, config_name, overrides))
        _warn_of_effects(base, configs, config_name, overrides)
        return Path(str(base.hydra.sweep.dir))


def _warn_of_effects(
    base: DictConfig, configs: Sequence[Config], config_name: str, overrides: Sequence[str]
) -> None:
    """Log a line for whatever on the command line has not the effect that it seems to have."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    loader = GlobalHydra.instance().config_loader()
    groups = loader.list_groups("")
    warn_of_replaced_options(base, parsed, config_name, groups)
    warn_of_ineffective_overrides(configs, parsed, config_name)
    warn_of_equal_runs(configs, warn_of_ineffective_keys(configs))


def compose_launcher(overrides: Sequence[str]) -> DictConfig:
    """Return the settings of the launcher that a command line selects. Raises ConfigError."""
    quoted = quote_text(split_experiments(overrides)[0])
    check_overrides(quoted)
    with initialise_hydra():
        launcher: DictConfig = _compose_base("config", quoted).hydra.launcher
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
    grid = _read_grid(base)
    (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    if not jobs:
        raise ConfigError(
            "the sweep is empty: a key has no value to sweep over; allowed: value1,value2"
        )
    with _explained_options(parsed):
        yield from _compose_jobs(jobs, config_name, parsed, grid, parser)


def _compose_jobs(
    jobs: Sequence[Sequence[str]],
    config_name: str,
    parsed: Sequence[Override],
    grid: Any,
    parser: OverridesParser,
) -> Iterator[Config]:
    """Yield the configuration of each job; most are substituted into one that Hydra composed."""
    substitutable = _find_substitutable_keys(parsed)
    parse = cache(parser.parse_override)
    templates: dict[tuple[str, ...], _Template] = {}
    for job in jobs:
        values, others = _split_job(job, substitutable, parse)
        if others not in templates:
            # composed unchanged, so that a mistake in it is reported as in a single run
            template = _Template(config_name, job)
            if template.grid != grid:
                raise _swept_grid_error(config_name, job, parsed, grid)
            templates[others] = template
            yield template.config
        else:
            substituted = templates[others].substitute(values)
            yield substituted or _Template(config_name, job).config


@contextmanager
def _explained_options(parsed: Sequence[Override]) -> Iterator[None]:
    """Within this context, a ConfigError about an option of some swept blocks says what to do."""
    try:
        yield
    except ConfigError as error:
        swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
        if not str(error).startswith("model.options.") or swept.isdisjoint(OWNERS_OF_OPTIONS):
            raise
        raise ConfigError(
            f"{error}; a sweep gives every network the same options, so train such networks by"
            " several commands, then compare them by `experiments/report.py --records"
            " RECORD_ROOT`"
        ) from None


def _read_grid(composed: DictConfig) -> Any:
    """Return the grid of a composed command line: what its options sweep over by themselves."""
    parameters = composed.hydra.sweeper.params or {}
    return OmegaConf.to_container(parameters, resolve=False) if parameters else {}


def _swept_grid_error(
    config_name: str, job: Sequence[str], parsed: Sequence[Override], grid: Any
) -> ConfigError:
    """Return the error about a sweep over options, one of which has a grid that Hydra ignores."""
    swept = {override.get_key_element() for override in parsed if override.is_sweep_override()}
    fixed = [text for text in job if text.partition("=")[0] not in swept]
    for text in job:
        key, _, option = text.partition("=")
        if key in swept:
            composed = compose_overrides(config_name, [*fixed, text], True)
            if _read_grid(composed) != grid:
                break
    return ConfigError(
        f"{key}: {quote(option)} has its own grid (hydra.sweeper.params), which a sweep"
        f" over {key} would ignore; allowed: one {key} at a time"
    )


def _split_job(
    job: Sequence[str], substitutable: set[str], parse: Callable[[str], Override]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the values of a job that can be substituted, by key, and its other overrides."""
    values: dict[str, Any] = {}
    others = []
    for text in job:
        override = parse(text)
        if override.key_or_group in substitutable and _is_plain_scalar(override):
            values[override.key_or_group] = override.value()
        else:
            others.append(text)
    return values, tuple(others)


def _find_substitutable_keys(overrides: Sequence[Override]) -> set[str]:
    """Return the swept keys of scalars that no other override affects."""
    loader = GlobalHydra.instance().config_loader()
    keys = [override.key_or_group for override in overrides]
    sections = [key for key in keys if not loader.get_group_options(key)]
    substitutable = set()
    for override in overrides:
        key = override.key_or_group
        is_repeated = keys.count(key) > 1
        is_overridden = any(key.startswith(f"{section}.") for section in sections)
        if is_repeated or is_overridden:
            continue
        if override.is_sweep_override() and key in _scalar_keys():
            substitutable.add(key)
    return substitutable


@cache
def _scalar_keys() -> frozenset[str]:
    """Return the keys of scalars at the top level and in sections that cannot be null."""
    top_sections = {
        name for name, key in KEYS.items() if is_dataclass(key.type) and "." not in name
    }
    scalars = set()
    for name, key in KEYS.items():
        section = name.rpartition(".")[0]
        is_scalar = key.type in SCALAR_TYPES and not key.is_nullable
        if is_scalar and (not section or section in top_sections):
            scalars.add(name)
    return frozenset(scalars)


def _is_plain_scalar(override: Override) -> bool:
    """Return whether an override is `key=value`, with a value that needs no resolution."""
    if override.package is not None:
        return False
    if override.is_add() or override.is_force_add() or override.is_delete():
        return False
    value = override.value()
    if isinstance(value, str):
        return not set("$?") & set(value)
    return isinstance(value, int | float | bool)


class _Template:
    """A configuration that Hydra has composed, for jobs that differ from it in single values."""

    def __init__(self, config_name: str, overrides: Sequence[str]) -> None:
        self.composed = compose_overrides(config_name, overrides, return_hydra_config=True)
        self.grid = _read_grid(self.composed)
        with read_write(self.composed), open_dict(self.composed):
            del self.composed["hydra"]
        self.typed = read_typed(self.composed)
        self.config = resolve_fractions(self.typed)
        check(self.config)
        text = json.dumps(OmegaConf.to_container(self.composed, resolve=False))
        self.references = REFERENCE.findall(text)
        # other interpolations, such as of an environment variable, are left to Hydra
        self.has_only_references = text.count("${") == len(self.references)
        self.converted: dict[tuple[str, type, Any], Any] = {}

    def substitute(self, values: dict[str, Any]) -> Config | None:
        """Return the configuration with these values by key, or None if Hydra has to compose it.

        Raises ConfigError.
        """
        if not self.has_only_references or any(self._is_referenced(key) for key in values):
            return None
        changes: dict[str, dict[str, Any]] = {}  # section: {name: value}
        for key, value in values.items():
            section, _, name = key.rpartition(".")
            try:
                converted = self._convert(key, value)
            except OmegaConfBaseException:
                return None
            changes.setdefault(section, {})[name] = converted
        # fractions are resolved again if the length of the schedule, or they themselves, may change
        resolves_fractions = not SECTIONS_WITH_FRACTIONS.isdisjoint(changes)
        config: Config = self.typed if resolves_fractions else self.config
        own_changes = changes.pop("", {})
        for section, section_changes in changes.items():
            own_changes[section] = replace(getattr(config, section), **section_changes)
        config = replace(config, **own_changes)
        if resolves_fractions:
            config = resolve_fractions(config)
        check(config)
        return config

    def _is_referenced(self, key: str) -> bool:
        return any(
            reference == key or key.startswith(f"{reference}.") for reference in self.references
        )

    def _convert(self, key: str, value: Any) -> Any:
        """Return a value as the schema converts it: '3' for text, 1.0 for a float."""
        cached = (key, type(value), value)
        if cached not in self.converted:
            OmegaConf.update(self.composed, key, value)
            self.converted[cached] = OmegaConf.select(self.composed, key)
        return self.converted[cached]
