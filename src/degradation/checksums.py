"""Checksummed content: how documents and files are written, so that corruption is detected.

Two formats carry checksums:

- a document: indented JSON, with the SHA-256 of its values;
- a sealed file: any bytes, after a line with their SHA-256.

Rows, the third format, are in `degradation.records.row_integrity`.
"""

import hashlib
import json
import math
import re
from typing import Any

Row = dict[str, Any]
DIGEST = "sha256"  # the key of a document's checksum
LINE_BREAK = re.compile(rb"\n *")  # with the indentation that follows
SEAL_PREFIX = b"sha256 "  # how the first line of a sealed file starts


class CorruptData(Exception):
    """Content that differs from what was written. The message follows the file's name."""


class MissingChecksum(CorruptData):
    """A document without a checksum."""


# --- documents


def encode_document(values: Row) -> bytes:
    """Return the values and their checksum as indented JSON, which people can read."""
    return format_document({**values, DIGEST: _digest(values)})


def _digest(values: Row) -> str:
    return hashlib.sha256(to_json(values).encode()).hexdigest()


def format_document(values: Row) -> bytes:
    """Return the values of a document, which include its checksum, as indented JSON."""
    return json.dumps(values, indent=1, sort_keys=True).encode() + b"\n"


def decode_document(content: bytes) -> Row:
    """Return the values of a document without their checksum.

    Raises CorruptData, also if only the layout differs, and MissingChecksum.
    """
    values = from_json(content)
    if not isinstance(values, dict):
        raise CorruptData("is not the JSON that was written")
    if DIGEST not in values:
        raise MissingChecksum("lacks its checksum")
    digest = values.pop(DIGEST)
    if digest != _digest(values) or not _is_laid_out(content, {**values, DIGEST: digest}):
        raise CorruptData("does not match its own checksum")
    return values


def _is_laid_out(content: bytes, values: Row) -> bool:
    """Return whether `format_document` may have written this, without writing it again.

    Writing with line breaks takes ten times as long, and reports read tens of thousands. No string
    in JSON contains a line break.
    """
    joined = json.dumps(values, sort_keys=True, separators=(",", ": ")).encode()
    return content.endswith(b"\n") and LINE_BREAK.sub(b"", content) == joined


# --- JSON


def to_json(values: Row) -> str:
    """Return JSON without spaces, with sorted keys. Raises ValueError if a number is not finite."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(content: bytes) -> Any:
    """Return the decoded value, or None if the content is not JSON.

    Numbers that are not finite and excessive nesting count as invalid JSON.
    """
    try:
        return STRICT_DECODER.decode(content.decode())
    except (ValueError, RecursionError):
        return None


def parse_finite(number: str) -> float:
    """Return the number. Raises ValueError if it is not finite."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


# Built once: json.loads builds a decoder for every call that passes options.
STRICT_DECODER = json.JSONDecoder(parse_float=parse_finite, parse_constant=parse_finite)


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
