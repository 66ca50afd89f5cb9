"""The manifest (DONE): the outcome of a finished run and the checksum of every file it consists of.

If a file changes later, it no longer matches the manifest, and the run counts as unfinished again.
"""

import errno
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeGuard

from degradation.checksums import Row
from degradation.records.row_integrity import encode_row, row_checksum
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    DONE_FILE,
    LANDSCAPE_DIR,
    METRICS_FILE,
    PROBES_FILE,
    PUBLISHED,
    RUN_FILE,
    SCHEMA_VERSION,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    RecordError,
    State,
)

Manifest = dict[str, Any]
FILE_PATTERN = re.compile(
    "|".join(
        [
            re.escape(RUN_FILE),
            re.escape(METRICS_FILE),
            re.escape(WEIGHTS_FILE),
            rf"{SNAPSHOTS_DIR}/\d+\.pt",
            # Only published records list these: elsewhere, rows may still be appended to them.
            re.escape(ATTEMPTS_FILE),
            re.escape(CODE_FILE),
            re.escape(PROBES_FILE),
            rf"{LANDSCAPE_DIR}/[A-Za-z0-9_-]+\.jsonl",
        ]
    )
)
# The files of tensors are large, and the analysis does not read them: where time matters, only
# their length is verified.
TENSORS_SUFFIX = ".pt"
# The file is missing, or something else has its name. Other errors may be temporary.
MISSING_ERRNOS = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL)


def fingerprint(content: bytes) -> Row:
    """Return the length in bytes and the SHA-256 of a file's content."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def build_manifest(
    outcome: State,
    iteration: int,
    files: dict[str, Row],
    metrics: Iterable[Row],
    probes: Iterable[Row],
) -> Manifest:
    """Return the manifest of a run that has finished after `iteration` iterations.

    Args:
        outcome: DONE or DIVERGED.
        iteration: the last iteration of the training.
        files: the fingerprint of each file by name, computed when the file was written. (Computed
            now, they would hide later corruption.)
        metrics: the rows of metrics.jsonl.
        probes: the rows that training has appended to probes.jsonl. The manifest holds the checksum
            of each row, not of the file, because probes that are measured later are appended to it.
    """
    metrics_content = b"".join(map(encode_row, metrics))
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": str(outcome),
        "iteration": iteration,
        "files": files | {METRICS_FILE: fingerprint(metrics_content)},
        PROBES_FILE: [row_checksum(row) for row in probes],
    }


def is_manifest(values: Any) -> TypeGuard[Manifest]:
    """Return whether the values have the form of a manifest; a valid checksum does not imply it."""
    if not isinstance(values, dict) or values.get("outcome") not in (State.DONE, State.DIVERGED):
        return False
    if PUBLISHED in values and not _is_publication(values[PUBLISHED]):
        return False
    return _are_file_fingerprints(values.get("files")) and _are_checksums(values.get(PROBES_FILE))


def _is_publication(value: Any) -> bool:
    """Return whether a value has the form of what publication adds to a manifest."""
    if not isinstance(value, dict) or value.get("code") not in ("current", "unverified"):
        return False
    return _are_file_fingerprints(value.get("not_published"))


def _are_file_fingerprints(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(
        FILE_PATTERN.fullmatch(name) and _is_fingerprint(expected)
        for name, expected in value.items()
    )


def _is_fingerprint(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    types = {key: type(entry) for key, entry in value.items()}
    return types == {"bytes": int, "sha256": str}


def _are_checksums(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(checksum, str) for checksum in value)


def find_mismatch(
    folder: Path, manifest: Manifest, verify_contents: bool, read: Callable[[str], bytes]
) -> str | None:
    """Return a sentence about the first file that differs from the manifest, or None if all match.

    Args:
        folder: the folder of the record.
        manifest: what the files must match.
        verify_contents: compare the content of all files. Otherwise, only the length of weights
            and snapshots is compared, which takes no time.
        read: returns the content of a file, given its name. Raises OSError.

    Raises:
        RecordError: a file cannot be read at the moment. That does not make it corrupt, and a
            valid run must not be retrained because of it.
    """
    for name, expected in manifest["files"].items():
        path = folder / name
        is_small = not name.endswith(TENSORS_SUFFIX)
        must_be_read = verify_contents or is_small or path.is_symlink()
        try:
            if must_be_read and fingerprint(read(name)) != expected:
                return f"{path}: its checksum differs from the one in {DONE_FILE}"
            if not must_be_read and path.stat().st_size != expected["bytes"]:
                return f"{path}: its length differs from the one in {DONE_FILE}"
        except OSError as error:
            problem = f"{path}: cannot be read ({error.strerror or error})"
            if error.errno not in MISSING_ERRNOS:
                raise RecordError(problem) from None
            return problem
    return None
