"""Files in a folder of somebody's own: which are opened, what is kept beside them, and how their names are told.

Links are followed, since trees of pictures are made of them. What is no regular file is not opened: a pipe would wait
for its other end, and a device has none.
"""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BufferedReader
from pathlib import Path

from degradation.config.errors import escape

log = logging.getLogger(__name__)

CACHE = ".degradation"  # folder beside the pictures; holds the digest of a listing and the decoded arrays


def shown(name: object) -> str:
    """One line: control characters, line breaks and bytes that are no UTF-8 are written out."""
    return escape(str(name))


@cache
def warn_once(message: str) -> None:
    """One warning a process, however often the same thing is met."""
    log.warning("%s", message)


def check_regular(status: os.stat_result) -> None:
    """Raises OSError for a folder, a pipe, a socket or a device."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file, or a link to one, to be read. Raises OSError."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        check_regular(os.fstat(file.fileno()))
        yield file


def cache_folder(root: Path) -> Path | None:
    """Where decoded pictures are kept; None where a link stands there, which could lead anywhere."""
    folder = root / CACHE
    if folder.is_symlink():
        warn_once(f"{shown(folder)}: is a link, which is not followed; nothing is kept there")
        return None
    return folder
