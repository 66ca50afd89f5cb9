"""Compose the jobs of a sweep fast: once by Hydra, and then by substituting single values.

Hydra takes a tenth of a second to compose one configuration. A sweep is therefore composed once for
each of its networks; in jobs that differ from an earlier one in single values only (the seed, the
depth), these values are substituted, with the schema's own conversion and validation.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass, replace
from functools import cache
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from degradation.config import Config, check, compose_overrides, read_typed, resolve_fractions
from degradation.config.schema import KEYS
from degradation.sweep.option_errors import read_grid

INTERPOLATION = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")  # of a key, such as ${schedule.iterations}
SECTIONS_WITH_FRACTIONS = {"schedule", "probes"}  # they hold fractions of schedule.iterations
SCALAR_TYPES = (int, float, str, bool)


class JobTemplate:
    """A configuration that Hydra has composed, for jobs that differ from it in single values."""

    def __init__(self, config_name: str, overrides: Sequence[str]) -> None:
        self.composed = compose_overrides(config_name, overrides, return_hydra_config=True)
        self.grid = read_grid(self.composed)
        with read_write(self.composed), open_dict(self.composed):
            del self.composed["hydra"]
        self.typed = read_typed(self.composed)
        self.config = resolve_fractions(self.typed)
        check(self.config)
        text = json.dumps(OmegaConf.to_container(self.composed, resolve=False))
        self.interpolated_keys = INTERPOLATION.findall(text)
        # other interpolations, such as of an environment variable, are left to Hydra
        self.interpolates_only_keys = text.count("${") == len(self.interpolated_keys)
        self.converted: dict[tuple[str, type, Any], Any] = {}

    def substitute(self, values: dict[str, Any]) -> Config | None:
        """Return the configuration with these values by key, or None if Hydra has to compose it.

        Raises ConfigError.
        """
        if not self.interpolates_only_keys or any(self._is_interpolated(key) for key in values):
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

    def _is_interpolated(self, key: str) -> bool:
        return any(
            interpolated == key or key.startswith(f"{interpolated}.")
            for interpolated in self.interpolated_keys
        )

    def _convert(self, key: str, value: Any) -> Any:
        """Return a value as the schema converts it: '3' for text, 1.0 for a float."""
        cached = (key, type(value), value)
        if cached not in self.converted:
            OmegaConf.update(self.composed, key, value)
            self.converted[cached] = OmegaConf.select(self.composed, key)
        return self.converted[cached]


def split_job(
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


def find_substitutable_keys(overrides: Sequence[Override]) -> set[str]:
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
