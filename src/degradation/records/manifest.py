"""DONE: what a run that is over consists of, file by file, so that whatever changes later is seen."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from degradation.files import Row, encode_row, read_file, row_checksum
from degradation.records.schema import DONE, METRICS, PROBES, RUN, SCHEMA_VERSION, State

Manifest = dict[str, Any]
SMALL = (RUN, METRICS)  # what the analysis reads is compared byte by byte even where the rest is only measured


def fingerprint(content: bytes) -> Row:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def manifest_of(
    outcome: State, iteration: int, files: dict[str, Row], metrics: Iterable[Row], probes: Iterable[Row]
) -> Manifest:
    """`files`: fingerprints from when the files were written, so that what was damaged since is not taken for sound.

    Of the probes each row's checksum is kept, since rows that are taken afterwards come behind them.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "outcome": str(outcome),
        "iteration": iteration,
        "files": files | {METRICS: fingerprint(b"".join(map(encode_row, metrics)))},
        PROBES: [row_checksum(row) for row in probes],
    }


def is_manifest(values: Row) -> bool:
    return isinstance(values.get("files"), dict) and values.get("outcome") in (State.DONE, State.DIVERGED)


def misfit(folder: Path, manifest: Manifest, every_byte: bool) -> str | None:
    """The first file that is not what the manifest says, and how; None where all are.

    Without `every_byte` weights and snapshots are only measured, not read.
    """
    for name, expected in manifest["files"].items():
        path = folder / name
        try:
            if not every_byte and name not in SMALL and not path.is_symlink():
                if path.stat().st_size != expected["bytes"]:
                    return f"{path}: has another length than in {DONE}"
            elif fingerprint(read_file(path)) != expected:
                return f"{path}: its checksum differs from the one in {DONE}"
        except OSError as error:
            return f"{path}: cannot be read ({error.strerror or error})"
        except ValueError:  # no name that a file can have
            return f"{folder / DONE}: names {name!r}"
    return None
