"""Overrides that do not have the effect that their user may expect.

An experiment's own values replace those of an option that is chosen beside it, such as
`schedule=paper`; a value may change no run; and a value may make swept options equal. Each is one
line, and no error: the runs are what the configuration says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from degradation.config import Config, ConfigError
from degradation.config.composition import compose_overrides
from degradation.config.dotted_keys import flatten
from degradation.config.overrides import EXPERIMENT, list_swept_options
from degradation.config.schema import KEYS
from degradation.run_id import UNHASHED_DATA_KEYS, identify_without_data
from degradation.single_warnings import warn_once

HASHED_SECTIONS = ("data", "model", "precision", "schedule")  # that of `optim` has its own check
# Keys that change the report, but no run: where its records are, what its claims are about, and how
# its figures are titled
RECORD_ROOT = "record_root"
REPORT_KEYS = (RECORD_ROOT, "training_error", "data.margin", "report.titles")
UNKNOWN = object()


def check_is_one_run(base: DictConfig, overrides: Sequence[Override]) -> None:
    """Raise ConfigError if a single run is about to start although the experiment has a grid."""
    overridden = {override.key_or_group for override in overrides}
    open_keys = [key for key in base.hydra.sweeper.params or {} if key not in overridden]
    if open_keys:
        mode = base.hydra.mode or RunMode.RUN  # an experiment may not state it
        raise ConfigError(
            f"hydra.mode: {mode.name} trains one run, but {', '.join(open_keys)} of the"
            " experiment's grid have several values; allowed: MULTIRUN, or one value for each"
        )


def check_one_report(overrides: Sequence[Override]) -> None:
    """Raise ConfigError if a sweep has several values of what one report is written with."""
    for override in overrides:
        key = override.key_or_group
        if override.is_sweep_override() and key in REPORT_KEYS:
            raise ConfigError(
                f"{key}: several values are not allowed, since all runs of a sweep are reported"
                " together; allowed: one value"
            )


def warn_about_repeated_keys(overrides: Sequence[Override]) -> None:
    """Warn of each override that a later one of the same key replaces, as is Hydra's rule."""
    last: dict[tuple[str, bool], Override] = {}
    for override in overrides:
        if override.is_delete():  # of a key that another override may add again
            continue
        # the keys of a section beside the name of its option, such as data={pad: 2} data=digits
        is_section = isinstance(override.value(), dict)
        place = (override.key_or_group, is_section)
        if place in last:
            warn_once(
                f"{_get_text(last[place])}: is replaced by {_get_text(override)}, which is given"
                " later"
            )
        last[place] = override


def warn_about_replaced_options(
    base: DictConfig, overrides: Sequence[Override], config_name: str, groups: Sequence[str]
) -> None:
    """Warn of options whose values an experiment replaces by its own. Inside `initialise_hydra()`.

    Each option of a swept group is examined as if it were the only one.

    Args:
        base: the composition of the whole command line, without swept keys.
        overrides: the command line.
        groups: the groups of conf/ that an option may be chosen from.
    """
    fixed = {item.key_or_group: item for item in overrides if not item.is_sweep_override()}
    if EXPERIMENT not in fixed:
        return
    experiment = _get_text(fixed[EXPERIMENT])
    overridden = {item.key_or_group for item in overrides}
    overridden |= set(base.hydra.sweeper.params or {})
    for override in overrides:
        group = override.key_or_group
        if group not in groups or group == EXPERIMENT or override.is_delete():
            continue
        if not override.is_sweep_override():
            option = _get_text(override)
            alone = compose_overrides(config_name, [option])
            _warn_about_kept_values(option, group, alone, base, overridden, experiment)
            continue
        for name in list_swept_options(override):
            option = f"{group}={name}"
            alone = compose_overrides(config_name, [option])
            others = [_get_text(item) for item in fixed.values()]
            composed = compose_overrides(config_name, [*others, option])
            _warn_about_kept_values(option, group, alone, composed, overridden, experiment)


