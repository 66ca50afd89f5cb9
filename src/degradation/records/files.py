"""How records reach the disk: rows that carry a checksum, files that are there whole or not at all."""

import json
import os
import secrets
import zlib
from pathlib import Path
from typing import Any

Row = dict[str, Any]
CHECKSUM = "crc32"
TEMPORARY = ".tmp-"


def encode_row(row: Row) -> bytes:
    """One line of JSON that carries the checksum of the rest of itself."""
    body = json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f'{body[:-1]},"{CHECKSUM}":"{zlib.crc32(body.encode()):08x}"}}\n'.encode()


def decode_row(line: bytes) -> Row | None:
    """The row, or None where the line is torn or its checksum is wrong."""
    head, separator, tail = line.rpartition(f',"{CHECKSUM}":"'.encode())
    body = head + b"}"
    if not separator or tail != f'{zlib.crc32(body):08x}"}}\n'.encode():
        return None
    row: Row = json.loads(body)
    return row


def write_atomically(path: Path, content: bytes) -> None:
    """The whole content under `path`, or nothing: a temporary name, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _fsync_folder(path.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
