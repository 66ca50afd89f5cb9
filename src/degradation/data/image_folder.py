"""A folder of pictures of one's own, decoded once into arrays that are named by the pictures' content."""

import contextlib
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image, UnidentifiedImageError

from degradation.config import ConfigError, Data
from degradation.data.content import CACHE, SPLITS, DataError, class_names, content, folder_root, pictures


def image_folder(data: Data) -> dict[str, np.ndarray]:
    """ROOT/train/<class>/ and ROOT/test/<class>/: {train,test}_pictures uint8 (N, 3, H, W), _labels int64 (N,).

    Raises ConfigError (a wrong key), DataError (a wrong file).
    """
    root = folder_root(data)
    name = content(data).removeprefix("sha256:")
    cached = root / CACHE / f"{name}-{data.size or 'as-is'}.npz"
    try:
        cached.parent.mkdir(exist_ok=True)
        guard: contextlib.AbstractContextManager[object] = FileLock(cached.with_suffix(".lock"))  # decode once
        writable = True
    except OSError:
        guard, writable = contextlib.nullcontext(), False
    with guard:
        if cached.exists():
            with np.load(cached, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        arrays = _decode(root, data.size)
        if writable:
            temporary = cached.with_suffix(".tmp.npz")
            np.savez(temporary, allow_pickle=False, **arrays)
            temporary.replace(cached)
    return arrays


def rgb_picture(path: Path) -> Image.Image:
    """A picture of any kind as RGB. Raises DataError."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    # what Pillow raises for a broken file varies by format: a PNG's bad chunk is a SyntaxError
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: is not a readable picture ({error})") from None


def _decode(root: Path, size: int | None) -> dict[str, np.ndarray]:
    arrays = {}
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
                    f"data.size: null is not allowed: {path} is {array.shape[2]}x{array.shape[1]} pixels, and pictures"
                    " must be square and of one size; allowed: a side in pixels to resize to"
                )
            decoded.append(array)
            labels.append(label)
        for label, name in enumerate(class_names(root, split)):
            if label not in labels:
                raise DataError(f"{root / split / name}: holds no .jpg, .jpeg or .png picture")
        arrays[f"{split}_pictures"] = np.stack(decoded)
        arrays[f"{split}_labels"] = np.array(labels, dtype=np.int64)
    return arrays
