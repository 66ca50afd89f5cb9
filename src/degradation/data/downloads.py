"""Published files: each is downloaded once, and used only if its SHA-256 matches."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from degradation.data.errors import DataError
from degradation.data.safe_open import escape_name, open_regular
from degradation.durable_io import write_atomically

GZIP_LIMIT_BYTES = 64 * 2**20  # limit of decompressed content; the largest file has 47 MB


@dataclass(frozen=True)
class PublishedFile:
    """A published file: its name, its checksum and where to download it."""

    name: str
    sha256: str  # checksum of the file, or of its decompressed content if `is_gzip`
    find_urls: Callable[[], Sequence[str]]  # only for a download: it imports torchvision
    is_gzip: bool = False


def fetch(root: Path, file: PublishedFile, other_folders: Iterable[Path] = ()) -> bytes:
    """Return the verified content of a published file.

    It is read from `root`, or else from one of the other folders. If none of them has it, it is
    downloaded to `root`; processes that start at the same time download it once.

    Returns:
        the file's bytes, decompressed if `file.is_gzip`.

    Raises:
        DataError: the checksum does not match, or the file cannot be read or downloaded.
    """
    for folder in (root, *other_folders):
        if (folder / file.name).exists():
            return _read_verified(folder / file.name, file)
    path = root / file.name
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{file.name}.lock"):
            if not path.exists():
                return _download(path, file)
    except DataError:
        raise
    except Exception as error:  # any error of the network or the disk
        reason = escape_name(" ".join(str(error).split())) or type(error).__name__
        raise DataError(
            f"{path}: the download failed ({reason}); try again, or put the file there yourself"
        ) from None
    return _read_verified(path, file)


def _download(path: Path, file: PublishedFile) -> bytes:
    """Download a file and return its content.

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
            download_url(url, str(path.parent), filename=partial_path.name)
            break
        except Exception:
            if attempt == len(urls):
                raise
    content = _read_verified(partial_path, file)
    write_atomically(path, content)
    partial_path.unlink()
    return content


def _read_verified(path: Path, file: PublishedFile) -> bytes:
    """Return the content of a file. Raises DataError unless its checksum matches."""
    if path.suffix == ".part":
        remedy = f"try again, or put {path.stem} there yourself"
    else:
        remedy = "delete the file to download it again"
    try:
        with open_regular(path) as stream:
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
