"""The words of a command line, looked at before Hydra composes anything of them."""

from collections.abc import Sequence
from decimal import DecimalException
from itertools import islice
from math import prod
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from degradation.config.errors import ConfigError, quote

CONF = Path(__file__).resolve().parents[3] / "conf"
MOST_JOBS = 100_000  # of a sweep, which is composed as a whole before it starts


def check_overrides(words: Sequence[str]) -> None:
    """Refuse what Hydra would take for an empty or an endless sweep, or tell without naming it.

    Raises ConfigError, or Hydra's own exception for a word that does not parse.
    """
    counts = []
    for word, parsed in zip(
        words, OverridesParser.create().parse_overrides(list(words)), strict=True
    ):
        key = parsed.key_or_group
        if not key:
            raise ConfigError(f"{quote(word)}: has no key; allowed: key=value")
        if parsed.is_sweep_override():
            counts.append(_values(parsed, word))
            if prod(counts) > MOST_JOBS:
                raise ConfigError(
                    f"{key}: makes a sweep of {prod(counts)} runs; allowed: at most {MOST_JOBS}"
                )
        elif (
            not parsed.is_delete() and (CONF / key).is_dir() and not _may_be_option(parsed.value())
        ):
            raise ConfigError(
                f"{key}: {quote(parsed.value())} is not allowed; allowed: {', '.join(options(key))}"
            )


def _may_be_option(value: object) -> bool:
    """A name, or keys of the part; what resolves to a name is none, since Hydra would show it where it is wrong."""
    return isinstance(value, dict) or (isinstance(value, str) and "${" not in value)


def options(group: str) -> list[str]:
    """The names that a group of conf/ may be given."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _values(swept: Override, word: str) -> int:
    """How many values a sweep goes over; one more than are allowed stands for all that are."""
    key, text = swept.key_or_group, word.partition("=")[2]
    value = swept.value()
    try:
        if isinstance(value, Glob):
            count = len(value.filter(options(key)))
        else:
            count = (
                sum(1 for _ in islice(swept.sweep_iterator(), MOST_JOBS + 1))
                if swept.is_discrete_sweep()
                else 0
            )
    except (ValueError, DecimalException, HydraException):
        count = 0
    if not count:
        raise ConfigError(
            f"{key}: {quote(text)} has no value to sweep over; allowed: value1,value2 or range(from,to)"
        )
    return count
