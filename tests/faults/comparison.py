"""Compare what a sweep with faults has left with what an undisturbed one leaves."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

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
from tests.faults.sweep import Lost

WANDB_DIR = "wandb"  # folder of offline runs, in the record root


def compare(record: Record, reference: Record) -> None:
    """Raise Lost unless the run is bit for bit identical to the undisturbed one.

    Nothing may be left behind either.
    """
    if record.outcome(verify_contents=True) is not State.DONE:
        raise Lost(f"{record.run_id}: {record.find_mismatch(verify_contents=True)}")
    if record.read(METRICS_FILE) != reference.read(METRICS_FILE):
        raise Lost(f"{record.run_id}: {METRICS_FILE} differs")
    if _read_probes(record) != _read_probes(reference):
        raise Lost(f"{record.run_id}: {PROBES_FILE} differs")
    snapshots = [f"{SNAPSHOTS_DIR}/{path.name}" for path in reference.path(SNAPSHOTS_DIR).iterdir()]
    for name in (WEIGHTS_FILE, *snapshots):
        if not _are_equal_weights(record.read(name), reference.read(name)):
            raise Lost(f"{record.run_id}: {name} differs")
    unexpected = _list_files(record) ^ _list_files(reference)
    if unexpected:
        raise Lost(f"{record.run_id}: files {sorted(unexpected)}")
    starts = [row["attempt"] for row in record.valid_rows(ATTEMPTS_FILE) if "start" in row]
    # The corrupt rows of a finished run remain in attempts.jsonl.
    largest_number = len(starts) + record.count_corrupt_lines(ATTEMPTS_FILE)
    if starts != sorted(set(starts)) or max(starts, default=0) > largest_number:
        raise Lost(f"{record.run_id}: attempts {starts}")


def _are_equal_weights(content: bytes, reference_content: bytes) -> bool:
    weights = serialization.load(content)
    reference = serialization.load(reference_content)
    if weights.keys() != reference.keys():
        return False
    return all(torch.equal(weights[key], reference[key]) for key in weights)


def list_leftovers(root: Path, run_ids: Iterable[str]) -> list[str]:
    """Return the temporary files under a record root, and what lies beside its records."""
    expected = {*run_ids, WANDB_DIR, TOKEN_FILE, f"{TOKEN_FILE}.lock"}
    leftovers = []
    for path in root.rglob("*"):
        is_unexpected = path.parent == root and path.name not in expected
        if path.name.startswith(TEMPORARY) or is_unexpected:
            leftovers.append(str(path.relative_to(root)))
    return sorted(leftovers)


def _read_probes(record: Record) -> list[tuple[int, str, Any]]:
    """Return the rows sorted, since rows that were lost and measured again follow the others."""
    rows = record.valid_prefix(PROBES_FILE)
    return sorted((row["iteration"], row["probe"], json.dumps(row)) for row in rows)


def _list_files(record: Record) -> set[str]:
    files = [path for path in record.folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(record.folder)) for path in files}
