"""Overrides that do not have the effect that their user may expect.

A later override of the same key replaces an earlier one; a value may change no run; and a value may
make swept options equal. Each is one line, and no error: the runs are what the configuration says.
"""

from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig

from degradation.config import Config, ConfigError
from degradation.config.composition import compose_overrides
from degradation.config.schema import KEYS
from degradation.counting import format_count
from degradation.run_id import UNHASHED_DATA_KEYS, identify_without_data
from degradation.single_warnings import warn_once
from degradation.sweep.override_values import UNKNOWN, get_text, select_value, to_values

# That of `optim` has its own check (`unread_keys`)
HASHED_SECTIONS = ("data", "model", "precision", "schedule")
# Keys that change the report, but no run: where its records are, what its claims are about, and how
# its figures are titled
RECORD_ROOT = "record_root"
REPORT_KEYS = (RECORD_ROOT, "training_error", "data.margin", "report.titles")


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
        place = _find_place(override)
        if place in last:
            warn_once(
                f"{get_text(last[place])}: is replaced by {get_text(override)}, which is given"
                " later"
            )
        last[place] = override


def drop_replaced_overrides(overrides: Sequence[Override]) -> list[Override]:
    """Return the overrides without those that a later one of the same key replaces."""
    last = {_find_place(item): item for item in overrides if not item.is_delete()}
    return [item for item in overrides if item.is_delete() or last[_find_place(item)] is item]


def _find_place(override: Override) -> tuple[str, bool]:
    """Return what overrides that replace one another have in common.

    The keys of a section and the name of its option do not replace one another, such as
    data={pad: 2} data=digits.
    """
    return override.key_or_group, isinstance(override.value(), dict)


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
    others = [get_text(item) for item in fixed if item not in values]
    without = to_values(compose_overrides(config_name, others))
    for override in values:
        key = override.key_or_group
        before = select_value(without, key)
        if before is UNKNOWN or isinstance(before, dict | list):
            continue
        pairs = [(config, _replace(config, key.split("."), before)) for config in configs]
        changed = [(config, other) for config, other in pairs if other != config]
        if changed and all(
            identify_without_data(config) == identify_without_data(other)
            for config, other in changed
        ):
            warn_once(f"{get_text(override)}: has no effect on these runs")


def describe_equal_runs(configs: Sequence[Config]) -> str | None:
    """Return how many combinations of a sweep are the same run, or None if all differ."""
    # the jobs of landscape.py are not equal when their run is: each measures a part of its points
    distinct = len({(identify_without_data(config), repr(config.landscape)) for config in configs})
    if distinct == len(configs):
        return None
    different = format_count(distinct, "different run")
    return f"this sweep has {len(configs)} combinations but only {different}"


def _sets_a_hashed_value(override: Override) -> bool:
    """Return whether an override sets a single key that is part of the identity of some runs."""
    key = override.key_or_group
    if key not in KEYS or is_dataclass(KEYS[key].type):  # a section, or an option of a group
        return False
    return key.partition(".")[0] in HASHED_SECTIONS and key not in UNHASHED_DATA_KEYS


def _replace(section: Any, names: Sequence[str], value: Any) -> Any:
    """Return a configuration with one value replaced, or the same one if it lacks the section."""
    if not is_dataclass(section) or isinstance(section, type):
        return section
    name, *rest = names
    new = _replace(getattr(section, name), rest, value) if rest else value
    return replace(section, **{name: new})
