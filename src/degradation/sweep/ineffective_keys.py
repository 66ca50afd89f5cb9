"""Swept keys that change no run: their values give the same run, which is trained only once."""

from collections.abc import Sequence
from dataclasses import asdict

from degradation.config import Config, family
from degradation.config.dotted_keys import flatten
from degradation.run_id import identify_without_data, run_id_prefix
from degradation.single_warnings import warn_once

SURFACES = "landscape."  # the section of keys that select a surface around runs, not the runs


def warn_about_ineffective_keys(configs: Sequence[Config]) -> dict[str, int]:
    """Log one line for each key that varies in a sweep without changing any of its runs.

    Returns these keys, as `list_ineffective_keys` does.
    """
    ineffective = list_ineffective_keys(configs)
    for key, count in ineffective.items():
        warn_once(
            f"{key}: has no effect on the runs of this sweep; its {count} values give the same run"
        )
    return ineffective


def list_ineffective_keys(configs: Sequence[Config]) -> dict[str, int]:
    """Return the keys that vary while nothing else does, but change no run, with the most values.

    A key that changes only some runs, such as an option of shortcuts in a sweep that has plain
    networks too, is not among them.
    """
    if len({_readable_id(config) for config in configs}) == len(configs):
        return {}  # most sweeps; computing all ids takes longer
    run_ids = [identify_without_data(config) for config in configs]
    if len(set(run_ids)) == len(configs):
        return {}
    rows = [_list_values(config) for config in configs]
    names: dict[str, None] = {}  # a set that keeps its order
    for row in rows:
        names |= dict.fromkeys(row)
    varying = [
        name
        for name in names
        if not name.startswith(SURFACES) and len({row.get(name) for row in rows}) > 1
    ]
    ineffective = {}
    for key in varying:
        others = [name for name in varying if name != key]
        run_ids_by_others: dict[tuple[str | None, ...], set[str]] = {}
        values_by_others: dict[tuple[str | None, ...], set[str | None]] = {}
        for row, run_id in zip(rows, run_ids, strict=True):
            group = tuple(row.get(name) for name in others)
            run_ids_by_others.setdefault(group, set()).add(run_id)
            values_by_others.setdefault(group, set()).add(row.get(key))
        most = max(map(len, values_by_others.values()))
        is_one_run = all(len(group) == 1 for group in run_ids_by_others.values())
        if most > 1 and is_one_run:
            ineffective[key] = most
    return ineffective


def _readable_id(config: Config) -> str:
    """Return the readable part of the run id."""
    return run_id_prefix(family(config.model), config.model.depth, config.seed)


def _list_values(config: Config) -> dict[str, str]:
    """Return the value of each key, as text, by its dotted name."""
    return {key: repr(value) for key, value in flatten(asdict(config))}
