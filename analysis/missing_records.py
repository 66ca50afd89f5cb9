"""Why a selection of records has none of the expected ones: where others are, or what they are."""

from pathlib import Path

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.condition_labels import fill_null, list_texts, sort_values
from analysis.frame import Frame, load
from analysis.key_columns import PREFIX
from analysis.leading_keys import rank_key
from degradation.records.root import list_nested_roots, list_run_ids

MAX_KEYS = 3  # keys that a message names
MAX_VALUES = 6  # values of a key that a message lists
CONTENT = f"{PREFIX}data.content"  # a checksum, which says nothing to a reader


def describe_nested_records(root: Path | str) -> str | None:
    """Return one line that names the subfolders of a root that hold records, or None.

    A subfolder may be a record root of its own, whose records do not belong to this one.
    """
    nested = list_nested_roots(root)
    if not nested:
        return None
    names = abbreviate([str(path) for path in nested])
    return (
        f"{root}: excludes the records in its subfolders ({names});"
        f" to load them, pass the subfolder: {nested[0]}"
    )


def describe_missing_sweep(planned: pd.DataFrame, root: Path) -> str:
    """Return why no run of a sweep has a record, in one line.

    Args:
        planned: `Frame.runs` of the sweep.
        root: the record root.
    """
    problem = f"no run of this sweep has a record in {root}"
    run_ids = list_run_ids(root)
    advice = "train it with the same arguments (experiments/train.py)"
    if not run_ids:
        nested = list_nested_roots(root)
        if nested:
            others = abbreviate([str(path) for path in nested])
            return f"{problem}; its subfolders have records: {others}; set record_root, or {advice}"
        return f"{problem}, which has no records; {advice}"
    recorded = load(root, [{"run_id": run_id} for run_id in run_ids], with_probes=False)
    differences = _list_differences(planned, recorded)
    found = (
        abbreviate(differences, "; ", most=MAX_KEYS) or "no record combines the values of its keys"
    )
    return f"{problem}; {found}; {advice}, or change them"


def _list_differences(planned: pd.DataFrame, recorded: Frame) -> list[str]:
    """Return the keys none of whose values is recorded, each with its values and the recorded ones.

    The order is that of importance.
    """
    differences = []
    for key in sorted(_list_config_keys(planned), key=rank_key):
        if key not in recorded.runs or key == CONTENT:
            continue
        values = sort_values(fill_null(planned[key]))
        others = sort_values(fill_null(recorded.runs[key]))
        if others and not set(map(str, values)) & set(map(str, others)):
            name = key.removeprefix(PREFIX)
            texts = list_texts(values, MAX_VALUES)
            recorded_texts = list_texts(others, MAX_VALUES)
            differences.append(f"its {name} is {texts}, recorded: {recorded_texts}")
    return differences


def _list_config_keys(runs: pd.DataFrame) -> list[str]:
    return [name for name in map(str, runs) if name.startswith(PREFIX)]
