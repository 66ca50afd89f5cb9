"""Check every image before anything starts, so that all broken ones are listed at once.

It decodes every image, and leaves a marker so that the same images are not checked again. Free of
torch.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from degradation.checksums import CorruptData, decode_document, encode_document
from degradation.config import Data
from degradation.counting import format_count
from degradation.data.arrays import Arrays
from degradation.data.cache_folders import (
    find_cache_folder,
    find_user_cache,
    lock_if_possible,
)
from degradation.data.fingerprint import data_fingerprint
from degradation.data.folders import check_root, find_splits, iterate_images
from degradation.data.paths import escape_name
from degradation.data.resizing import build_cache_suffix
from degradation.data.skipped_files import describe_skipped_files
from degradation.durable_io import read_file, write_atomically
from degradation.progress import notify
from degradation.registry import DATASETS
from degradation.single_warnings import warn_once

MANY = 10_000  # images whose check is announced

# what this process has checked already, since every job of a sweep asks: the root, the images'
# fingerprint, and how they are resized
_checked: set[tuple[Path, str, str]] = set()


def check_images(data: Data) -> None:
    """Decode every image below data.root, unless the same images have been checked before.

    Does nothing for a data set that is not a folder of images. Files that are not read are logged.

    Raises:
        ConfigError: data.root or data.size cannot be used.
        DataError: some files cannot be used as images, or all of them are the same.
    """
    if not DATASETS.facts(data.name).get("checks_images", False):
        return
    from degradation.data.image_files import READER_VERSION  # imports Pillow, which few runs need

    root = check_root(data)
    fingerprint = data_fingerprint(data)
    key = (root, fingerprint, build_cache_suffix(data))
    if key in _checked:
        return
    skipped = describe_skipped_files(root, find_splits(data))
    if skipped is not None:
        warn_once(skipped)
    content = {"images": fingerprint, "size": data.size, "reader": READER_VERSION}
    name = f"checked-{fingerprint.replace(':', '-')}-{build_cache_suffix(data)}.json"
    markers = [folder / name for folder in _list_marker_folders(root)]
    if not any(_is_valid(marker, content) for marker in markers):
        _check_and_mark(data, root, markers, content)
    _checked.add(key)


def _check_and_mark(
    data: Data, root: Path, markers: list[Path], content: Mapping[str, object]
) -> None:
    """Decode every image, and write the first marker that can be written."""
    with _lock(markers) as marker:
        if marker is not None and _is_valid(marker, content):
            return  # another process has checked the images meanwhile
        _decode_everything(data, root)
        if marker is not None:
            # on a full disk, the images are checked again next time
            with contextlib.suppress(OSError):
                write_atomically(marker, encode_document(dict(content)))


def _list_marker_folders(root: Path) -> list[Path]:
    """Return the folders that may hold a marker: beside the images, and the user's cache.

    The second is for images that cannot be written to, such as a cluster's shared ImageNet.
    """
    folders = []
    beside_images = find_cache_folder(root)
    if beside_images is not None:
        folders.append(beside_images)
    user_cache = find_user_cache()
    if user_cache is not None:
        folders.append(user_cache)
    return folders


def _is_valid(marker: Path, content: Mapping[str, object]) -> bool:
    try:
        document = decode_document(read_file(marker))
    except (OSError, CorruptData):
        return False
    return all(document.get(key) == value for key, value in content.items())


@contextmanager
def _lock(markers: list[Path]) -> Iterator[Path | None]:
    """Hold the lock of the first marker whose folder can be written to, and yield the marker.

    Processes that start together then check the images once. Yields None if no folder can be
    written to.
    """
    with contextlib.ExitStack() as stack:
        for marker in markers:
            if stack.enter_context(lock_if_possible(marker)):
                yield marker
                return
        yield None


def _decode_everything(data: Data, root: Path) -> None:
    """Decode every image of both splits. Raises ConfigError, DataError."""
    from degradation.data.image_files import read_rgb
    from degradation.data.parallel_reading import read_images

    paths: list[Path] = []
    for split in find_splits(data):
        paths += [Path(image.path) for _, image in iterate_images(root, split)]
    if len(paths) >= MANY:
        count = format_count(len(paths), "image")
        notify(f"{escape_name(root)}: checking {count}, once for these images")
    if data.stream is None:
        arrays: Arrays = DATASETS.load(data.name)(data)  # which caches the decoded images
        arrays.check(data.name)
        return
    for _ in read_images(root, paths, lambda path: read_rgb(path).size):
        pass
