"""Durable file I/O: content is written whole or not at all, and is on the disk afterwards.

Reading opens no pipe and no device, which could block or never end. It follows symbolic links only
on request, so a file that somebody has planted in a record cannot redirect a read elsewhere.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

TEMPORARY = ".tmp-"  # prefix of the files that an interrupted write may leave behind


@contextlib.contextmanager
def open_file(path: Path, *, follows_links: bool = False) -> Iterator[BufferedReader]:
    """Open a regular file for reading.

    Raises OSError, also for a pipe or a device, and for a link unless links are followed.
    """

    def open_without_blocking(name: str, flags: int) -> int:
        flags |= os.O_NONBLOCK  # opening a pipe would otherwise wait for a writer
        if not follows_links:
            flags |= os.O_NOFOLLOW
        return os.open(name, flags)

    with open(path, "rb", opener=open_without_blocking) as file:
        check_regular(path, os.fstat(file.fileno()))
        yield file


def check_regular(path: Path, status: os.stat_result) -> None:
    """Raise OSError for anything but a regular file: a folder, a pipe, a socket or a device."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


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


def append_line(path: Path, line: bytes) -> None:
    """Append one line, which is on the disk when this returns.

    Raises OSError, for example when the disk is full, after truncating the file to its old length.
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    try:
        length_before = os.fstat(descriptor).st_size
        try:
            with open(descriptor, "ab", closefd=False) as file:
                file.write(line)
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
