"""Durable, checksummed file I/O: content is written whole or not at all, and verified when read.

Three formats carry checksums:

- a row: one line of JSON, with the CRC-32 of the rest of the line;
- a document: indented JSON, with the SHA-256 of its values;
- a sealed file: any bytes, after a line with their SHA-256.

Reading never follows a symbolic link and never opens a pipe or a device, so a file that somebody
has planted in a record cannot redirect a read elsewhere.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import secrets
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

Row = dict[str, Any]
CHECKSUM = "crc32"  # the key of a row's checksum
DIGEST = "sha256"  # the key of a document's checksum
TEMPORARY = ".tmp-"  # prefix of the files that an interrupted write may leave behind
SEAL_PREFIX = b"sha256 "  # how the first line of a sealed file starts
CHECKSUM_BYTES = len(f',"{CHECKSUM}":"00000000"}}\n')  # how long the end of each line is


class CorruptData(Exception):
    """Content that differs from what was written. The message follows the file's name."""


# --- rows


def encode_row(row: Row) -> bytes:
    """Return a row as one line of JSON that ends with its checksum.

    Keys are sorted, so equal rows are equal bytes. Raises ValueError for a number that is not
    finite.
    """
    return f'{_to_json(row)[:-1]},"{CHECKSUM}":"{row_checksum(row)}"}}\n'.encode()


def row_checksum(row: Row) -> str:
    """Return the checksum (CRC-32 as eight hexadecimal digits) that the row's line carries."""
    return f"{zlib.crc32(_to_json(row).encode()):08x}"


def line_checksum(line: bytes) -> str | None:
    """Return the checksum of a line, or None if the line is truncated or its checksum is wrong."""
    checksum = f"{zlib.crc32(_strip_checksum(line)):08x}"
    expected_end = f',"{CHECKSUM}":"{checksum}"}}\n'.encode()
    return checksum if line[-CHECKSUM_BYTES:] == expected_end else None


def decode_row(line: bytes) -> Row | None:
    """Return the row of a line, or None if the line is truncated, corrupt or not a JSON object."""
    if line_checksum(line) is None:
        return None
    row = _from_json(_strip_checksum(line))
    return row if isinstance(row, dict) else None


def decode_rows(lines: list[bytes]) -> list[Row] | None:
    """Decode all lines at once, in half the time that `decode_row` takes for each.

    Returns None if a line is corrupt, or if only decoding line by line can show whether one is.

    The result is checked less strictly than that of `decode_row`, so the caller must check that
    the values of every row are finite numbers. A number too large for a float becomes infinite
    here. Lines that are JSON only when joined yield at least one row that contains a list or an
    object.
    """
    if None in map(line_checksum, lines):
        return None
    # A JSON string cannot contain a line break, and each line's JSON ends with a brace.
    joined = b"[" + b",\n".join(map(_strip_checksum, lines)) + b"]"
    try:
        rows = FAST_DECODER.decode(joined.decode())
    except (ValueError, RecursionError):
        return None
    if len(rows) != len(lines) or not all(isinstance(row, dict) for row in rows):
        return None
    decoded: list[Row] = rows
    return decoded


def _strip_checksum(line: bytes) -> bytes:
    """Return the JSON of a line without the checksum at its end."""
    return line[:-CHECKSUM_BYTES] + b"}"


# --- documents


def encode_document(values: Row) -> bytes:
    """Return the values and their checksum as indented JSON, which people can read."""
    digest = hashlib.sha256(_to_json(values).encode()).hexdigest()
    return json.dumps({**values, DIGEST: digest}, indent=1, sort_keys=True).encode() + b"\n"


def decode_document(content: bytes) -> tuple[Row, bool]:
    """Return the values of a document, and whether they carry a checksum.

    Documents of the first release have none. Raises CorruptData.
    """
    values = _from_json(content)
    if not isinstance(values, dict):
        raise CorruptData("is not the JSON that was written")
    if DIGEST not in values:
        return values, False
    del values[DIGEST]
    if encode_document(values) != content:
        raise CorruptData("does not match its own checksum")
    return values, True


# --- JSON


def _to_json(values: Row) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _from_json(content: bytes) -> Any:
    """Return the decoded value, or None if the content is not JSON.

    Numbers that are not finite and excessive nesting count as invalid JSON.
    """
    try:
        return STRICT_DECODER.decode(content.decode())
    except (ValueError, RecursionError):
        return None


def _parse_finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


# Built once: json.loads builds a decoder for every call that passes options.
STRICT_DECODER = json.JSONDecoder(parse_float=_parse_finite, parse_constant=_parse_finite)
FAST_DECODER = json.JSONDecoder(parse_constant=_parse_finite)  # parses floats in C, twice as fast


# --- sealed files


def seal(content: bytes) -> bytes:
    """Return the content after a line that holds its SHA-256."""
    return SEAL_PREFIX + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unseal(sealed: bytes) -> bytes:
    """Return the content of a sealed file. Raises CorruptData."""
    first_line, _, content = sealed.partition(b"\n")
    if first_line != SEAL_PREFIX + hashlib.sha256(content).hexdigest().encode():
        raise CorruptData("does not match its own checksum")
    return content


# --- files


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file for reading. Raises OSError, also for a link, a pipe or a device."""
    with open(path, "rb", opener=_open_without_following) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield file


def _open_without_following(path: str, flags: int) -> int:
    # O_NONBLOCK: opening a pipe would otherwise wait for a writer.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def read_file(path: Path) -> bytes:
    """Return the content of a regular file. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash or a power cut leaves its complete old or new content.

    The content goes to a temporary name first, is flushed to the disk, and is then renamed. Missing
    folders are created. Raises OSError, and then the file is unchanged.
    """
    make_folder(path.parent)
    temporary = path.parent / f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _fsync_folder(path.parent)


def append_row(path: Path, row: Row) -> None:
    """Append one row, which is on the disk when this returns.

    Raises OSError, for example when the disk is full, after truncating the file to its old length.
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    try:
        length_before = os.fstat(descriptor).st_size
        try:
            with open(descriptor, "ab", closefd=False) as file:
                file.write(encode_row(row))
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, length_before)
            raise
    finally:
        os.close(descriptor)
    if is_new:
        _fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, so that they survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk: a new name is durable only after that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
