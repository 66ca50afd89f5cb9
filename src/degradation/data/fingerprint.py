"""Which pictures a data set holds, told without torch: part of a run's identity, by content and not by path."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from degradation.config import ConfigError, Data
from degradation.config.errors import is_single_line
from degradation.data.safe_open import cache_folder, check_regular, opened, shown, warn_once
from degradation.durable_io import (
    CorruptData,
    decode_document,
    encode_document,
    read_file,
    write_atomically,
)

CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
CIFAR100_ARCHIVE = "cifar-100-python.tar.gz"
CIFAR100_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
# of what is in the gzip files: Debian compresses the same bytes in another way than Zalando does
FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
PUBLISHED = {
    "cifar10": CIFAR10_SHA256,
    "cifar100": CIFAR100_SHA256,
    "fashion_mnist": hashlib.sha256("".join(FASHION_MNIST_SHA256.values()).encode()).hexdigest(),
}
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
SPLITS = {"image_folder": ("train", "test"), "imagenet": ("train", "val")}
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Listing:
    """The pictures of one split by name, in a fixed order; arrays, which worker processes share at no cost."""

    names: np.ndarray  # bytes (N,), relative to the root
    labels: np.ndarray  # int64 (N,)

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: np.ndarray) -> "Listing":
        """The images for which `chosen`, bool (N,), is true."""
        return Listing(self.names[chosen], self.labels[chosen])


def data_fingerprint(data: Data) -> str:
    """A name for the pictures. Raises ConfigError.

    Fixed for the sets that have one published form; a digest of every byte for an image folder; for ImageNet a digest
    of the names and sizes of all pictures and not of their bytes, which are 150 GB: a picture that is changed into
    another of the same size is not noticed.
    """
    if data.name == "digits":
        return "digits-1500-297"
    if data.name == "imagenet":
        return f"listing:{listing(folder_root(data))[2][:16]}"
    return f"sha256:{(PUBLISHED.get(data.name) or folder_digest(folder_root(data)))[:16]}"


def folder_root(data: Data) -> Path:
    """The checked root of a folder of pictures. Raises ConfigError."""
    root = Path(str(data.root)).expanduser()
    train, test = SPLITS[data.name]
    for split in (train, test):
        if not os.path.isdir(root / split):
            raise ConfigError(
                f"data.root: {str(root)!r} has no folder {split!r}; it needs {train}/<class>/ and {test}/<class>/"
            )
    classes = class_names(root, train)
    if classes != class_names(root, test) or len(classes) < 2:
        raise ConfigError(
            f"data.root: {str(root)!r} must have the same two or more classes in {train} and {test}"
        )
    for name in classes:
        if not is_single_line(name):
            raise ConfigError(
                f"data.root: the class folder {str(root / train / name)!r} is not allowed; allowed: names in UTF-8"
                " without control characters"
            )
    return root


def class_names(root: Path, split: str) -> list[str]:
    """Raises ConfigError."""
    return [
        entry.name
        for entry in _entries(root / split)
        if entry.is_dir() and not entry.name.startswith(".")
    ]


def pictures(root: Path, split: str) -> Iterator[tuple[int, Path]]:
    """Class index and path of every picture, in a fixed order. Raises ConfigError."""
    for index, name in enumerate(class_names(root, split)):
        for entry in _entries(root / split / name):
            if entry.name.lower().endswith(PICTURE_SUFFIXES):
                yield index, Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name. Raises ConfigError."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from None


def unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"data.root: {shown(path)} cannot be read ({error.strerror})")


@lru_cache(maxsize=1)  # a sweep asks for every run, and ImageNet has 1.3 million pictures
def listing(root: Path) -> tuple[Listing, Listing, str]:
    """ImageNet's train/, its val/, and the digest over names and sizes; read once a process. Raises ConfigError."""
    listings = []
    digest = hashlib.sha256()
    for split in SPLITS["imagenet"]:
        names: list[bytes] = []
        counts: list[int] = []
        for name in class_names(root, split):
            sizes = _sizes(root / split / name)
            for picture, size in sizes:
                relative = os.fsencode(f"{split}/{name}/{picture}")
                digest.update(relative + f"\0{size}\n".encode())
                names.append(relative)
            counts.append(len(sizes))
        listings.append(
            Listing(np.array(names), np.repeat(np.arange(len(counts), dtype=np.int64), counts))
        )
    train, test = listings
    return train, test, digest.hexdigest()


def _sizes(folder: Path) -> list[tuple[str, int]]:
    """Name and bytes of every picture of a class. Raises ConfigError."""
    found = [entry for entry in _entries(folder) if entry.name.lower().endswith(PICTURE_SUFFIXES)]
    sizes = [(entry.name, _status(entry).st_size) for entry in found]
    if not sizes:
        raise ConfigError(f"data.root: {shown(folder)} holds no .jpg, .jpeg or .png picture")
    return sizes


def _status(entry: os.DirEntry[str] | Path) -> os.stat_result:
    """Of a picture, behind a link too. Raises ConfigError where it is not there, or not a regular file."""
    try:
        status = entry.stat()
        check_regular(status)
    except OSError as error:
        raise unreadable(Path(entry), error) from None
    return status


def folder_digest(root: Path) -> str:
    """SHA-256 over names and bytes of all pictures. The digest of an unchanged listing (name, size, time) is kept.

    Raises ConfigError.
    """
    seen = hashlib.sha256()
    files = []
    for split in SPLITS["image_folder"]:
        for _, path in pictures(root, split):
            status = _status(path)
            name = os.fsencode(path.relative_to(root).as_posix())
            seen.update(name + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
            files.append((name, path))
    folder = cache_folder(root)
    memory = None if folder is None else folder / "digest.json"
    known = None if memory is None else _remembered(memory, seen.hexdigest())
    if known is not None:
        return known
    total = hashlib.sha256()
    for name, path in files:
        try:
            with opened(path) as file:
                total.update(name + b"\0" + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise unreadable(path, error) from None
    if memory is not None:
        with contextlib.suppress(
            OSError
        ):  # a read-only folder, a full disk: the digest is computed every time
            write_atomically(
                memory, encode_document({"listing": seen.hexdigest(), "content": total.hexdigest()})
            )
    return total.hexdigest()


def _remembered(memory: Path, listing: str) -> str | None:
    """The digest that was kept for this listing; None, told where the file is damaged, where there is none."""
    try:
        known, checked = decode_document(read_file(memory))
        if not checked:
            raise CorruptData("carries no checksum (damaged, or of an earlier release)")
    except FileNotFoundError:
        return None
    except (OSError, CorruptData) as problem:
        warn_once(f"{shown(memory)}: {shown(problem)}; the pictures are read again")
        return None
    data_fingerprint = known.get("content")
    if known.get("listing") != listing or not isinstance(
        data_fingerprint, str
    ):  # of other pictures
        return None
    return data_fingerprint if SHA256.fullmatch(data_fingerprint) else None
