"""Checks of run.json: types, ranges, and whether the run id belongs to the configuration."""

import re
from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints

from degradation.checksums import Row, to_json
from degradation.config.errors import quote
from degradation.records.config_validation import find_config_problem
from degradation.records.metadata import FAMILIES, REQUIRED_KEYS, DataMetadata, RunMetadata
from degradation.records.value_checks import is_count, is_name
from degradation.run_id import hash_values

DATA_TYPES = get_type_hints(DataMetadata)
HASHED_RUN_ID = re.compile(r".+-d\d+-s\d+-([0-9a-f]{8})")


def find_metadata_problem(metadata: Row, run_id: str, hashed: Row | None = None) -> str | None:
    """Return in a few words what is wrong with the values of run.json, or None if they are valid.

    Keys that `metadata.REQUIRED_KEYS` does not list may be absent.

    Args:
        metadata: the values of run.json.
        run_id: the id that the record's folder is named by.
        hashed: values from which this run id has been computed, if they are known. If run.json
            holds the same, its configuration is not checked again.
    """
    if metadata.get("run_id") != run_id:
        return f"belongs to another run, {quote(metadata.get('run_id'))}"
    if metadata.get("family") not in FAMILIES:
        return f"family: {quote(metadata.get('family'))} is not allowed"
    problem = _find_data_problem(metadata.get("data")) or _find_complexity_problem(
        metadata.get("census")
    )
    if problem or (hashed is not None and _is_same_json(metadata.get("config"), hashed)):
        return problem
    return find_config_problem(metadata.get("config")) or _find_id_problem(
        metadata["config"], run_id
    )


def _is_same_json(value: Any, expected: Row) -> bool:
    """Compare the JSON of two values: in Python, True equals 1."""
    return isinstance(value, dict) and to_json(value) == to_json(expected)


def find_key_problem(metadata: Row) -> str | None:
    """Return which key of run.json is missing or unknown, or None if training writes the same keys.

    Call `find_metadata_problem` first: the types of the values are not checked here.
    """
    return _find_field_problem(metadata, RunMetadata, "") or _find_field_problem(
        metadata["data"], DataMetadata, "data."
    )


def _find_field_problem(values: Row, kind: type, prefix: str) -> str | None:
    known = {field.name: field for field in fields(kind)}
    for key in values:
        if key not in known:
            return f"{quote(prefix + key)} is not a key of run.json"
    for key, field in known.items():
        if key not in values and field.default is MISSING:
            return f"{prefix}{key} is missing"
    return None


def _find_data_problem(data: Any) -> str | None:
    if not isinstance(data, dict):
        return "data is missing or invalid"
    for field in fields(DataMetadata):
        key = f"data.{field.name}"
        if field.name not in data:
            if key in REQUIRED_KEYS:
                return f"{key} is missing"
        elif not _is_valid_data_value(data[field.name], field):
            return f"{key} is invalid"
    if "commonest" in data and data["commonest"] > data.get("train", 0):
        return "data.commonest is invalid"
    return None


def _is_valid_data_value(value: Any, field: Field[Any]) -> bool:
    """Check a value of `data`, which is text or a number of images or classes."""
    if DATA_TYPES[field.name] is str:
        return is_name(value)
    return is_count(value) and value >= field.metadata.get("minimum", 0)


def _find_complexity_problem(census: Any) -> str | None:
    if not isinstance(census, dict) or not all(map(is_count, census.values())):
        return "census is missing or invalid"
    return None


def _find_id_problem(config: Row, run_id: str) -> str | None:
    """Return that the hash in the id, if it has one, is not that of the configuration, or None."""
    match = HASHED_RUN_ID.fullmatch(run_id)
    if match is None or hash_values(config) == match[1]:
        return None
    return "config does not match the hash in the run id"
