"""Published data sets: each file is fetched once, and its SHA-256 is checked before anything in it is believed."""

import hashlib
import io
import math
import pickle
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from degradation.data.errors import DataError
from degradation.data.fingerprint import (
    CIFAR10_ARCHIVE,
    CIFAR10_SHA256,
    CIFAR100_ARCHIVE,
    CIFAR100_SHA256,
    FASHION_MNIST_SHA256,
)
from degradation.data.safe_open import opened, shown
from degradation.durable_io import write_atomically

# {train,test}_pictures: uint8 (N, C, H, W); {train,test}_labels: int64 (N,)
Arrays = dict[str, np.ndarray]

DEBIAN_FASHION_MNIST = Path(
    "/usr/share/datasets/fashion-mnist"
)  # of Debian's package dataset-fashion-mnist
TORCHVISION_FASHION_MNIST = Path("FashionMNIST", "raw")  # below the root that torchvision is given
IDX_BYTES = 0x08  # an idx file's element type: unsigned byte
IDX_LIMIT = 64 * 2**20  # bytes; the largest of the four files has 47 million


def cifar10(root: Path) -> Arrays:
    """10 classes (He et al. 2015, 4.2). Raises DataError."""
    return read_cifar10(root / CIFAR10_ARCHIVE, fetch(root, CIFAR10_ARCHIVE, CIFAR10_SHA256))


def cifar100(root: Path) -> Arrays:
    """100 fine classes. Raises DataError."""
    return read_cifar100(root / CIFAR100_ARCHIVE, fetch(root, CIFAR100_ARCHIVE, CIFAR100_SHA256))


def fashion_mnist(root: Path) -> Arrays:
    """10 classes, grey 28x28. Raises DataError."""
    elsewhere = (root / TORCHVISION_FASHION_MNIST, DEBIAN_FASHION_MNIST)
    arrays = {}
    for name, sha256 in FASHION_MNIST_SHA256.items():
        values = read_idx(root / name, fetch(root, name, sha256, elsewhere))
        split = "train" if name.startswith("train") else "test"
        if values.ndim == 3:
            arrays[f"{split}_pictures"] = values[:, None]
        else:
            arrays[f"{split}_labels"] = values.astype(np.int64)
    return arrays


def fetch(root: Path, name: str, sha256: str, elsewhere: Iterable[Path] = ()) -> bytes:
    """The checked content of a file in `root`, or in a folder of `elsewhere`, or else downloaded to `root` once.

    `sha256` is of an archive's bytes, and of what a single .gz file holds. Raises DataError.
    """
    for folder in (root, *elsewhere):
        if (folder / name).exists():
            return _checked(folder / name, sha256)
    path = root / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):  # runs that start at once download once
            if not path.exists():
                return _download(path, sha256)
    except DataError:
        raise
    except Exception as error:  # whatever a network or a disk does
        reason = shown(" ".join(str(error).split())) or type(error).__name__
        raise DataError(
            f"{path}: could not be downloaded ({reason}); put it there by hand"
        ) from None
    return _checked(path, sha256)


def _download(path: Path, sha256: str) -> bytes:
    """From the places that torchvision knows. A download that was cut off, or is wrong, never has the file's name."""
    from torchvision.datasets import CIFAR10, CIFAR100, FashionMNIST
    from torchvision.datasets.utils import download_url

    known = {CIFAR10.filename: [CIFAR10.url], CIFAR100.filename: [CIFAR100.url]}
    urls = known.get(path.name) or [
        f"{mirror.rstrip('/')}/{path.name}" for mirror in FashionMNIST.mirrors
    ]
    part = path.with_name(f"{path.name}.part")
    for attempt, url in enumerate(urls, start=1):
        part.unlink(
            missing_ok=True
        )  # torchvision would take what is left of an older download for the whole
        try:
            download_url(url, str(path.parent), filename=part.name)
            break
        except Exception:
            if attempt == len(urls):
                raise
    content = _checked(part, sha256)
    write_atomically(path, content)
    part.unlink()
    return content


def _checked(path: Path, sha256: str) -> bytes:
    """What the file holds. Raises DataError where it is not what was published."""
    try:
        with opened(path) as file:
            content = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    of = ""
    if path.name.removesuffix(".part").endswith("ubyte.gz"):
        of = " of what it holds"
        try:
            # a half-downloaded file gives what is there, and then another checksum
            content = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(content, IDX_LIMIT)
        except zlib.error as error:
            raise DataError(
                f"{path}: is no gzip file ({error}), expected SHA-256{of}: {sha256}; {_remedy(path)}"
            ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{path}: SHA-256{of} is {found}, expected {sha256}; {_remedy(path)}")
    return content


def _remedy(path: Path) -> str:
    if path.suffix == ".part":
        return f"start again, or put {path.stem} there by hand"
    return "delete the file to download it again"


def read_cifar10(archive: Path, packed: bytes) -> Arrays:
    """The pictures of an archive whose checksum was right. Raises DataError."""
    names = [f"data_batch_{index}" for index in range(1, 6)]
    return _read_cifar(
        archive, packed, "cifar-10-batches-py", {"train": names, "test": ["test_batch"]}, "labels"
    )


def read_cifar100(archive: Path, packed: bytes) -> Arrays:
    """As `read_cifar10`, with the fine labels."""
    return _read_cifar(
        archive, packed, "cifar-100-python", {"train": ["train"], "test": ["test"]}, "fine_labels"
    )


def _read_cifar(
    archive: Path, packed: bytes, folder: str, members: dict[str, list[str]], key: str
) -> Arrays:
    arrays: Arrays = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for split, names in members.items():
            batches = [_member(archive, tar, f"{folder}/{name}") for name in names]
            data = np.concatenate([np.asarray(batch["data"], dtype=np.uint8) for batch in batches])
            arrays[f"{split}_pictures"] = data.reshape(-1, 3, 32, 32)
            arrays[f"{split}_labels"] = np.concatenate(
                [np.asarray(batch[key], dtype=np.int64) for batch in batches]
            )
    return arrays


def _member(archive: Path, tar: tarfile.TarFile, name: str) -> dict[str, Any]:
    try:
        member = tar.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise DataError(f"{archive}: holds no {name}")
    values: dict[str, Any] = pickle.loads(
        member.read(), encoding="latin1"
    )  # trusted: the archive's checksum was right
    return values


def read_idx(path: Path, content: bytes) -> np.ndarray:
    """An idx file: 0, 0, the element type, the number of axes, a big-endian length each, then the bytes."""
    axes = content[3] if len(content) > 3 else 0
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    if (
        axes == 0
        or content[:3] != bytes([0, 0, IDX_BYTES])
        or len(content) != start + math.prod(shape)
    ):
        raise DataError(f"{path}: is no idx file of bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
