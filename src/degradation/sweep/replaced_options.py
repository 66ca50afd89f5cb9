"""Options, such as `schedule=paper`, whose values something else on the command line replaces.

An experiment keeps its own values beside an option; the grid and single keys replace an option's
values too. The runs are what the configuration says, so each is one line, and no error.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from degradation.config import ConfigError
from degradation.config.composition import compose_overrides
from degradation.config.dotted_keys import flatten
from degradation.config.overrides import EXPERIMENT, list_swept_options
from degradation.single_warnings import warn_once
from degradation.sweep.override_values import (
    UNKNOWN,
    get_text,
    list_grid_overrides,
    select_value,
    to_values,
)


def warn_about_kept_values(
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
    experiment = get_text(fixed[EXPERIMENT])
    overridden = {item.key_or_group for item in overrides}
    overridden |= set(base.hydra.sweeper.params or {})
    for override in overrides:
        group = override.key_or_group
        if group not in groups or group == EXPERIMENT or override.is_delete():
            continue
        if not override.is_sweep_override():
            option = get_text(override)
            own_values = _compose_section(config_name, [option], group)
            kept_values = _list_kept_values(own_values, base, overridden)
            if kept_values:
                advice = f"add {shlex.join(kept_values.values())} to use the option's"
                warn_once(
                    f"{option}: {experiment} keeps its own {', '.join(kept_values)}; {advice}"
                )
            continue
        for name in list_swept_options(override):
            option = f"{group}={name}"
            own_values = _compose_section(config_name, [option], group)
            others = [get_text(item) for item in fixed.values()]
            composed = compose_overrides(config_name, [*others, option])
            kept_values = _list_kept_values(own_values, composed, overridden)
            if kept_values:
                # in the sweep, the other options would get these values too
                added = shlex.join(kept_values.values())
                advice = f"to use the option's, run {option} by itself with {added}"
                warn_once(
                    f"{option}: {experiment} keeps its own {', '.join(kept_values)}; {advice}"
                )


def warn_about_ineffective_options(
    base: DictConfig, overrides: Sequence[Override], config_name: str, groups: Sequence[str]
) -> None:
    """Warn of each option all of whose values the grid or single keys replace.

    Such as `model=plain` beside `model.shortcut=A`. Arguments: see `warn_about_kept_values`.
    """
    grid = list_grid_overrides(base, overrides)
    replacing = [*grid, *overrides]
    final_values = to_values(base)
    # the last override of a group counts
    fixed = {item.key_or_group: item for item in overrides if not item.is_sweep_override()}
    for group, override in fixed.items():
        if group not in groups or group == EXPERIMENT or override.is_delete():
            continue
        if not any(item.key_or_group.startswith(f"{group}.") for item in replacing):
            continue
        option = get_text(override)
        others = _list_others(fixed, group)
        try:
            without = _compose_section(config_name, others, group)
        except ConfigError:
            continue  # the other overrides need a section that only this option has
        with_option = _compose_section(config_name, [*others, option], group)
        selected = {
            key: value for key, value in with_option.items() if without.get(key, UNKNOWN) != value
        }
        setters = {key: _find_setter(key, replacing) for key in selected}
        if not all(setters.values()):
            continue
        replaced = []
        for key, setter in setters.items():
            assert setter is not None
            if setter.is_sweep_override() or select_value(final_values, key) != selected[key]:
                by = _describe_setter(setter, grid)
                replaced.append(f"{key} ({_format_value(selected[key])}) is replaced by {by}")
        if replaced:
            warn_once(f"{option}: has no effect, since its {' and its '.join(replaced)}")


def list_replaced_sweeps(
    base: DictConfig, overrides: Sequence[Override], config_name: str, groups: Sequence[str]
) -> list[str]:
    """Return what replaces the values in which options of a swept group differ.

    For example, `model.shortcut=B replaces what model=plain,residual selects`. Arguments: see
    `warn_about_kept_values`.
    """
    grid = list_grid_overrides(base, overrides)
    effective = {item.key_or_group: item for item in [*grid, *overrides]}
    fixed = {item.key_or_group: item for item in overrides if not item.is_sweep_override()}
    lines = []
    for group, sweep in effective.items():
        if group not in groups or group == EXPERIMENT or not sweep.is_sweep_override():
            continue
        others = _list_others(fixed, group)
        sections = [
            _compose_section(config_name, [*others, f"{group}={name}"], group)
            for name in dict.fromkeys(list_swept_options(sweep))
        ]
        varying = _list_varying_keys(sections)
        setters = {key: _find_setter(key, list(effective.values())) for key in varying}
        remaining = [key for key in varying if setters[key] is None]
        if _count_distinct(sections, remaining) == _count_distinct(sections, varying):
            continue
        texts = [_name_override(item, grid) for item in setters.values() if item is not None]
        names = list(dict.fromkeys(texts))
        verb = "replace" if len(names) > 1 else "replaces"
        lines.append(f"{' and '.join(names)} {verb} what {_name_override(sweep, grid)} selects")
    return lines


def list_repeated_values(base: DictConfig, overrides: Sequence[Override]) -> list[str]:
    """Return the sweeps that have a value twice, such as `seed=0,0 gives 0 more than once`."""
    grid = list_grid_overrides(base, overrides)
    effective = {item.key_or_group: item for item in [*grid, *overrides]}
    lines = []
    for override in effective.values():
        if not override.is_discrete_sweep():
            continue
        values = list(override.sweep_string_iterator())
        repeated = [value for value in dict.fromkeys(values) if values.count(value) > 1]
        if repeated:
            name = _name_override(override, grid)
            lines.append(f"{name} gives {', '.join(repeated)} more than once")
    return lines


def _list_kept_values(
    own_values: Mapping[str, Any], composed: DictConfig, overridden: set[str]
) -> dict[str, str]:
    """Return the values that an experiment keeps where an option has others.

    Args:
        own_values: the values of the option, by dotted key.
        composed: the composition with the experiment too.
        overridden: the keys and groups that the command line or the experiment's grid sets.

    Returns:
        What each key has and would have, with the override that would give it the option's value.
    """
    kept_values = {}
    composed_values = to_values(composed)
    for key, value in own_values.items():
        chosen = select_value(composed_values, key)
        if chosen not in (value, UNKNOWN) and not _is_overridden(key, overridden):
            kept, own = _format_value(chosen), _format_value(value)
            kept_values[f"{key} ({kept}, where the option has {own})"] = f"{key}={own}"
    return kept_values


def _list_others(fixed: Mapping[str, Override], group: str) -> list[str]:
    """Return the overrides that neither choose an option of a group nor set one of its keys."""
    return [
        get_text(item)
        for key, item in fixed.items()
        if key != group and not key.startswith(f"{group}.")
    ]


def _compose_section(config_name: str, overrides: Sequence[str], group: str) -> dict[str, Any]:
    """Return the values of a group's section by dotted key. Raises ConfigError."""
    section = to_values(compose_overrides(config_name, overrides)).get(group)
    return dict(flatten(section, f"{group}.")) if isinstance(section, dict) else {}


