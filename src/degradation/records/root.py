"""A record root: the folder that holds the records of many runs."""

import logging
import re
import secrets
from pathlib import Path

from filelock import FileLock

from degradation.durable_io import append_row, decode_row, make_folder, read_file
from degradation.records.schema import ATTEMPTS_FILE, RUN_FILE

log = logging.getLogger(__name__)
TOKEN_FILE = ".mark"
TOKEN_PATTERN = re.compile("[0-9a-f]{6}")


def root_token(root: Path) -> str:
    """Six letters that tell this record root from every other one (W&B ids are unique for ever)."""
    path = root / TOKEN_FILE
    make_folder(root)
    with FileLock(root / f"{TOKEN_FILE}.lock"):  # runs start at once
        mark = _read_token(path)
        if mark is None:
            mark = secrets.token_hex(3)
            path.unlink(missing_ok=True)
            append_row(path, {"mark": mark})
    return mark


def _read_token(path: Path) -> str | None:
    """None where there is none, or none that is sound; releases before wrote the bare letters."""
    try:
        content = read_file(path)
    except OSError:
        return None
    mark = str((decode_row(content) or {}).get("mark", content.decode(errors="replace")))
    if TOKEN_PATTERN.fullmatch(mark):  # it becomes a part of paths
        return mark
    log.warning("%s: is damaged; W&B will know this record root under a new mark", path)
    return None


def list_run_ids(root: Path | str) -> list[str]:
    """The ids of all records under a root, begun or done, sorted."""
    return sorted(
        {
            path.parent.name
            for name in (RUN_FILE, ATTEMPTS_FILE)
            for path in Path(root).glob(f"*/{name}")
        }
    )
