"""What a sweep has left, compared with what an undisturbed one leaves."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sweep import Lost

from degradation.durable_io import TEMPORARY
from degradation.records.record import Record
from degradation.records.root import TOKEN_FILE
from degradation.records.schema import (
    ATTEMPTS_FILE,
    METRICS_FILE,
    PROBES_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.training import serialization

WANDB = "wandb"  # the folder of its offline runs


def compare(record: Record, reference: Record) -> None:
    """Raises Lost where the run is not what an undisturbed one is, bit for bit, or something is left behind."""
    if record.outcome(verify_contents=True) is not State.DONE:
        raise Lost(f"{record.run_id}: {record.find_mismatch(verify_contents=True)}")
    if record.read(METRICS_FILE) != reference.read(METRICS_FILE):
        raise Lost(f"{record.run_id}: {METRICS_FILE} differs")
    if _probes(record) != _probes(reference):
        raise Lost(f"{record.run_id}: {PROBES_FILE} differs")
    for name in (
        WEIGHTS_FILE,
        *(f"{SNAPSHOTS_DIR}/{path.name}" for path in reference.path(SNAPSHOTS_DIR).iterdir()),
    ):
        one, other = serialization.load(record.read(name)), serialization.load(reference.read(name))
        if one.keys() != other.keys() or not all(torch.equal(one[key], other[key]) for key in one):
            raise Lost(f"{record.run_id}: {name} differs")
    left, expected = _files(record), _files(reference)
    if left != expected:
        raise Lost(f"{record.run_id}: files {sorted(left ^ expected)}")
    starts = [row["attempt"] for row in record.valid_rows(ATTEMPTS_FILE) if "start" in row]
    damaged = record.count_corrupt_lines(
        ATTEMPTS_FILE
    )  # of a run that was over they stay, and are told
    if starts != sorted(set(starts)) or max(starts, default=0) > len(starts) + damaged:
        raise Lost(f"{record.run_id}: attempts {starts}")


def leftovers(root: Path, run_ids: Iterable[str]) -> list[str]:
    """What is under a record root and should not be: anything temporary, anything beside the records."""
    known = {*run_ids, WANDB, TOKEN_FILE, f"{TOKEN_FILE}.lock"}
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.name.startswith(TEMPORARY) or (path.parent == root and path.name not in known)
    )


def _probes(record: Record) -> list[tuple[int, str, Any]]:
    """Those taken again after they were lost stand behind the others."""
    return sorted(
        (row["iteration"], row["probe"], json.dumps(row))
        for row in record.valid_prefix(PROBES_FILE)
    )


def _files(record: Record) -> set[str]:
    return {
        str(path.relative_to(record.folder)) for path in record.folder.rglob("*") if path.is_file()
    }
