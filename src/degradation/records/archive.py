"""`Archive`: a zip file of published records, read like the folder of records it was made from.

`degradation.records.publication` says what it holds, and `degradation.records.archive_tables` in
which format. Archives come from elsewhere, so nothing is unpacked to the disk. An archive that
holds anything that publishing does not write is refused as a whole: entries with other names,
links, folders, duplicates, encryption, corruption, lines without a run's id, or more bytes than the
limits below.
"""

import errno
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from degradation.config.errors import quote
from degradation.durable_io import open_file
from degradation.records.archive_tables import TABLES, RunFiles, join_files, split_table
from degradation.records.schema import RecordError

MAX_ARCHIVE_BYTES = 64 * 2**20  # of the zip file
MAX_CONTENT_BYTES = 256 * 2**20  # of all its entries together, after decompression
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ALLOWED = "allowed: a folder of records, or an archive that `make publish` wrote"

# Every entry gets the earliest date that zip allows, so that equal records give equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
IS_ENCRYPTED = 0x1  # bit of an entry's flags
UNIX = 3  # the system that writes an entry's permissions
# What `zipfile` raises for a file that is corrupt, or of a kind that it does not read.
ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError)


class Archive:
    """The files of published records, in memory."""

    def __init__(self, path: Path, content: bytes) -> None:
        """Read all files. Raises RecordError if the archive is refused."""
        self.path = path
        self._files: dict[str, bytes] = {}  # by `RUN_ID/NAME`
        try:
            source = zipfile.ZipFile(io.BytesIO(content))
        except ZIP_ERRORS:
            raise RecordError(f"{path}: is not a zip archive; {ALLOWED}") from None
        with source:
            self._check_entries(source.infolist())
            for entry in source.infolist():
                self._add_table(source, entry)

    def _check_entries(self, entries: list[zipfile.ZipInfo]) -> None:
        """Raise RecordError if an entry is refused; none has been decompressed yet."""
        names = set()
        for entry in entries:
            problem = _find_entry_problem(entry)
            if entry.filename in names:
                problem = "occurs twice"
            if problem:
                raise self._refuse(entry, problem)
            names.add(entry.filename)
        size = sum(entry.file_size for entry in entries)
        if size > MAX_CONTENT_BYTES:
            raise RecordError(
                f"{self.path}: has {size} bytes after decompression; allowed: {MAX_CONTENT_BYTES}"
            )

    def _add_table(self, source: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        """Read one table. Raises RecordError if it is corrupt or not a table."""
        name = TABLES[entry.filename]
        try:
            # At most `file_size` bytes are decompressed, even if there are more.
            files = split_table(name, source.read(entry))
        except (*ZIP_ERRORS, zlib.error):
            raise self._refuse(entry, "is corrupt") from None
        except RecordError as error:
            raise self._refuse(entry, f"is not a table of published records ({error})") from None
        self._files |= {f"{run_id}/{name}": file for run_id, file in files.items()}

    def _refuse(self, entry: zipfile.ZipInfo, problem: str) -> RecordError:
        return RecordError(f"{self.path}: entry {quote(entry.filename)} {problem}; {ALLOWED}")

    def has(self, name: str) -> bool:
        """Return whether there is a file with this name, `RUN_ID/NAME`."""
        return name in self._files

    def list_names(self, prefix: str) -> list[str]:
        """Return the names of the files that start with a prefix, sorted."""
        return sorted(name for name in self._files if name.startswith(prefix))

    def list_run_ids(self) -> list[str]:
        """Return the ids of all runs, sorted."""
        return sorted({name.partition("/")[0] for name in self._files})

    def read(self, name: str) -> bytes:
        """Return the content of a file. Raises FileNotFoundError if there is none."""
        content = self._files.get(name)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self.path}/{name}")
        return content


def _find_entry_problem(entry: zipfile.ZipInfo) -> str | None:
    """Return why an entry is refused, or None."""
    if entry.filename not in TABLES:
        return "is not a table of published records"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is not a regular file"
    if entry.flag_bits & IS_ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in COMPRESSIONS:
        return "is compressed by a method other than deflate"
    return None


def find_archive(root: Path) -> Archive | None:
    """Return the archive at a record root, or None if that is a folder or does not exist.

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


def encode_archive(runs: Mapping[str, RunFiles]) -> bytes:
    """Return a zip file with the files of these runs. Equal files give equal bytes.

    Args:
        runs: the published files of each run, by run id.

    Raises RecordError for a file that an archive cannot hold.
    """
    tables = join_files(runs)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in sorted(tables):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            target.writestr(entry, tables[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()
