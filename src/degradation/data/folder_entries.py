"""The files of an image folder: images, and files that are hidden or left by the operating system.

Does not import torch. A folder or file that cannot be used raises ConfigError for data.root.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from degradation.config import ConfigError
from degradation.data.paths import escape_name
from degradation.durable_io import check_regular

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
)

# Files and folders that operating systems leave beside images, besides hidden names such as
# .DS_Store and ._0.png (macOS): some of these folders hold thumbnails, which would be taken for
# images. In lower case.
SYSTEM_NAMES = {
    "__macosx",  # in archives that macOS made
    "icon\r",  # a macOS folder's icon
    "thumbs.db",  # Windows
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    "@eadir",  # a Synology disk station
    "#recycle",
    "lost+found",
}


def is_system_name(name: str) -> bool:
    """Return whether a file or folder of this name is hidden or left by a system."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def is_image_name(name: str) -> bool:
    """Return whether a file of this name is read as an image."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def scan(folder: Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries, sorted by name, without system files. Raises ConfigError."""
    return [entry for entry in scan_everything(folder) if not is_system_name(entry.name)]


def scan_everything(folder: Path) -> list[os.DirEntry[str]]:
    """Return all of a folder's entries, sorted by name. Raises ConfigError."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable_error(folder, error) from None


def walk_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a folder and then those of its subfolders, each sorted by name.

    The order is that of torchvision's ImageFolder. Links are followed; system files are skipped.

    Raises:
        ConfigError: a folder cannot be read, or a link leads to a folder that was already visited,
        which could make the walk endless.
    """
    seen: set[tuple[int, int]] = set()
    pending = [folder]
    while pending:
        current = pending.pop()
        _mark_as_seen(current, seen)
        subfolders = []
        for entry in scan(current):
            if is_subfolder(entry):
                subfolders.append(Path(entry.path))
            else:
                yield entry
        pending.extend(reversed(subfolders))


def _mark_as_seen(folder: Path, seen: set[tuple[int, int]]) -> None:
    """Add a folder to those that the walk has seen. Raises ConfigError if it is one of them."""
    try:
        status = folder.stat()
    except OSError as error:
        raise unreadable_error(folder, error) from None
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        raise ConfigError(
            f"data.root: {escape_name(folder)} leads to a folder whose images are listed already;"
            " remove the link"
        )
    seen.add(identity)


def is_subfolder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder to descend into. A name with an image suffix never is."""
    if is_image_name(entry.name):
        return False
    try:
        return entry.is_dir()
    except OSError as error:
        raise unreadable_error(Path(entry.path), error) from None


def stat_image(image: os.DirEntry[str] | Path) -> os.stat_result:
    """Return the status of an image file, following a symbolic link. Raises ConfigError."""
    try:
        status = image.stat()
        check_regular(Path(image), status)
    except OSError as error:
        raise unreadable_error(Path(image), error) from None
    return status


def unreadable_error(path: Path, error: OSError) -> ConfigError:
    """Return the ConfigError for a file or folder that cannot be read."""
    return ConfigError(
        f"data.root: {escape_name(path)} cannot be read ({error.strerror});"
        " make it readable, or remove it"
    )
