"""Published files: each is downloaded once, and used only if its SHA-256 matches."""

import hashlib
import importlib
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from degradation.config import Data
from degradation.data.errors import DataError
from degradation.data.paths import escape_name
from degradation.durable_io import open_file, write_atomically
from degradation.registry import DATASETS

READ_TIMEOUT_S = 60.0  # a server that sends nothing for so long will not answer
GZIP_LIMIT_BYTES = 64 * 2**20  # limit of decompressed content; the largest file has 47 MB


@dataclass(frozen=True)
class PublishedFile:
    """A published file: its name, its checksum and where to download it."""

    name: str
    sha256: str  # checksum of the file, or of its decompressed content if `is_gzip`
    find_urls: Callable[[], Sequence[str]]  # only for a download: it imports torchvision
    is_gzip: bool = False


@dataclass(frozen=True)
class FileSet:
    """The published files of a data set.

    Attributes:
        root: the folder that missing files are downloaded to, and the first to be looked in.
        files: the files.
        other_folders: where else a file may be.
    """

    root: Path
    files: tuple[PublishedFile, ...]
    other_folders: tuple[Path, ...] = ()

    def fetch(self) -> dict[Path, bytes]:
        """Return the path and the verified content of each file, in their order.

        Missing files are downloaded. Raises DataError.
        """
        return dict(self._fetch_file(file) for file in self.files)

    def is_present(self) -> bool:
        """Return whether every file exists, so that nothing has to be downloaded."""
        return all(self._find_file(file) is not None for file in self.files)

    def _find_file(self, file: PublishedFile) -> Path | None:
        """Return the path of a file in the first folder that has it, or None."""
        for folder in (self.root, *self.other_folders):
            path = folder / file.name
            if path.exists():
                return path
        return None

    def _fetch_file(self, file: PublishedFile) -> tuple[Path, bytes]:
        existing = self._find_file(file)
        if existing is not None:
            return existing, _read_verified(existing, file)
        path = self.root / file.name
        return path, _download_once(path, file)


def find_file_set(data: Data) -> FileSet | None:
    """Return the published files of a data set, or None if it does not consist of such files.

    They are named by the fact `files` of the registration.
    """
    name = DATASETS.facts(data.name).get("files")
    if name is None:
        return None
    module, _, function = name.rpartition(".")
    file_set: FileSet = getattr(importlib.import_module(module), function)(data)
    return file_set


@cache
def fetch_once(files: FileSet) -> None:
    """Download and verify published files, once per process. Raises DataError."""
    files.fetch()


def _download_once(path: Path, file: PublishedFile) -> bytes:
    """Download a file, unless another process does so first, and return its verified content.

    Raises:
        DataError: the checksum does not match, or the file cannot be read or downloaded.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not path.exists():
                return _download(path, file)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be downloaded, since its folder cannot be written to"
            f" ({error.strerror}); change data.root, or put the file there yourself"
        ) from None
    return _read_verified(path, file)


def _download(path: Path, file: PublishedFile) -> bytes:
    """Download a file and return its content. Raises DataError, and OSError for the disk.

    The file gets its final name only once its checksum has been verified, so an interrupted
    download is never mistaken for the whole file.
    """
    from torchvision.datasets.utils import download_url

    urls = file.find_urls()
    partial_path = path.with_name(f"{path.name}.part")
    for attempt, url in enumerate(urls, start=1):
        # torchvision would mistake a partial earlier download for the whole file
        partial_path.unlink(missing_ok=True)
        try:
            with _limited_silence():
                download_url(url, str(path.parent), filename=partial_path.name)
            break
        except Exception as error:  # any error of the network or the disk
            if attempt == len(urls):
                raise _download_error(path, urls, error) from None
    content = _read_verified(partial_path, file)
    write_atomically(path, content)
    partial_path.unlink()
    return content


def _download_error(path: Path, urls: Sequence[str], error: Exception) -> DataError:
    hosts = " or ".join(dict.fromkeys(urlsplit(url).netloc for url in urls))
    cause = str(getattr(error, "reason", error))  # urllib wraps the error of the connection
    reason = escape_name(" ".join(cause.split())) or type(error).__name__
    return DataError(
        f"{path}: cannot be downloaded from {hosts} ({reason});"
        " run `make data` where there is a network, or put the file there yourself"
    )


@contextmanager
def _limited_silence() -> Iterator[None]:
    """Limit how long a new connection waits for its server; without this, it may wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(READ_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _read_verified(path: Path, file: PublishedFile) -> bytes:
    """Return the content of a file. Raises DataError unless its checksum matches."""
    if path.suffix == ".part":
        remedy = f"try again, or put {path.stem} there yourself"
    else:
        remedy = "delete the file to download it again"
    try:
        with open_file(path, follows_links=True) as stream:
            content = stream.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    subject = "SHA-256"
    if file.is_gzip:
        subject = "SHA-256 of its decompressed content"
        try:
            content = _decompress(content)
        except zlib.error as error:
            raise DataError(
                f"{path}: is not a gzip file ({error}), expected one with the"
                f" {subject} {file.sha256}; {remedy}"
            ) from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != file.sha256:
        raise DataError(f"{path}: {subject} is {sha256}, expected {file.sha256}; {remedy}")
    return content


def _decompress(content: bytes) -> bytes:
    """Return at most GZIP_LIMIT_BYTES of a gzip file's content. Raises zlib.error.

    A truncated file yields the bytes that it has; their checksum then differs.
    """
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    return decompressor.decompress(content, GZIP_LIMIT_BYTES)
