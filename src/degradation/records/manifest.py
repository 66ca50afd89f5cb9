"""DONE: what a run that is over consists of, file by file, so that whatever changes later is seen."""

import errno
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeGuard

from degradation.durable_io import Row, encode_row, row_checksum
from degradation.records.schema import (
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    SCHEMA_VERSION,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    RecordError,
    State,
)  # fmt: skip

Manifest = dict[str, Any]
FILE = re.compile(
    rf"{re.escape(RUN_FILE)}|{re.escape(METRICS_FILE)}|{re.escape(WEIGHTS_FILE)}|{SNAPSHOTS_DIR}/\d+\.pt"
)
# or another thing is there
MISSING_ERRNOS = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL)
ALWAYS_VERIFIED = (
    RUN_FILE,
    METRICS_FILE,
)  # what the analysis reads is compared byte by byte even where the rest is only measured


def fingerprint(content: bytes) -> Row:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def build_manifest(
    outcome: State,
    iteration: int,
    files: dict[str, Row],
    metrics: Iterable[Row],
    probes: Iterable[Row],
) -> Manifest:
    """`files`: fingerprints from when the files were written, so that what was damaged since is not taken for sound.

    Of the probes each row's checksum is kept, since rows that are taken afterwards come behind them.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": str(outcome),
        "iteration": iteration,
        "files": files | {METRICS_FILE: fingerprint(b"".join(map(encode_row, metrics)))},
        PROBES_FILE: [row_checksum(row) for row in probes],
    }


def is_manifest(values: Any) -> TypeGuard[Manifest]:
    """Has it the form of one? A right checksum says nothing of that."""
    if not isinstance(values, dict) or values.get("outcome") not in (State.DONE, State.DIVERGED):
        return False
    files, probes = values.get("files"), values.get(PROBES_FILE, [])
    return (
        isinstance(files, dict)
        and all(FILE.fullmatch(name) and _is_fingerprint(value) for name, value in files.items())
        and isinstance(probes, list)
        and all(isinstance(checksum, str) for checksum in probes)
    )


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, dict) and {key: type(part) for key, part in value.items()} == {
        "bytes": int,
        "sha256": str,
    }


def find_mismatch(
    folder: Path, manifest: Manifest, verify_contents: bool, read: Callable[[str], bytes]
) -> str | None:
    """The first file that is not what the manifest says, and how; None where all are. `read`: a file by its name.

    Without `verify_contents` weights and snapshots are only measured, not read. Raises RecordError where a file cannot be
    read now: that is no damage, and a sound run is not to be thrown away for it.
    """
    for name, expected in manifest["files"].items():
        path = folder / name
        try:
            if not verify_contents and name not in ALWAYS_VERIFIED and not path.is_symlink():
                if path.stat().st_size != expected["bytes"]:
                    return f"{path}: has another length than in {DONE_FILE}"
            elif fingerprint(read(name)) != expected:
                return f"{path}: its checksum differs from the one in {DONE_FILE}"
        except OSError as error:
            told = f"{path}: cannot be read ({error.strerror or error})"
            if error.errno not in MISSING_ERRNOS:
                raise RecordError(told) from None
            return told
    return None
