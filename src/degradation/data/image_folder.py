"""A user's own folder of images, decoded once into arrays that are cached beside the images."""

import io
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from degradation.checksums import CorruptData, seal, unseal
from degradation.config import ConfigError, Data
from degradation.config.schema import AREA
from degradation.data.arrays import Arrays
from degradation.data.cache_folders import find_cache_folder, lock_if_possible
from degradation.data.fingerprint import data_fingerprint
from degradation.data.folders import MAX_LISTED, check_root, find_splits, iterate_images
from degradation.data.image_files import READER_VERSION, ImageError, read_rgb
from degradation.data.parallel_reading import read_images
from degradation.data.paths import escape_name
from degradation.data.resizing import build_cache_suffix, resize_images
from degradation.durable_io import read_file, write_atomically
from degradation.registry import DATASETS
from degradation.single_warnings import warn_once


@DATASETS.register(
    "image_folder",
    fingerprint="contents",
    splits=("train", "test"),
    resizable=True,
    checks_images=True,
)
def read_image_folder(data: Data) -> Arrays:
    """Read ROOT/train/<class>/ and ROOT/test/<class>/ as RGB images, resized to data.size.

    Raises:
        ConfigError: data.root or data.size cannot be used.
        DataError: some files cannot be used as images.
    """
    root = check_root(data)
    folder = find_cache_folder(root)
    if folder is None:
        return decode_images(root, data)
    digest = data_fingerprint(data).removeprefix("sha256:")
    cache_file = folder / f"{digest}-{build_cache_suffix(data)}.npz"
    # runs that start together decode the images once; if that fails, `_write_cache` logs a warning
    with lock_if_possible(cache_file):
        arrays = _read_cache(cache_file, data.size)
        if arrays is None:
            arrays = decode_images(root, data)
            _write_cache(cache_file, arrays)
    return arrays


def decode_images(root: Path, data: Data) -> Arrays:
    """Decode every image of both splits, and resize it as data.size and data.resize say.

    Args:
        root: a checked root

    Raises:
        ConfigError: a class has no image; or data.size is None, and images are not square or differ
            in size.
        DataError: some files cannot be used as images, or are too small for area averaging.
    """
    paths: list[Path] = []
    labels: dict[str, list[int]] = {}
    splits = find_splits(data)
    for split in splits:
        labels[split] = []
        for label, image in iterate_images(root, split):
            labels[split].append(label)
            paths.append(Path(image.path))
    images = list(read_images(root, paths, partial(_decode_image, data=data)))
    _check_sizes(root, paths, [(pixels.shape[2], pixels.shape[1]) for pixels in images])
    train, test = (np.array(labels[split], dtype=np.int64) for split in splits)
    return Arrays(np.stack(images[: len(train)]), train, np.stack(images[len(train) :]), test)


def _check_sizes(root: Path, paths: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> None:
    """Raise ConfigError, naming the first MAX_LISTED others, unless all are squares of one size.

    Args:
        root: the folder that the paths are below, for the message
        sizes: width and height of each image, in pixels
    """
    squares = Counter(size for size in sizes if size[0] == size[1])
    usual = squares.most_common(1)[0][0] if squares else None
    others = [
        f"{escape_name(path.relative_to(root))} ({width}x{height})"
        for path, (width, height) in zip(paths, sizes, strict=True)
        if (width, height) != usual
    ]
    if not others:
        return
    expected = "square" if usual is None else f"{usual[0]}x{usual[1]} pixels as most squares are"
    listed = ", ".join(others[:MAX_LISTED])
    if len(others) > MAX_LISTED:
        listed += f" and {len(others) - MAX_LISTED} more"
    raise ConfigError(
        "data.size: null is not allowed: all images must be square and of one size, but"
        f" {len(others)} of {len(paths)} in {escape_name(root)} are not {expected}: {listed};"
        " allowed: a side in pixels to resize all images to, such as data.size=32"
    )


def _decode_image(path: Path, data: Data) -> np.ndarray:
    """Return uint8 (3, H, W); H = W = data.size unless it is None. Raises ImageError."""
    image = read_rgb(path)
    pixels = np.asarray(image).transpose(2, 0, 1)
    size = data.size
    if size is None or image.size == (size, size):
        return pixels
    if data.resize == AREA and min(image.size) < size:
        raise ImageError(
            path,
            f"has {image.width}x{image.height} pixels, which area averaging cannot enlarge to"
            f" {size}x{size}",
            "set a smaller data.size, or data.resize=bilinear",
        )
    return resize_images(pixels, size, data.resize)


def _read_cache(path: Path, size: int | None) -> Arrays | None:
    """Return the cached arrays, or None if there are none; a corrupt cache is logged."""
    try:
        return unpack_arrays(unseal(read_file(path)), size)
    except FileNotFoundError:
        return None
    except (OSError, CorruptData) as error:
        warn_once(
            f"{escape_name(path)}: {escape_name(error)} (corrupt, or written by an earlier"
            " release); decoding the images again"
        )
        return None


def unpack_arrays(packed: bytes, size: int | None) -> Arrays:
    """Unpack the bytes of a cache, which may be malicious. Raises CorruptData."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            # caches are written uncompressed; a compressed one could fill the memory
            unpacked_size = sum(member.file_size for member in file.zip.infolist())
            if unpacked_size > len(packed):
                raise CorruptData("is compressed")
            if int(file["reader"]) != READER_VERSION:
                raise CorruptData("was decoded by another version")
            arrays = Arrays(
                train_images=file["train_pictures"],
                train_labels=file["train_labels"],
                test_images=file["test_pictures"],
                test_labels=file["test_labels"],
            )
        arrays.check("image_folder")
    except Exception as error:  # numpy's exceptions for malformed bytes vary
        raise CorruptData(f"does not contain the images ({type(error).__name__})") from None
    channels, height, _ = arrays.train_images.shape[1:]
    if channels != 3 or height != (size or height):
        raise CorruptData("contains images of another size")
    return arrays


def _write_cache(path: Path, arrays: Arrays) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        reader=READER_VERSION,
        train_pictures=arrays.train_images,
        train_labels=arrays.train_labels,
        test_pictures=arrays.test_images,
        test_labels=arrays.test_labels,
    )
    try:
        write_atomically(path, seal(buffer.getvalue()))
    except OSError as error:
        warn_once(
            f"{escape_name(path)}: cannot be written ({error.strerror});"
            " every run decodes the images again"
        )
