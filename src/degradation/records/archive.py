"""`Archive`: a zip file of published records, read like the folder of records that it was made of.

`degradation.records.publication` says what is in it. Archives come from elsewhere, so nothing is
unpacked to the disk, and an archive with an entry that publishing does not write is refused whole:
other names, links, folders, duplicates, encryption, or more bytes than the limits below.
"""

import errno
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from degradation.config.errors import quote
from degradation.durable_io import open_file
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    DONE_FILE,
    LANDSCAPE_DIR,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    RecordError,
)

MAX_ARCHIVE_BYTES = 64 * 2**20  # of the zip file
MAX_CONTENT_BYTES = 512 * 2**20  # of all its entries together, after decompression
PORTABLE_FILES = (RUN_FILE, METRICS_FILE, PROBES_FILE, ATTEMPTS_FILE, CODE_FILE, DONE_FILE)
ENTRY_PATTERN = re.compile(
    r"(?P<run_id>[A-Za-z0-9][A-Za-z0-9._+-]*)/"
    rf"(?P<name>{'|'.join(map(re.escape, PORTABLE_FILES))}|{LANDSCAPE_DIR}/[A-Za-z0-9_-]+\.jsonl)",
    re.ASCII,
)
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ALLOWED = "allowed: a folder of records, or an archive that `make publish` wrote"

# Entries get no date, so that equal records give equal bytes. It is the earliest that zip has.
EPOCH = (1980, 1, 1, 0, 0, 0)
IS_ENCRYPTED = 0x1  # bit of an entry's flags
UNIX = 3  # the system that writes an entry's permissions
# What `zipfile` raises for a file that is corrupt, or of a kind that it does not read.
ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError)


class Archive:
    """The files of published records. The whole zip file is in memory, still compressed."""

    def __init__(self, path: Path, content: bytes) -> None:
        """Read the list of entries. Raises RecordError if the archive is refused."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except ZIP_ERRORS:
            raise RecordError(f"{path}: is not a zip archive; {ALLOWED}") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in self._zip.infolist():
            problem = _check_entry(entry)
            if entry.filename in self._entries:
                problem = "occurs twice"
            if problem:
                raise RecordError(f"{path}: entry {quote(entry.filename)} {problem}; {ALLOWED}")
            self._entries[entry.filename] = entry
        size = sum(entry.file_size for entry in self._entries.values())
        if size > MAX_CONTENT_BYTES:
            raise RecordError(
                f"{path}: has {size} bytes after decompression; allowed: {MAX_CONTENT_BYTES}"
            )

    def has(self, name: str) -> bool:
        """Return whether there is an entry with this name."""
        return name in self._entries

    def list_names(self, prefix: str) -> list[str]:
        """Return the names of the entries that start with a prefix, sorted."""
        return sorted(name for name in self._entries if name.startswith(prefix))

    def list_run_ids(self) -> list[str]:
        """Return the ids of all runs, sorted."""
        return sorted({name.partition("/")[0] for name in self._entries})

    def read(self, name: str) -> bytes:
        """Return the content of an entry.

        Raises FileNotFoundError if there is no such entry, and OSError if it is corrupt.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self.path}/{name}")
        try:
            # At most `file_size` bytes are decompressed, even if there are more.
            return self._zip.read(entry)
        except (*ZIP_ERRORS, zlib.error):
            problem = "corrupt in the archive"
            raise OSError(errno.EIO, problem, f"{self.path}/{name}") from None


def _check_entry(entry: zipfile.ZipInfo) -> str | None:
    """Return why an entry is refused, or None."""
    if not ENTRY_PATTERN.fullmatch(entry.filename):
        return "is not a file of a published record"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is not a regular file"
    if entry.flag_bits & IS_ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in COMPRESSIONS:
        return "is compressed in another way than by deflate"
    return None


def find_archive(root: Path) -> Archive | None:
    """Return the archive that a record root is, or None if it is a folder or does not exist.

    An archive is read once per process, and again if it has changed. Raises RecordError if the root
    is a file that is refused as an archive.
    """
    if not os.path.isfile(root):
        return None
    try:
        status = os.stat(root)
        if status.st_size > MAX_ARCHIVE_BYTES:
            raise RecordError(f"{root}: has more than {MAX_ARCHIVE_BYTES} bytes; {ALLOWED}")
        version = (status.st_ino, status.st_size, status.st_mtime_ns)
        return _open_archive(root, root.resolve(), version)
    except OSError as error:
        raise RecordError(f"{root}: cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=4)
def _open_archive(root: Path, path: Path, _version: tuple[int, int, int]) -> Archive:
    """Return the archive at a path, called `root` in messages; read again if the file changes."""
    with open_file(path) as file:
        return Archive(root, file.read(MAX_ARCHIVE_BYTES))


def encode_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a zip file with these entries. Equal entries give equal bytes.

    Args:
        files: the content of each entry, by `RUN_ID/NAME`.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            target.writestr(entry, files[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()
