"""Which pictures a data set holds, told without torch: part of a run's identity, by content and not by path."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from degradation.config import ConfigError, Data

CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
SPLITS = ("train", "test")
CACHE = ".degradation"  # folder beside the pictures; holds the digest of a listing and the decoded arrays


def content(data: Data) -> str:
    """A name for the pictures: fixed for the sets that have one published form, a digest for a folder of pictures."""
    if data.name == "digits":
        return "digits-1500-297"
    if data.name == "cifar10":
        return f"sha256:{CIFAR10_SHA256[:16]}"
    return f"sha256:{folder_digest(folder_root(data))[:16]}"


def folder_root(data: Data) -> Path:
    """The checked root of an image folder. Raises ConfigError."""
    root = Path(str(data.root)).expanduser()
    for split in SPLITS:
        if not (root / split).is_dir():
            raise ConfigError(
                f"data.root: {str(root)!r} has no folder {split!r}; it needs train/<class>/ and test/<class>/"
            )
    classes = {split: class_names(root, split) for split in SPLITS}
    if classes["train"] != classes["test"] or len(classes["train"]) < 2:
        raise ConfigError(f"data.root: {str(root)!r} must have the same two or more classes in train and test")
    return root


def class_names(root: Path, split: str) -> list[str]:
    return sorted(path.name for path in (root / split).iterdir() if path.is_dir() and not path.name.startswith("."))


def pictures(root: Path, split: str) -> Iterator[tuple[int, Path]]:
    """Class index and path of every picture, in a fixed order."""
    for index, name in enumerate(class_names(root, split)):
        for path in sorted((root / split / name).iterdir()):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                yield index, path


def folder_digest(root: Path) -> str:
    """SHA-256 over names and bytes of all pictures. The digest of an unchanged listing (name, size, time) is kept."""
    listing = hashlib.sha256()
    files = []
    for split in SPLITS:
        for _, path in pictures(root, split):
            status = path.stat()
            name = path.relative_to(root).as_posix()
            listing.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
            files.append((name, path))
    memory = root / CACHE / "digest.json"
    try:
        known = json.loads(memory.read_text())
        if known["listing"] == listing.hexdigest():
            return str(known["content"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no memory of this listing: read the pictures
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    try:
        memory.parent.mkdir(exist_ok=True)
        memory.write_text(json.dumps({"listing": listing.hexdigest(), "content": total.hexdigest()}))
    except OSError:
        pass  # a read-only folder: the digest is computed every time
    return total.hexdigest()
