"""The configurations that a command line stands for, by Hydra's own composition and sweeper. Free of torch.

Hydra takes a tenth of a second for each, so a grid is composed once for each of its networks, and what differs beside
that in single values (the seed, the depth) is put in their place, by the schema's own conversion and check.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from degradation import config as schema
from degradation.config import CONF, Config, ConfigError

REFERENCE = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")
SCALARS = (int, float, str, bool)


def expand_configs(overrides: Sequence[str]) -> list[Config]:
    """Those of `experiments/train.py OVERRIDES`, in the sweep's order; they share the parts that do not differ.

    Raises ConfigError, or Hydra's own exception for an override that does not parse or compose.
    """
    schema.check_overrides(overrides)
    with based(overrides, "config") as base:
        swept = [f"{key}={value}" for key, value in (base.hydra.sweeper.params or {}).items()]
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        words = parser.parse_overrides([*swept, *overrides])
        (jobs,) = BasicSweeper.split_arguments(words, max_batch_size=None)
        if not jobs:
            raise ConfigError(
                "the sweep is empty: a key has no value to sweep over; allowed: value1,value2"
            )
        return list(_composed(jobs, _variable(words), cache(parser.parse_override)))


def _composed(
    jobs: Sequence[Sequence[str]], variable: set[str], parse: Callable[[str], Override]
) -> Iterator[Config]:
    known: dict[tuple[str, ...], _Composition] = {}
    for job in jobs:
        words = [(word, parse(word)) for word in job]
        scalars = {
            one.key_or_group: one.value()
            for _, one in words
            if one.key_or_group in variable and _is_scalar(one)
        }
        others = tuple(word for word, one in words if one.key_or_group not in scalars)
        if (
            others not in known
        ):  # the first of its kind is composed as it is: what is wrong with it is told as ever
            known[others] = _Composition(job)
            yield known[others].config
        else:
            yield known[others].varied(scalars) or _Composition(job).config


def _variable(words: Sequence[Override]) -> set[str]:
    """The swept keys of single values that no other word has a say in."""
    loader = GlobalHydra.instance().config_loader()
    keys = [word.key_or_group for word in words]
    parts = [key for key in keys if not loader.get_group_options(key)]
    return {
        key
        for key in _scalar_keys()
        & {word.key_or_group for word in words if word.is_sweep_override()}
        if keys.count(key) == 1 and not any(key.startswith(f"{part}.") for part in parts)
    }


@cache
def _scalar_keys() -> frozenset[str]:
    """Those of the configuration itself and of its parts that cannot be null."""
    own = get_type_hints(Config)
    parts = {name: get_type_hints(kind) for name, kind in own.items() if is_dataclass(kind)}
    inner = {
        f"{part}.{name}"
        for part, hints in parts.items()
        for name, kind in hints.items()
        if kind in SCALARS
    }
    return frozenset(inner | {name for name, kind in own.items() if kind in SCALARS})


def _is_scalar(word: Override) -> bool:
    """Is it `key=value`, with a value that stands for itself?"""
    value = word.value()
    plain = isinstance(value, int | float | bool) or (
        isinstance(value, str) and not set("$?") & set(value)
    )
    return (
        plain
        and word.package is None
        and not (word.is_add() or word.is_force_add() or word.is_delete())
    )


class _Composition:
    """What Hydra has composed, and what differs from it in single values."""

    def __init__(self, words: Sequence[str]) -> None:
        self.composed = compose("config", list(words))
        self.config = schema.read(self.composed)
        text = json.dumps(OmegaConf.to_container(self.composed, resolve=False))
        self.references = REFERENCE.findall(text)
        self.understood = text.count("${") == len(self.references)
        self.converted: dict[tuple[str, type, Any], Any] = {}

    def varied(self, scalars: dict[str, Any]) -> Config | None:
        """With these values by key; None where Hydra must be asked. Raises ConfigError."""
        if not self.understood or any(self._is_referred_to(key) for key in scalars):
            return None
        parts: dict[str, dict[str, Any]] = {"": {}}
        for key, value in scalars.items():
            part, _, name = key.rpartition(".")
            try:
                parts.setdefault(part, {})[name] = self._convert(key, value)
            except OmegaConfBaseException:
                return None
        own = parts.pop("")
        inner = {
            part: replace(getattr(self.config, part), **values) for part, values in parts.items()
        }
        config = replace(self.config, **own, **inner)
        schema.check(config)
        return config

    def _is_referred_to(self, key: str) -> bool:
        return any(one == key or key.startswith(f"{one}.") for one in self.references)

    def _convert(self, key: str, value: Any) -> Any:
        """As the schema does: '3' of a text, 1.0 of a number."""
        known = (key, type(value), value)
        if known not in self.converted:
            OmegaConf.update(self.composed, key, value)
            self.converted[known] = OmegaConf.select(self.composed, key)
        return self.converted[known]


@contextmanager
def based(overrides: Sequence[str], config_name: str) -> Iterator[DictConfig]:
    """Hydra's composition, and in it the base configuration of a sweep, which has none of the swept values."""
    schema.register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        fixed = [
            word for word, one in zip(overrides, parsed, strict=True) if not one.is_sweep_override()
        ]
        yield compose(config_name, fixed, return_hydra_config=True)


def sweep_folder(overrides: Sequence[str], config_name: str) -> Path:
    """Where a sweep of these words keeps its logs."""
    with based(overrides, config_name) as base:
        return Path(str(base.hydra.sweep.dir))


def default_margin(data: str) -> float:
    """The margin of a data set in conf/, in points of training error. Raises ConfigError: a record may name any."""
    if data not in schema.CHOICES["data.name"]:
        raise ConfigError(
            f"data: {schema.quote(data)} is not allowed; allowed: {', '.join(schema.CHOICES['data.name'])}"
        )
    schema.register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return float(compose("config", [f"data={data}"]).data.margin)
