"""The name of a sweep's report: a part or a variant of an experiment never replaces the whole.

The report of an experiment has the experiment's name. If the command line changes which runs it
has, where their records are or what is reported about them, the name says how, as in
`quick-depth-20_56-seed-0`. Does not import torch.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from degradation.config import Config, quote_text
from degradation.config.dotted_keys import select
from degradation.config.rules import MAX_NAME_CHARACTERS
from degradation.config.schema import KEYS
from degradation.data.fingerprint import data_fingerprint
from degradation.errors import UserError
from degradation.registry import DATASETS
from degradation.run_id import UNHASHED_DATA_KEYS, hashed_values
from degradation.sweep.override_effects import (
    RECORD_ROOT,
    REPORT_KEYS,
    drop_replaced_overrides,
)
from degradation.sweep.runs import SweepRun, expand_runs

PLAIN_VALUE = re.compile(r"[A-Za-z0-9.+_-]+")
DIGEST_CHARACTERS = 8
REPORTS = Path("reports")  # the folder in which each report has a folder of its name


def name_report(overrides: Sequence[str], runs: Sequence[SweepRun], names_root: bool = True) -> str:
    """Return the name of the report of one experiment's runs; it is also a valid file name.

    A name that the user gave (`name=NAME`), and that of a sweep without an experiment, are used
    unchanged.

    Args:
        overrides: the command line, with at most one experiment
        runs: what it expands to
        names_root: whether the name says where the records are, if that is an override. Names of
            folders do, since one of two record roots may lack runs. A title does not: it only
            says which runs a report is about.
    """
    name = runs[0].config.name
    parsed = OverridesParser.create().parse_overrides(quote_text(overrides))
    keys = [override.key_or_group for override in parsed]
    effective = drop_replaced_overrides(parsed)
    changing = [item for item in effective if _changes_report(item, keys, runs[0].config)]
    if not names_root:
        changing = [override for override in changing if override.key_or_group != RECORD_ROOT]
    has_own_grid = any(key.startswith("hydra.sweeper") for key in keys)
    if "experiment" not in keys or not (changing or has_own_grid):
        return name
    whole = _expand_whole(parsed, changing)
    if "name" in keys and (not whole or name != whole[0].config.name):
        return name
    if whole and _summarise(whole, names_root) == _summarise(runs, names_root):
        return name
    parts = []
    for override in sorted(changing, key=lambda override: override.key_or_group):
        key = override.key_or_group
        values = _list_values(key, runs) or _list_options(override)
        if not whole or values != _list_values(key, whole):
            parts.append(f"{_label(key)}-{_format_values(values)}")
    if not parts:
        parts.append(_digest(_summarise(runs, names_root)))
    return _shorten("-".join([name, *dict.fromkeys(parts)]))


def _changes_report(override: Override, keys: Sequence[str], config: Config) -> bool:
    """Return whether an override can change the runs of a report, or what it says about them.

    Args:
        keys: the keys of all overrides
        config: the configuration of one run
    """
    key = override.key_or_group
    if key == "data.root":
        # An experiment on a folder of images needs a root; other data must be distinguished too.
        fingerprint = DATASETS.facts(config.data.name)["fingerprint"]
        has_own_data = "data" in keys or "data.name" in keys
        return has_own_data and fingerprint in ("contents", "listing")
    if key in REPORT_KEYS:
        return True
    hashed_sections = hashed_values(config, data_fingerprint(config.data)).keys()
    return key.partition(".")[0] in hashed_sections and key not in UNHASHED_DATA_KEYS


def _expand_whole(parsed: Sequence[Override], changing: Sequence[Override]) -> list[SweepRun]:
    """Return the runs of the experiment as it is in conf/; none if it cannot be composed."""
    needed = ("experiment", "data.root")
    own = [
        override.input_line or ""
        for override in parsed
        if override.key_or_group in needed and override not in changing
    ]
    try:
        return expand_runs(own)
    except (UserError, OSError):
        return []


def _summarise(runs: Sequence[SweepRun], with_root: bool) -> str:
    """Return a text that is equal for the same runs, reported in the same way.

    `with_root`: whether runs whose records are elsewhere count as other runs.
    """
    ids = sorted(run.run_id for run in runs)
    ways = {
        (
            _find_root(run.config) if with_root else "",
            run.config.training_error,
            run.config.data.margin,
            run.config.report.titles,
        )
        for run in runs
    }
    return f"{ids} {sorted(ways)}"


def _list_values(key: str, runs: Sequence[SweepRun]) -> list[str]:
    """Return the values that the runs have for a key; none for a section or a config group."""
    if key == RECORD_ROOT:
        return sorted({_find_root(run.config) for run in runs})
    if key not in KEYS or is_dataclass(KEYS[key].type) or get_origin(KEYS[key].type) is dict:
        return []
    values: dict[str, Any] = {}
    for run in runs:
        value = select(run.config, key)
        values[repr(value)] = value
    return [_format_value(value) for value in sorted(values.values(), key=_sort_key)]


def _list_options(override: Override) -> list[str]:
    """Return what an override of a section or a config group selects, as it was typed."""
    if override.is_delete():
        return ["removed"]
    text = (override.input_line or "").partition("=")[2]
    return sorted(value.strip() for value in text.split(","))


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(str(item) for item in value) or "none"
    return str(value)


def _sort_key(value: Any) -> tuple[str, Any]:
    """Sort values of one type by value; null comes first."""
    return ("", 0) if value is None else ("value", value)


def _find_root(config: Config) -> str:
    """Return the record root, relative to the working directory if it is below it."""
    root = Path(config.record_root).resolve()
    here = Path.cwd().resolve()
    return str(root.relative_to(here) if root.is_relative_to(here) else root)


def _label(key: str) -> str:
    """Return the last word of a key; the whole key if others end with the word at this level."""
    word = key.rpartition(".")[2]
    namesakes = [name for name in KEYS if name.rpartition(".")[2] == word and name != key]
    is_highest = all(name.count(".") > key.count(".") for name in namesakes)
    return word if is_highest else key


def _format_values(values: Sequence[str]) -> str:
    """Return values as a part of a file name; with a digest if it does not show all of them."""
    if all(PLAIN_VALUE.fullmatch(value) for value in values):
        return "_".join(values)
    words = [Path(value).name if value.startswith("/") else value for value in values]
    readable = re.sub(r"[^A-Za-z0-9.+-]+", "_", "_".join(words)).strip("_.")
    digest = _digest("\n".join(values))
    return f"{readable}-{digest}" if readable else digest


def _shorten(name: str) -> str:
    """Return the name, or as much of it as a name may have, and a digest of the whole."""
    if len(name) <= MAX_NAME_CHARACTERS:
        return name
    return f"{name[: MAX_NAME_CHARACTERS - DIGEST_CHARACTERS - 1]}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
