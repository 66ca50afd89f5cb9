"""Folders of images, ROOT/<split>/<class>/*.jpg: their classes and files, in a fixed order.

Free of torch. A folder that cannot be used raises ConfigError for data.root.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from degradation.config import ConfigError, Data
from degradation.config.errors import is_single_line
from degradation.data.safe_open import check_regular, escape_name, expand_root
from degradation.registry import DATASETS

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
NO_IMAGE = "has no .jpg, .jpeg or .png image; add images, or remove the class from every split"


@dataclass(frozen=True)
class Listing:
    """The image files of one split in a fixed order, as arrays that worker processes share."""

    names: np.ndarray  # bytes (N,): file names relative to the root
    labels: np.ndarray  # int64 (N,)

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, mask: np.ndarray) -> "Listing":
        """Return the images for which `mask`, bool (N,), is true."""
        return Listing(self.names[mask], self.labels[mask])


def find_splits(data: Data) -> tuple[str, str]:
    """Return the subfolders of data.root that hold the training and the test images."""
    train, test = DATASETS.facts(data.name)["splits"]
    return train, test


def check_root(data: Data) -> Path:
    """Return data.root once its splits and classes are checked; no image is opened."""
    root = expand_root(data)
    train, test = find_splits(data)
    allowed = f"allowed: a folder with {train}/<class>/ and {test}/<class>/"
    if not os.path.isdir(root):
        raise ConfigError(f"data.root: {str(root)!r} is not a folder; {allowed}")
    for split in (train, test):
        if not os.path.isdir(root / split):
            raise ConfigError(f"data.root: {str(root)!r} has no folder {split!r}; {allowed}")
    classes = list_classes(root, train)
    if classes != list_classes(root, test) or len(classes) < 2:
        raise ConfigError(
            f"data.root: {str(root)!r} has different classes in {train} and {test}, or fewer than"
            " two; allowed: the same class folders in both, at least two"
        )
    for name in classes:
        if not is_single_line(name):
            raise ConfigError(
                f"data.root: the class folder {str(root / train / name)!r} is not allowed;"
                " allowed: UTF-8 names without control characters"
            )
    return root


def list_classes(root: Path, split: str) -> list[str]:
    """Return the names of a split's class folders, sorted; hidden folders are ignored."""
    return [
        entry.name
        for entry in _scan(root / split)
        if entry.is_dir() and not entry.name.startswith(".")
    ]


def iterate_images(root: Path, split: str) -> Iterator[tuple[int, Path]]:
    """Yield the class index and the path of every image, sorted by class and by name."""
    for index, name in enumerate(list_classes(root, split)):
        for entry in _scan(root / split / name):
            if _is_image(entry):
                yield index, Path(entry.path)


@lru_cache(maxsize=1)  # every run of a sweep calls it, and ImageNet has 1.3 million images
def list_images(root: Path, splits: tuple[str, str]) -> tuple[Listing, Listing, str]:
    """List the images of both splits without opening them; cached per process.

    Returns:
        the training listing, the test listing, and the SHA-256 of all names and sizes (hex).
    """
    digest = hashlib.sha256()
    listings = []
    for split in splits:
        listing, sizes = _list_split(root, split)
        for name, size in zip(listing.names.tolist(), sizes, strict=True):
            digest.update(name + f"\0{size}\n".encode())
        listings.append(listing)
    return listings[0], listings[1], digest.hexdigest()


def _list_split(root: Path, split: str) -> tuple[Listing, list[int]]:
    """Return the listing of a split, and the size of each of its files in bytes."""
    names: list[bytes] = []
    labels: list[int] = []
    sizes: list[int] = []
    for label, class_name in enumerate(list_classes(root, split)):
        folder = root / split / class_name
        images = [entry for entry in _scan(folder) if _is_image(entry)]
        if not images:
            raise ConfigError(f"data.root: {escape_name(folder)} {NO_IMAGE}")
        names.extend(os.fsencode(f"{split}/{class_name}/{image.name}") for image in images)
        labels.extend([label] * len(images))
        sizes.extend(stat_image(image).st_size for image in images)
    return Listing(np.array(names), np.array(labels, dtype=np.int64)), sizes


def stat_image(image: os.DirEntry[str] | Path) -> os.stat_result:
    """Return the status of an image file, following a symbolic link. Raises ConfigError."""
    try:
        status = image.stat()
        check_regular(status)
    except OSError as error:
        raise unreadable_error(Path(image), error) from None
    return status


def unreadable_error(path: Path, error: OSError) -> ConfigError:
    """Return the ConfigError for a file or folder that cannot be read."""
    return ConfigError(
        f"data.root: {escape_name(path)} cannot be read ({error.strerror});"
        " make it readable, or remove it"
    )


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries, sorted by name. Raises ConfigError."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable_error(folder, error) from None


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(IMAGE_SUFFIXES)
