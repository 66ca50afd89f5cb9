"""Validation of the overrides on a command line, before Hydra composes anything from them."""

from collections.abc import Sequence
from decimal import DecimalException
from itertools import islice
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from degradation.config.errors import ConfigError, quote
from degradation.registry import VISIBLE

CONF = Path(__file__).resolve().parents[3] / "conf"
EXPERIMENT = "experiment"  # the config group whose options have a grid of their own
MAX_SWEEP_RUNS = 100_000  # a sweep is composed as a whole before it starts


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse empty and endless sweeps, and mistakes that Hydra reports without naming the key.

    Raises ConfigError, or Hydra's own exception for an override that cannot be parsed.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    runs = 1
    for override, text in zip(parsed, overrides, strict=True):
        key = override.key_or_group
        if not key:
            raise ConfigError(f"{quote(text)}: has no key; allowed: key=value")
        if override.is_sweep_override():
            runs *= _count_values(override)
            if runs > MAX_SWEEP_RUNS:
                raise ConfigError(
                    f"{key}: makes the sweep too long; allowed: at most {MAX_SWEEP_RUNS} runs"
                )
        elif (CONF / key).is_dir() and not override.is_delete():
            _check_option(override)


def split_experiments(overrides: Sequence[str]) -> list[list[str]]:
    """Return one command line per experiment: `experiment=a,b` means both grids, one by one.

    Hydra would read the grid of neither. Raises ConfigError, or Hydra's own exception for an
    override that cannot be parsed.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    keys = [override.key_or_group for override in parsed]
    if EXPERIMENT not in keys:
        return [list(overrides)]
    position = keys.index(EXPERIMENT)
    if not parsed[position].is_sweep_override():
        return [list(overrides)]
    names = list(dict.fromkeys(list_swept_options(parsed[position])))
    if len(names) > 1 and "name" in keys:
        raise ConfigError(
            "name: is not allowed with several experiments, since their reports would replace"
            " each other; allowed: one experiment"
        )
    before, after = overrides[:position], overrides[position + 1 :]
    return [[*before, f"{EXPERIMENT}={name}", *after] for name in names]


def list_swept_options(override: Override) -> list[str]:
    """Return the options that an override of a config group sweeps over. Raises ConfigError."""
    _count_values(override)
    value = override.value()
    if isinstance(value, Glob):
        return value.filter(list_options(override.key_or_group))
    return list(override.sweep_string_iterator())


def list_options(group: str) -> list[str]:
    """Return the options of a config group: the names of its files in conf/ that are options."""
    names = sorted(path.stem for path in (CONF / group).glob(f"{VISIBLE}.yaml"))
    return [name for name in names if is_option(name)]


def is_option(file_name: str) -> bool:
    """Return whether a file in conf/ is an option; others, `_NAME.yaml`, have shared values."""
    return not file_name.startswith("_")


def _check_option(override: Override) -> None:
    """Refuse an override of a config group whose value cannot name one of its options.

    An interpolation is refused too: Hydra would print what it resolves to, which may be secret.
    """
    group, value = override.key_or_group, override.value()
    if override.is_add():
        raise ConfigError(f"{group}: has a value already; allowed: {group}=NAME, without the +")
    if isinstance(value, dict):  # keys of the section, not the name of an option
        return
    if not isinstance(value, str) or "${" in value:
        allowed = ", ".join(list_options(group))
        raise ConfigError(f"{group}: {quote(value)} is not allowed; allowed: {allowed}")


def check_single_values(overrides: Sequence[str]) -> None:
    """Refuse several values for one key, which only a sweep may have. Raises ConfigError."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_sweep_override():
            text = _value_text(override)
            raise ConfigError(
                f"{override.key_or_group}: {quote(text)} is not one value;"
                " allowed: one value, a list such as [1,2], or a sweep, with -m"
            )


def _count_values(override: Override) -> int:
    """Return how many values a sweep has, at most one more than is allowed. Raises ConfigError."""
    value = override.value()
    count = 0
    try:
        if isinstance(value, Glob):
            count = len(value.filter(list_options(override.key_or_group)))
        elif override.is_discrete_sweep():
            count = sum(1 for _ in islice(override.sweep_iterator(), MAX_SWEEP_RUNS + 1))
    except (ValueError, DecimalException, HydraException):
        count = 0  # such as a range with a step of 0
    if count == 0:
        text = _value_text(override)
        raise ConfigError(
            f"{override.key_or_group}: {quote(text)} has no value to sweep over;"
            " allowed: value1,value2 or range(from,to)"
        )
    return count


def _value_text(override: Override) -> str:
    """Return the value of an override as it was typed."""
    return (override.input_line or "").partition("=")[2]
