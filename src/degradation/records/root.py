"""A record root: the folder that holds the records of many runs, or an archive of them."""

import logging
import re
import secrets
from pathlib import Path

from filelock import FileLock

from degradation.durable_io import append_line, make_folder, read_file
from degradation.records.archive import find_archive
from degradation.records.row_integrity import decode_row, encode_row
from degradation.records.schema import ATTEMPTS_FILE, RUN_FILE

log = logging.getLogger(__name__)
TOKEN_FILE = ".mark"
TOKEN_KEY = "mark"
TOKEN_PATTERN = re.compile("[0-9a-f]{6}")


def root_token(root: Path) -> str:
    """Return the token of a record root, six hexadecimal digits, and create it if necessary.

    W&B never frees the id of a deleted run, and two roots may hold the same run: the token makes
    their W&B ids differ. Raises OSError.
    """
    path = root / TOKEN_FILE
    make_folder(root)
    with FileLock(root / f"{TOKEN_FILE}.lock"):  # many runs may start at once
        token = _read_token(path)
        if token is None:
            token = secrets.token_hex(3)
            path.unlink(missing_ok=True)
            append_line(path, encode_row({TOKEN_KEY: token}))
    return token


def _read_token(path: Path) -> str | None:
    """Return the token, or None if the file is missing or corrupt."""
    try:
        content = read_file(path)
    except OSError:
        return None
    row = decode_row(content) or {}
    token = str(row.get(TOKEN_KEY))
    if TOKEN_PATTERN.fullmatch(token):  # the token becomes a part of file names
        return token
    log.warning("%s: corrupt; W&B runs of this record root get a new token", path)
    return None


def list_run_ids(root: Path | str) -> list[str]:
    """Return the ids of all records under a root, unfinished ones too, sorted.

    Raises RecordError if the root is a file other than an archive of published records.
    """
    archive = find_archive(Path(root))
    if archive is not None:
        return archive.list_run_ids()
    run_ids = set()
    for name in (RUN_FILE, ATTEMPTS_FILE):
        run_ids |= {path.parent.name for path in Path(root).glob(f"*/{name}")}
    return sorted(run_ids)


def list_nested_roots(root: Path | str) -> list[Path]:
    """Return the subfolders of a root that hold records but are not records themselves, sorted.

    They are record roots of their own: `list_run_ids` does not list their records.
    """
    run_ids = set(list_run_ids(root))
    nested: set[Path] = set()
    for name in (RUN_FILE, ATTEMPTS_FILE):
        nested |= {path.parent.parent for path in Path(root).glob(f"*/*/{name}")}
    return sorted(path for path in nested if path.name not in run_ids)
