"""Folders of images, ROOT/<split>/<class>/**/*.jpg: their classes and files, in a fixed order.

Does not import torch. A folder that cannot be used raises ConfigError for data.root.
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
from degradation.counting import format_count
from degradation.data.folder_entries import (
    IMAGE_SUFFIXES,
    is_image_name,
    scan,
    stat_image,
    walk_files,
)
from degradation.data.paths import escape_name, expand_root
from degradation.registry import DATASETS

MAX_LISTED = 10  # names in a message; the others are counted
VALIDATION_NAMES = ("val", "valid", "validation")  # what others call the folder test


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
        where = "" if root.is_absolute() else f" (looked for {escape_name(root.absolute())})"
        raise ConfigError(f"data.root: {str(root)!r} is not a folder{where}; {allowed}")
    for split in (train, test):
        if not os.path.isdir(root / split):
            hint = _suggest_renaming(root, split)
            raise ConfigError(f"data.root: {str(root)!r} has no folder {split!r}{hint}; {allowed}")
    classes = list_classes(root, train)
    _check_classes(root, {train: classes, test: list_classes(root, test)})
    for name in classes:
        if not is_single_line(name):
            raise ConfigError(
                f"data.root: the class folder {str(root / train / name)!r} is not allowed;"
                " allowed: UTF-8 names without control characters"
            )
    return root


def _suggest_renaming(root: Path, split: str) -> str:
    """Return that a folder may be the test images under another name, or an empty text."""
    if split != "test":
        return ""
    for name in VALIDATION_NAMES:
        if os.path.isdir(root / name):
            return f", but has {name!r}; rename it to {split!r}"
    return ""


def _check_classes(root: Path, classes: dict[str, list[str]]) -> None:
    """Raise ConfigError unless both splits have the same classes, at least two.

    Args:
        classes: the names of the class folders of each split
    """
    for split, names in classes.items():
        if not names:
            raise ConfigError(f"data.root: {_describe_split_without_classes(root, split)}")
    (train, train_names), (test, test_names) = classes.items()
    problems = []
    for split, missing in (
        (train, sorted(set(test_names) - set(train_names))),
        (test, sorted(set(train_names) - set(test_names))),
    ):
        if missing:
            problems.append(f"{split} lacks {join_names(missing)}")
    if problems:
        raise ConfigError(
            f"data.root: {escape_name(root)} has different classes in {train} and {test}:"
            f" {'; '.join(problems)}; allowed: the same class folders in both"
        )
    if len(train_names) < 2:
        raise ConfigError(
            f"data.root: {escape_name(root)} has only the class {join_names(train_names)};"
            " allowed: at least two class folders in each split"
        )


def _describe_split_without_classes(root: Path, split: str) -> str:
    images = sum(is_image_name(entry.name) for entry in scan(root / split))
    if images == 0:
        problem = "has no class folders"
    else:
        others = format_count(images, "image that belongs", "images that belong")
        problem = f"has no class folders, but {others} to no class"
    return f"{escape_name(root / split)} {problem}; allowed: images in {split}/<class>/"


def join_names(names: list[str]) -> str:
    """Return the first MAX_LISTED names, escaped, and how many more there are."""
    listed = ", ".join(escape_name(name) for name in names[:MAX_LISTED])
    if len(names) <= MAX_LISTED:
        return listed
    return f"{listed} and {len(names) - MAX_LISTED} more"


def list_classes(root: Path, split: str) -> list[str]:
    """Return the names of a split's class folders, sorted; system folders are not classes."""
    return [entry.name for entry in scan(root / split) if entry.is_dir()]


def iterate_images(root: Path, split: str) -> Iterator[tuple[int, os.DirEntry[str]]]:
    """Yield the class index and the entry of every image, class by class, in a fixed order.

    Images in subfolders of a class belong to it.

    Raises:
        ConfigError: after the last image, if a class has none.
    """
    empty_classes = []
    for index, name in enumerate(list_classes(root, split)):
        has_images = False
        for entry in walk_files(root / split / name):
            if is_image_name(entry.name):
                has_images = True
                yield index, entry
        if not has_images:
            empty_classes.append(name)
    if empty_classes:
        raise ConfigError(
            f"data.root: {escape_name(root / split)} has class folders without images:"
            f" {join_names(empty_classes)}; allowed: {', '.join(IMAGE_SUFFIXES)} files"
        )


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
    for label, image in iterate_images(root, split):
        names.append(encode_name(root, split, image))
        labels.append(label)
        sizes.append(stat_image(image).st_size)
    return Listing(np.array(names), np.array(labels, dtype=np.int64)), sizes


def encode_name(root: Path, split: str, image: os.DirEntry[str]) -> bytes:
    """Return the path of a split's image relative to the root, with slashes, as bytes."""
    # pathlib's relative_to would take a quarter of a minute for ImageNet
    below_split = image.path[len(str(root / split)) :]
    return os.fsencode(split + below_split.replace(os.sep, "/"))
