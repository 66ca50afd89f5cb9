"""How anything reaches the disk and comes back: whole, checked, or not at all.

A row carries the checksum of its own line, a document that of its values, a sealed file that of its content. Links and
pipes are not followed: what is planted in a folder of ours cannot lead out of it.
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
CHECKSUM = "crc32"  # of a row
DIGEST = "sha256"  # of a document or a sealed file
TEMPORARY = ".tmp-"
TAIL = len(f',"{CHECKSUM}":"00000000"}}\n')  # bytes of a line that its checksum is not of
SEALED = b"sha256 "  # the head of a sealed file


class CorruptData(Exception):
    """Content that is not what was written: what is wrong with it."""


def encode_row(row: Row) -> bytes:
    """One line of JSON that carries the checksum of the rest of itself."""
    return f'{_compact(row)[:-1]},"{CHECKSUM}":"{row_checksum(row)}"}}\n'.encode()


def row_checksum(row: Row) -> str:
    """The one that its line carries."""
    return f"{zlib.crc32(_compact(row).encode()):08x}"


def _compact(values: Row) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def line_checksum(line: bytes) -> str | None:
    """The one that a line carries, or None where the line is torn or its checksum is wrong."""
    checksum = f"{zlib.crc32(_body(line)):08x}"
    return checksum if line[-TAIL:] == f',"{CHECKSUM}":"{checksum}"}}\n'.encode() else None


def _body(line: bytes) -> bytes:
    """The row that a line is of, without its checksum."""
    return line[:-TAIL] + b"}"


def decode_row(line: bytes) -> Row | None:
    """The row, or None where the line is torn, its checksum is wrong, or it is no row at all."""
    row = None if line_checksum(line) is None else _from_json(_body(line))
    return row if isinstance(row, dict) else None


def decode_rows(lines: list[bytes]) -> list[Row] | None:
    """What `decode_row` says of all lines, at once and in half the time; None where it has to be asked of each.

    A number that no float holds is infinite here, and it is for the caller to refuse it. So is a value that is a list
    or a dict: of lines that are no JSON each, but are together, one row at least has such a value.
    """
    if None in map(line_checksum, lines):
        return None
    try:
        # no text of JSON goes over a line's end, and each body ends with a brace
        rows = MANY_DECODER.decode((b"[" + b",\n".join(map(_body, lines)) + b"]").decode())
    except (ValueError, RecursionError):
        return None
    return rows if len(rows) == len(lines) and all(isinstance(row, dict) for row in rows) else None


def encode_document(values: Row) -> bytes:
    """JSON to be read by people, with the checksum of its values among them."""
    digest = hashlib.sha256(_compact(values).encode()).hexdigest()
    return json.dumps({**values, DIGEST: digest}, indent=1, sort_keys=True).encode() + b"\n"


def decode_document(content: bytes) -> tuple[Row, bool]:
    """The values, and whether they carried a checksum (those of the first release did not). Raises Damaged."""
    values = _from_json(content)
    if not isinstance(values, dict):
        raise CorruptData("is not the JSON that was written")
    if DIGEST not in values:
        return values, False
    del values[DIGEST]
    if encode_document(values) != content:
        raise CorruptData("does not fit its own checksum")
    return values, True


def _from_json(content: bytes) -> Any:
    """None where it is no JSON; nesting without end and numbers that are not finite are none either."""
    try:
        return DECODER.decode(content.decode())
    except (ValueError, RecursionError):
        return None


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


# made once: json.loads makes one for every call that has options
DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)
MANY_DECODER = json.JSONDecoder(parse_constant=_finite)  # floats in C, which costs half as much


def seal(content: bytes) -> bytes:
    """The content after a line that holds its checksum."""
    return SEALED + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unseal(sealed: bytes) -> bytes:
    """The content of a sealed file. Raises Damaged."""
    head, _, content = sealed.partition(b"\n")
    if head != SEALED + hashlib.sha256(content).hexdigest().encode():
        raise CorruptData("does not fit its own checksum")
    return content


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """A regular file, to be read. Raises OSError, for a link, a pipe or a device too."""
    # without O_NONBLOCK the other end of a pipe would be waited for
    with open(
        path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    ) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        yield file


def read_file(path: Path) -> bytes:
    """The content of a regular file. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def write_atomically(path: Path, content: bytes) -> None:
    """The whole content under `path`, or nothing: a temporary name, fsync, rename, fsync of the folder."""
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
    """One row more, on the disk when this returns; where it does not fit, the file stays as it was."""
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    try:
        before = os.fstat(descriptor).st_size
        try:
            with open(descriptor, "ab", closefd=False) as file:
                file.write(encode_row(row))
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)
    if new:
        _fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """The folder and those above it, there after a power cut too."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
