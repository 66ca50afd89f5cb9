"""A folder of pictures of one's own, decoded once into arrays that are named by the pictures' content."""

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image, UnidentifiedImageError

from degradation.config import ConfigError, Data
from degradation.data.errors import DataError
from degradation.data.fingerprint import (
    SPLITS,
    class_names,
    data_fingerprint,
    folder_root,
    pictures,
)
from degradation.data.safe_open import cache_folder, opened, shown, warn_once
from degradation.durable_io import (
    CorruptData,
    make_folder,
    read_file,
    seal,
    unseal,
    write_atomically,
)

Arrays = dict[
    str, np.ndarray
]  # {train,test}_pictures: uint8 (N, 3, H, W); {train,test}_labels: int64 (N,)
# what a .jpg or .png may hold; Pillow would start Ghostscript for an EPS
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


def image_folder(data: Data) -> Arrays:
    """ROOT/train/<class>/ and ROOT/test/<class>/. Raises ConfigError (a wrong key), DataError (a wrong file)."""
    root = folder_root(data)
    name = data_fingerprint(data).removeprefix("sha256:")
    folder = cache_folder(root)
    if folder is None:
        return _decode(root, data.size)
    cached = folder / f"{name}-{data.size or 'as-is'}.npz"
    with contextlib.ExitStack() as held:
        with contextlib.suppress(
            OSError
        ):  # a read-only folder is told below, where nothing is cached there yet
            make_folder(folder)
            held.enter_context(
                FileLock(cached.with_suffix(".lock"))
            )  # runs that start at once decode once
        arrays = _cached(cached, data.size)
        if arrays is None:
            arrays = _decode(root, data.size)
            _keep(cached, arrays)
    return arrays


def _cached(path: Path, size: int | None) -> Arrays | None:
    """What was decoded before; None, told where the file is damaged, where there is nothing to go by."""
    try:
        return _unpacked(unseal(read_file(path)), size)
    except FileNotFoundError:
        return None
    except (OSError, CorruptData) as problem:
        why = shown(problem)
        warn_once(
            f"{shown(path)}: {why} (damaged, or of an earlier release); the pictures are decoded again"
        )
        return None


def _unpacked(packed: bytes, size: int | None) -> Arrays:
    """Arrays of the kinds that `_decode` gives, whoever wrote them. Raises Damaged."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            # it is written as it is, so one that would grow is none of ours
            small = sum(member.file_size for member in file.zip.infolist()) <= len(packed)
            names = [
                f"{split}_{part}"
                for split in SPLITS["image_folder"]
                for part in ("pictures", "labels")
            ]
            arrays = {name: file[name] for name in names if small}
        if small and all(_fits(arrays, split, size) for split in SPLITS["image_folder"]):
            return arrays
    except Exception as error:  # whatever numpy makes of bytes that are none of its own
        raise CorruptData(f"holds no pictures ({type(error).__name__})") from None
    raise CorruptData("holds something else than was written")


def _fits(arrays: Arrays, split: str, size: int | None) -> bool:
    of_split, labels = arrays[f"{split}_pictures"], arrays[f"{split}_labels"]
    side = size or arrays["train_pictures"].shape[-1]
    if of_split.dtype != np.uint8 or labels.dtype != np.int64 or not len(labels):
        return False
    return of_split.shape == (len(labels), 3, side, side) and int(labels.min()) >= 0


def _keep(path: Path, arrays: Arrays) -> None:
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    try:
        write_atomically(path, seal(packed.getvalue()))
    except OSError as error:
        warn_once(
            f"{shown(path)}: cannot be written ({error.strerror}); every run decodes the pictures anew"
        )


def rgb_picture(path: Path) -> Image.Image:
    """A picture of any kind as RGB. Raises DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", Image.DecompressionBombWarning
            )  # Pillow's error begins at twice as many
            with opened(path) as file, Image.open(file, formats=FORMATS) as image:
                return image.convert("RGB")
    except Exception as error:  # what Pillow raises for a broken file varies by format: a PNG's bad chunk, a SyntaxError
        raise DataError(f"{shown(path)}: is not a readable picture ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return f"none of {', '.join(FORMATS)}"
    return shown(error) or type(error).__name__


def _decode(root: Path, size: int | None) -> Arrays:
    arrays: Arrays = {}
    shape: tuple[int, ...] | None = None
    for split in SPLITS["image_folder"]:
        decoded, labels = [], []
        for label, path in pictures(root, split):
            rgb = rgb_picture(path)
            if size is not None and rgb.size != (size, size):
                rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
            array = np.asarray(rgb).transpose(2, 0, 1)
            shape = shape or array.shape
            if array.shape != shape or shape[1] != shape[2]:
                raise ConfigError(
                    f"data.size: null is not allowed: {shown(path)} is {array.shape[2]}x{array.shape[1]} pixels, and"
                    " pictures must be square and of one size; allowed: a side in pixels to resize to"
                )
            decoded.append(array)
            labels.append(label)
        for label, name in enumerate(class_names(root, split)):
            if label not in labels:
                raise DataError(
                    f"{shown(root / split / name)}: holds no .jpg, .jpeg or .png picture"
                )
        arrays[f"{split}_pictures"] = np.stack(decoded)
        arrays[f"{split}_labels"] = np.array(labels, dtype=np.int64)
    return arrays