def _warn_about_kept_values(
    option: str,
    group: str,
    alone: DictConfig,
    composed: DictConfig,
    overridden: set[str],
    experiment: str,
) -> None:
    """Warn if an experiment keeps values of its own where an option has others.

    Args:
        option: the option as an override, such as `optim=adam`.
        group: its group.
        alone: the composition with this option only.
        composed: that with the experiment too.
        overridden: the keys and groups that the command line or the experiment's grid sets.
        experiment: the experiment as an override.
    """
    kept_values = []
    section = _to_values(alone).get(group)
    own_values = flatten(section, f"{group}.") if isinstance(section, dict) else ()
    composed_values = _to_values(composed)
    for key, value in own_values:
        chosen = _select(composed_values, key)
        if chosen not in (value, UNKNOWN) and not _is_overridden(key, overridden):
            kept_values.append(f"{key} ({chosen})")
    if kept_values:
        warn_once(
            f"{option}: {experiment} keeps its own {', '.join(kept_values)};"
            " to change one, set that key too"
        )


def warn_about_ineffective_overrides(
    configs: Sequence[Config], overrides: Sequence[Override], config_name: str
) -> None:
    """Warn of each value that differs from what it replaces, but changes none of these runs.

    Inside `initialise_hydra()`.
    """
    fixed = [item for item in overrides if not item.is_sweep_override()]
    values = [item for item in fixed if _sets_a_hashed_value(item)]
    if not values:
        return
    others = [_get_text(item) for item in fixed if item not in values]
    without = _to_values(compose_overrides(config_name, others))
    for override in values:
        key = override.key_or_group
        before = _select(without, key)
        if before is UNKNOWN or isinstance(before, dict | list):
            continue
        pairs = [(config, _replace(config, key.split("."), before)) for config in configs]
        changed = [(config, other) for config, other in pairs if other != config]
        if changed and all(
            identify_without_data(config) == identify_without_data(other)
            for config, other in changed
        ):
            warn_once(f"{_get_text(override)}: has no effect on these runs")


def warn_about_equal_runs(configs: Sequence[Config], ineffective: Mapping[str, int]) -> None:
    """Warn if some combinations of a sweep are the same run, unless swept keys explain it.

    `ineffective`: the swept keys without effect (`ineffective_keys.list_ineffective_keys`).
    """
    # the jobs of landscape.py are not equal when their run is: each measures a part of its points
    distinct = len({(identify_without_data(config), repr(config.landscape)) for config in configs})
    if distinct < len(configs) and not ineffective:
        warn_once(
            f"this sweep has {len(configs)} combinations but only {distinct} different runs:"
            " an override sets what a swept key selects, or a value is given twice"
        )


def _get_text(override: Override) -> str:
    """Return an override as it was parsed."""
    assert override.input_line is not None
    return override.input_line


def _sets_a_hashed_value(override: Override) -> bool:
    """Return whether an override sets a single key that is part of the identity of some runs."""
    key = override.key_or_group
    if key not in KEYS or is_dataclass(KEYS[key].type):  # a section, or an option of a group
        return False
    return key.partition(".")[0] in HASHED_SECTIONS and key not in UNHASHED_DATA_KEYS


def _to_values(composed: DictConfig) -> dict[Any, Any]:
    """Return a composition as nested dictionaries."""
    values = OmegaConf.to_container(composed, resolve=False)
    assert isinstance(values, dict)
    return values


def _select(values: Any, key: str) -> Any:
    """Return the value or the section of a dotted key, or UNKNOWN if there is none.

    `values`: nested dictionaries, as `_to_values` returns them.
    """
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return UNKNOWN
        values = values[name]
    return values


def _is_overridden(key: str, overridden: set[str]) -> bool:
    """Return whether a key, or a section around it, is among those that are set."""
    parts = key.split(".")
    names = {".".join(parts[:count]) for count in range(2, len(parts) + 1)}
    return not names.isdisjoint(overridden)


def _replace(section: Any, names: Sequence[str], value: Any) -> Any:
    """Return a configuration with one value replaced, or the same one if it lacks the section."""
    if not is_dataclass(section) or isinstance(section, type):
        return section
    name, *rest = names
    new = _replace(getattr(section, name), rest, value) if rest else value
    return replace(section, **{name: new})