def _find_setter(key: str, overrides: Sequence[Override]) -> Override | None:
    """Return the last override that sets a key or a section around it, or None."""
    setter = None
    for override in overrides:
        if _is_overridden(key, {override.key_or_group}):
            setter = override
    return setter


def _describe_setter(setter: Override, grid: Sequence[Override]) -> str:
    """Return what replaces a value: a single override, or the values of the grid."""
    if setter in grid:
        return f"that of the grid ({get_text(setter).partition('=')[2]})"
    return get_text(setter)


def _name_override(override: Override, grid: Sequence[Override]) -> str:
    """Return an override, and whether it is one of the grid."""
    return f"{get_text(override)} of the grid" if override in grid else get_text(override)


def _list_varying_keys(sections: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys whose values differ between sections."""
    keys: dict[str, None] = {}  # a set that keeps its order
    for section in sections:
        keys |= dict.fromkeys(section)
    return [key for key in keys if _count_distinct(sections, [key]) > 1]


def _count_distinct(sections: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    """Return how many combinations of these keys' values the sections have."""
    return len({repr([section.get(key, UNKNOWN) for key in keys]) for section in sections})


def _is_overridden(key: str, overridden: set[str]) -> bool:
    """Return whether a key, or a section around it, is among those that are set."""
    parts = key.split(".")
    names = {".".join(parts[:count]) for count in range(2, len(parts) + 1)}
    return not names.isdisjoint(overridden)


def _format_value(value: Any) -> str:
    """Return a value as a command line has it, such as 0.1, null, true or [a,b]."""
    if isinstance(value, list):
        return f"[{','.join(map(_format_value, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
