"""The integrity of rows: one line of JSON each, with a checksum at its end.

The checksum is the CRC-32 of the rest of the line. It detects a corrupt line, and a line that was
truncated when the process or the machine stopped while writing it.
"""

import json
import zlib

from degradation.checksums import Row, from_json, parse_finite, to_json

CHECKSUM = "crc32"  # the key of a row's checksum
CHECKSUM_BYTES = len(f',"{CHECKSUM}":"00000000"}}\n')  # how long the end of each line is
FAST_DECODER = json.JSONDecoder(parse_constant=parse_finite)  # parses floats in C, twice as fast


def encode_row(row: Row) -> bytes:
    """Return a row as one line of JSON that ends with its checksum.

    Keys are sorted, so equal rows are equal bytes. Raises ValueError for a number that is not
    finite.
    """
    return f'{to_json(row)[:-1]},"{CHECKSUM}":"{row_checksum(row)}"}}\n'.encode()


def row_checksum(row: Row) -> str:
    """Return the checksum (CRC-32 as eight hexadecimal digits) that the row's line carries."""
    return f"{zlib.crc32(to_json(row).encode()):08x}"


def line_checksum(line: bytes) -> str | None:
    """Return the checksum of a line, or None if the line is truncated or its checksum is wrong."""
    checksum = f"{zlib.crc32(_strip_checksum(line)):08x}"
    expected_end = f',"{CHECKSUM}":"{checksum}"}}\n'.encode()
    return checksum if line[-CHECKSUM_BYTES:] == expected_end else None


def decode_row(line: bytes) -> Row | None:
    """Return the row of a line, or None if the line is truncated, corrupt or not a JSON object."""
    if line_checksum(line) is None:
        return None
    row = from_json(_strip_checksum(line))
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
