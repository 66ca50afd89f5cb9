"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), read from the official archives."""

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from degradation.config import Data
from degradation.data.arrays import Arrays
from degradation.data.downloads import FileSet, PublishedFile
from degradation.data.errors import DataError
from degradation.data.paths import expand_root
from degradation.registry import DATASETS


def _find_cifar10_urls() -> list[str]:
    from torchvision.datasets import CIFAR10 as TORCHVISION_CIFAR10

    return [TORCHVISION_CIFAR10.url]


def _find_cifar100_urls() -> list[str]:
    from torchvision.datasets import CIFAR100 as TORCHVISION_CIFAR100

    return [TORCHVISION_CIFAR100.url]


CIFAR10 = PublishedFile(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    _find_cifar10_urls,
)
CIFAR100 = PublishedFile(
    "cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    _find_cifar100_urls,
)


def find_cifar10_files(data: Data) -> FileSet:
    """Return the official archive of CIFAR-10."""
    return FileSet(expand_root(data), (CIFAR10,))


def find_cifar100_files(data: Data) -> FileSet:
    """Return the official archive of CIFAR-100."""
    return FileSet(expand_root(data), (CIFAR100,))


@DATASETS.register(
    "cifar10",
    fingerprint="sha256:6d958be074577803",
    files="degradation.data.cifar.find_cifar10_files",
    channels=3,
    side=32,
    classes=10,
    resizable=True,
)
def read_cifar10(data: Data) -> Arrays:
    """Read CIFAR-10: 50,000 and 10,000 images of 10 classes (He et al. 2015, 4.2).

    Raises DataError.
    """
    ((path, content),) = find_cifar10_files(data).fetch().items()
    return read_cifar10_archive(path, content)


@DATASETS.register(
    "cifar100",
    fingerprint="sha256:85cd44d02ba64377",
    files="degradation.data.cifar.find_cifar100_files",
    channels=3,
    side=32,
    classes=100,
    resizable=True,
)
def read_cifar100(data: Data) -> Arrays:
    """Read CIFAR-100 with its 100 fine classes, 50,000 and 10,000 images. Raises DataError."""
    ((path, content),) = find_cifar100_files(data).fetch().items()
    return read_cifar100_archive(path, content)


def read_cifar10_archive(path: Path, content: bytes) -> Arrays:
    """Read an archive whose checksum has been verified; messages name it by `path`.

    Raises DataError if a member is missing.
    """
    folder = "cifar-10-batches-py"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        batches = [
            _read_member(path, archive, f"{folder}/data_batch_{number}") for number in range(1, 6)
        ]
        test_batch = _read_member(path, archive, f"{folder}/test_batch")
    return _concatenate_batches(batches, [test_batch], label_key="labels")


def read_cifar100_archive(path: Path, content: bytes) -> Arrays:
    """Read an archive as `read_cifar10_archive` does, with its fine labels."""
    folder = "cifar-100-python"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        train_batch = _read_member(path, archive, f"{folder}/train")
        test_batch = _read_member(path, archive, f"{folder}/test")
    return _concatenate_batches([train_batch], [test_batch], label_key="fine_labels")


def _read_member(path: Path, archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    """Unpickle one batch of an archive. Raises DataError if the archive lacks it."""
    try:
        member = archive.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise DataError(f"{path}: has no member {name}; delete the file to download it again")
    # unpickling can run code; it is safe here because the archive's checksum has been verified
    batch: dict[str, Any] = pickle.loads(member.read(), encoding="latin1")
    return batch


def _concatenate_batches(
    train: list[dict[str, Any]], test: list[dict[str, Any]], label_key: str
) -> Arrays:
    return Arrays(
        train_images=_concatenate_images(train),
        train_labels=_concatenate_labels(train, label_key),
        test_images=_concatenate_images(test),
        test_labels=_concatenate_labels(test, label_key),
    )


def _concatenate_images(batches: list[dict[str, Any]]) -> np.ndarray:
    """Return uint8 (N, 3, 32, 32); a row of a batch is 3,072 bytes: channel, row, column."""
    rows = np.concatenate([np.asarray(batch["data"], dtype=np.uint8) for batch in batches])
    return rows.reshape(-1, 3, 32, 32)


def _concatenate_labels(batches: list[dict[str, Any]], key: str) -> np.ndarray:
    """Return int64 (N,)."""
    return np.concatenate([np.asarray(batch[key], dtype=np.int64) for batch in batches])
