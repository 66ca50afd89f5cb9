"""Disable one safeguard of the project on purpose: the fault trial must then detect a loss."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from degradation import checkpointing, checksums
from degradation.records import manifest, record_files, row_integrity
from degradation.records import record as record_module
from degradation.records.record import Record


def disable(safeguard: str) -> None:
    """Disable a safeguard in this process. ("fsync" is disabled by `WatchedDisk`.)"""
    if safeguard in DISABLERS:
        DISABLERS[safeguard]()


class _LengthOnly(dict[str, Any]):
    """A fingerprint that compares only lengths."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and self["bytes"] == other["bytes"]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self["bytes"])


def _disable_checksums() -> None:
    fingerprint = manifest.fingerprint
    write = Record.write

    def fingerprint_length(content: bytes) -> dict[str, Any]:
        return _LengthOnly(fingerprint(content))

    def write_plain_fingerprint(record: Record, name: str, content: bytes) -> dict[str, Any]:
        # A checkpoint holds fingerprints of snapshots, and loads only plain values.
        return dict(write(record, name, content))

    def unseal_unverified(sealed: bytes) -> bytes:
        return sealed.partition(b"\n")[2]

    checksums.unseal = checkpointing.unseal = unseal_unverified
    manifest.fingerprint = fingerprint_length
    Record.write = write_plain_fingerprint  # type: ignore[method-assign]
    for module in (record_module, record_files, checkpointing):
        module.fingerprint = fingerprint_length  # type: ignore[attr-defined]


def _disable_locks() -> None:
    def hold_nothing(path: Path, timeout: float) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext(path.touch())

    record_module.hold = hold_nothing


def _accept_truncated_rows() -> None:
    row_integrity.decode_row = record_files.decode_row = json.loads


DISABLERS: dict[str, Callable[[], None]] = {
    "checksum": _disable_checksums,
    "lock": _disable_locks,
    "truncated rows": _accept_truncated_rows,
}
SAFEGUARDS = [*DISABLERS, "fsync"]
