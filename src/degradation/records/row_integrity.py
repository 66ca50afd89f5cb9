"""The integrity of rows: one line of JSON each, with a checksum at its end.

The checksum is the CRC-32 of the rest of the line. It detects a corrupt line, and a line that was
truncated when the process or the machine stopped while writing it.
"""

import zlib

import orjson

from degradation.checksums import Row, from_json, to_json

CHECKSUM = "crc32"  # the key of a row's checksum
CHECKSUM_BYTES = len(f',"{CHECKSUM}":"00000000"}}\n')  # how long the end of each line is


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
    ending = f',"{CHECKSUM}":"{checksum}"}}\n'.encode()
    return checksum if line.endswith(ending) else None


def decode_row(line: bytes) -> Row | None:
    """Return the row of a line, or None if the line is truncated, corrupt or not a JSON object."""
    if line_checksum(line) is None:
        return None
    row = from_json(_strip_checksum(line))
    return row if isinstance(row, dict) else None


def decode_rows(lines: list[bytes], *, are_verified: bool = False) -> list[Row] | None:
    """Decode all lines, in a third of the time that `decode_row` takes for each.

    Args:
        lines: the lines of a file.
        are_verified: the checksum of the whole file is right, so those of its lines need not be
            computed.

    Returns None if a line is corrupt, or if only `decode_row` can show whether it is: this decoder
    refuses text that is not valid Unicode, and rounds integers of more than 64 bits to floats.
    """
    if not are_verified and None in map(line_checksum, lines):
        return None
    try:
        rows = [orjson.loads(_strip_checksum(line)) for line in lines]
    except orjson.JSONDecodeError:
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def _strip_checksum(line: bytes) -> bytes:
    """Return the JSON of a line without the checksum at its end."""
    return line[:-CHECKSUM_BYTES] + b"}"
