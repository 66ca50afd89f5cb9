"""Checksummed content: how rows, documents and files are written, so that corruption is detected.

Three formats carry checksums:

- a row: one line of JSON, with the CRC-32 of the rest of the line, so a truncated line is detected;
- a document: indented JSON, with the SHA-256 of its values;
- a sealed file: any bytes, after a line with their SHA-256.
"""

import hashlib
import json
import math
import zlib
from typing import Any

Row = dict[str, Any]
CHECKSUM = "crc32"  # the key of a row's checksum
DIGEST = "sha256"  # the key of a document's checksum
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
