"""The product with a safeguard left out on purpose: the trial must tell it."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from degradation import checkpointing, durable_io
from degradation.records import manifest
from degradation.records import record as record_module


def leave_out(safeguard: str) -> None:
    """`fsync` is the disk's: it covers nothing."""
    if safeguard in LEFT_OUT:
        LEFT_OUT[safeguard]()


class _Measured(dict[str, Any]):
    """A fingerprint of which only the length is compared."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and self["bytes"] == other["bytes"]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self["bytes"])


def _without_checksums() -> None:
    fingerprint = manifest.fingerprint

    def only_measured(content: bytes) -> dict[str, Any]:
        return _Measured(fingerprint(content))

    def unchecked(sealed: bytes) -> bytes:
        return sealed.partition(b"\n")[2]

    durable_io.unseal = checkpointing.unseal = unchecked
    manifest.fingerprint = record_module.fingerprint = checkpointing.fingerprint = only_measured


def _without_locks() -> None:
    def not_held(path: Path, timeout: float) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext(path.touch())

    record_module.hold = not_held


def _with_torn_rows() -> None:
    durable_io.decode_row = record_module.decode_row = json.loads


LEFT_OUT: dict[str, Callable[[], None]] = {
    "checksum": _without_checksums,
    "lock": _without_locks,
    "torn rows": _with_torn_rows,
}
SAFEGUARDS = [*LEFT_OUT, "fsync"]
