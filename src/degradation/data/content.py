"""Which pictures a data set holds, told without torch: part of a run's identity, by content and not by path."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from degradation.config import ConfigError, Data

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
CACHE = ".degradation"  # folder beside the pictures; holds the digest of a listing and the decoded arrays


class DataError(Exception):
    """A file that is missing, incomplete or not what it should be: its name and what was wrong."""


@dataclass(frozen=True)
class Listing:
    """The pictures of one split by name, in a fixed order; arrays, which worker processes share at no cost."""

    names: np.ndarray  # bytes (N,), relative to the root
    labels: np.ndarray  # int64 (N,)

    def __len__(self) -> int:
        return len(self.labels)


def content(data: Data) -> str:
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
        if not (root / split).is_dir():
            raise ConfigError(
                f"data.root: {str(root)!r} has no folder {split!r}; it needs {train}/<class>/ and {test}/<class>/"
            )
    classes = class_names(root, train)
    if classes != class_names(root, test) or len(classes) < 2:
        raise ConfigError(f"data.root: {str(root)!r} must have the same two or more classes in {train} and {test}")
    return root


def class_names(root: Path, split: str) -> list[str]:
    return sorted(path.name for path in (root / split).iterdir() if path.is_dir() and not path.name.startswith("."))


def pictures(root: Path, split: str) -> Iterator[tuple[int, Path]]:
    """Class index and path of every picture, in a fixed order."""
    for index, name in enumerate(class_names(root, split)):
        for path in sorted((root / split / name).iterdir()):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                yield index, path


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
        listings.append(Listing(np.array(names), np.repeat(np.arange(len(counts), dtype=np.int64), counts)))
    train, test = listings
    return train, test, digest.hexdigest()


def _sizes(folder: Path) -> list[tuple[str, int]]:
    """Name and bytes of every picture of a class."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name.lower().endswith(PICTURE_SUFFIXES)]
            sizes = sorted((entry.name, entry.stat().st_size) for entry in found)
    except OSError as error:
        raise ConfigError(f"data.root: {error.filename} cannot be read ({error.strerror})") from None
    if not sizes:
        raise ConfigError(f"data.root: {folder} holds no .jpg, .jpeg or .png picture")
    return sizes


def folder_digest(root: Path) -> str:
    """SHA-256 over names and bytes of all pictures. The digest of an unchanged listing (name, size, time) is kept."""
    seen = hashlib.sha256()
    files = []
    for split in SPLITS["image_folder"]:
        for _, path in pictures(root, split):
            status = path.stat()
            name = path.relative_to(root).as_posix()
            seen.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
            files.append((name, path))
    memory = root / CACHE / "digest.json"
    try:
        known = json.loads(memory.read_text())
        if known["listing"] == seen.hexdigest():
            return str(known["content"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no memory of this listing: read the pictures
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    try:
        memory.parent.mkdir(exist_ok=True)
        memory.write_text(json.dumps({"listing": seen.hexdigest(), "content": total.hexdigest()}))
    except OSError:
        pass  # a read-only folder: the digest is computed every time
    return total.hexdigest()
