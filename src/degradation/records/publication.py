"""What is published of a run's record: everything that a report reads, and nothing private.

A published record has the files and the form of any other, without weights, snapshots and
checkpoints. It is consistent: DONE lists exactly the published files, to which no more rows are
appended. It keeps the fingerprints of the others under
`published`, so that a repeated run can be compared with it.

- run.json, metrics.jsonl and probes.jsonl are published byte for byte, and so are the points of the
  landscape, in one file.
- attempts.jsonl and code.jsonl retain the keys below. Others, such as the host's name and the id of
  the process, are omitted. So are the reasons of failed attempts, which may name files.
- Of code.jsonl, the row of the code that trained the run is published, and the latest comparison,
  without the hashes of its files, which nothing reads.

`find_private_text` checks what remains.
"""

import contextlib
import getpass
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from degradation.checksums import Row, encode_document, from_json
from degradation.config.errors import quote
from degradation.metrics import ITERATION
from degradation.records.manifest import fingerprint
from degradation.records.record import Record
from degradation.records.row_integrity import encode_row
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    DONE_FILE,
    METRICS_FILE,
    OUTCOME,
    PROBES_FILE,
    PUBLISHED,
    PUBLISHED_LANDSCAPE_FILE,
    REASON,
    RUN_FILE,
    SECONDS,
    RecordError,
    State,
)
from degradation.records.trained_code import (
    CODE,
    ENVIRONMENT,
    FILES,
    NUMBERS,
    RELATION,
    CodeState,
    Relation,
)

ATTEMPT_KEYS = (
    "attempt",
    "start",
    "device",
    "threads",
    "processes",
    "commit",
    "versions",
    "system",
    "end",
    ITERATION,
    OUTCOME,
    SECONDS,
)
CODE_KEYS = (CODE, RELATION, NUMBERS)
ENVIRONMENT_KEYS = ("device", "threads", "libraries")

# A path from the root of a file system: of Unix, of a home folder, of Windows, of a network.
# No ASCII letter precedes it: scripts without spaces put a path right after a word.
ABSOLUTE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_./+-])(?:~?/+[\w.~-]|[A-Za-z]:[\\/]|\\\\\w)")
EMAIL_ADDRESS = re.compile(r"[\w.%+-]@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
MIN_NAME_CHARACTERS = 3  # a shorter name of a host or a user would be found in other words


def build_published_files(record: Record, code_state: CodeState) -> dict[str, bytes]:
    """Return the content of each published file of a finished run, by name.

    Args:
        record: the record, whose files have been verified.
        code_state: whether the current code reproduces the run; not OUTDATED.

    Raises RecordError or OSError if a file cannot be read.
    """
    files = {
        name: record.read_unverified(name)
        for name in (RUN_FILE, METRICS_FILE, PROBES_FILE)
        if record.exists(name)
    }
    parts = map(record.read_unverified, record.list_landscape_files())
    attempts = map(_reduce_attempt, record.valid_rows(ATTEMPTS_FILE))
    code = map(_reduce_code, _select_code_rows(record.valid_rows(CODE_FILE)))
    files[PUBLISHED_LANDSCAPE_FILE] = b"".join(parts)
    files[ATTEMPTS_FILE] = b"".join(map(encode_row, attempts))
    files[CODE_FILE] = b"".join(map(encode_row, code))
    files = {name: content for name, content in files.items() if content}
    files[DONE_FILE] = encode_document(_build_manifest(record, code_state, files))
    return files


def _reduce_attempt(row: Row) -> Row:
    reduced = _select(row, ATTEMPT_KEYS)
    # The reason of a diverged run is a result, and the code writes it.
    if row.get(OUTCOME) == State.DIVERGED and REASON in row:
        reduced[REASON] = row[REASON]
    return reduced


def _reduce_code(row: Row) -> Row:
    reduced = _select(row, CODE_KEYS)
    reduced[FILES] = row[FILES] if row[RELATION] == Relation.TRAINED else {}
    if ENVIRONMENT in row:
        reduced[ENVIRONMENT] = _select(row[ENVIRONMENT], ENVIRONMENT_KEYS)
    return reduced


def _select_code_rows(rows: list[Row]) -> list[Row]:
    """Return the rows of the code that trained the run, and the latest comparison."""
    trained = [row for row in rows if row[RELATION] == Relation.TRAINED]
    compared = [row for row in rows if row[RELATION] != Relation.TRAINED]
    return trained + compared[-1:]


def _select(row: Row, keys: Iterable[str]) -> Row:
    return {key: row[key] for key in keys if key in row}


def _build_manifest(record: Record, code_state: CodeState, files: dict[str, bytes]) -> Row:
    manifest = record.read_manifest()
    if manifest is None:
        raise RecordError(f"{record.path(DONE_FILE)}: missing or corrupt")
    fingerprints = manifest["files"]
    # Those in DONE come first: computed now, they would hide corruption since the training.
    published = {name: fingerprints.get(name, fingerprint(files[name])) for name in files}
    others = {name: value for name, value in fingerprints.items() if name not in files}
    publication = {CODE: str(code_state), "not_published": others}
    return manifest | {"files": published, PUBLISHED: publication}


# --- what must not be published


def list_private_names(record: Record, entity: str | None) -> set[str]:
    """Return the names that nothing published may contain: of hosts, the user and the W&B entity.

    Args:
        record: the original record, which names the hosts that trained the run.
        entity: `tracking.entity`.
    """
    hosts = {str(row["host"]) for row in record.valid_rows(ATTEMPTS_FILE) if "host" in row}
    hosts.add(socket.gethostname())
    names = hosts | set(map(_shorten_host, hosts)) | {entity or ""}
    with contextlib.suppress(OSError, KeyError, RuntimeError):  # a user without a name or a home
        names |= {getpass.getuser(), Path.home().name}
    return {name for name in names if len(name) >= MIN_NAME_CHARACTERS}


def _shorten_host(host: str) -> str:
    """Return a host's name without its domain; an address of digits stays as it is."""
    short = host.partition(".")[0]
    return host if short.isdigit() else short


def find_private_text(files: dict[str, bytes], names: Iterable[str]) -> str | None:
    """Return which file contains which private text, as a phrase, or None if none does.

    Absolute paths and e-mail addresses are private, and the names that `list_private_names`
    returns, also as a part of a longer name, such as `data_NAME`, but not of a word.
    """
    words = "|".join(re.escape(name) for name in sorted(names))
    part = rf"(?<![^\W_])(?:{words})(?![^\W_])"  # neither a letter nor a digit is next to it
    private_name = re.compile(part, re.IGNORECASE) if words else None
    for file, content in files.items():
        lines = content.splitlines() if file.endswith(".jsonl") else [content]
        document = [from_json(line) for line in lines]
        for text in _list_texts(document):
            if ABSOLUTE_PATH.search(text):
                return f"{file} contains a path, {quote(text)}"
            if EMAIL_ADDRESS.search(text):
                return f"{file} contains an e-mail address, {quote(text)}"
        # Keys are words of this project, and a user may be called `test`.
        for text in _list_texts(document, with_keys=False):
            if private_name is not None and private_name.search(text):
                return f"{file} contains the name of a host, a user or an account, {quote(text)}"
    return None


def _list_texts(value: Any, *, with_keys: bool = True) -> Iterator[str]:
    """Yield every text in a decoded document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _list_texts(entry, with_keys=with_keys)
    elif isinstance(value, dict):
        if with_keys:
            yield from value
        yield from _list_texts(list(value.values()), with_keys=with_keys)
