"""Change keys of a configuration without composing it again, which takes most of a test's time."""

from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import yaml

from degradation.config import Config


def change_keys(compose_config: Callable[..., Config], *overrides: str) -> Config:
    """Return a configuration whose presets are composed and whose other keys are set.

    It is not checked, and a key that another one follows from is not set. Use it where the
    composition is not under test.

    Args:
        compose_config: the fixture of this name, which composes the same presets only once.
        overrides: as on a command line.
    """
    default = compose_config()
    presets = [override for override in overrides if _is_preset(default, override)]
    config = compose_config(*presets)
    for override in overrides:
        if override not in presets:
            _set_key(config, override)
    return config


def _is_preset(config: Config, override: str) -> bool:
    name = override.partition("=")[0]
    if name == "data.root":  # a data set may need one
        return True
    return "." not in name and (not hasattr(config, name) or is_dataclass(getattr(config, name)))


def _set_key(config: Config, override: str) -> None:
    name, _, text = override.partition("=")
    *sections, key = name.split(".")
    section: Any = config
    for name in sections:
        section = getattr(section, name)
    value = yaml.safe_load(text)
    if isinstance(getattr(section, key), float) and isinstance(value, int):
        value = float(value)
    assert not isinstance(value, str) or text == value, text
    setattr(section, key, value)
