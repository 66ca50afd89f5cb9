"""Data sets as uint8 pictures (N, C, H, W) and int64 labels (N,), on the CPU, checked before they are used."""

import contextlib
import hashlib
import io
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from degradation.config import ConfigError, Data
from degradation.data.content import CACHE, CIFAR10_ARCHIVE, CIFAR10_SHA256, class_names, content, folder_root, pictures

DIGITS_TEST = 297


@dataclass(frozen=True)
class Split:
    pictures: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,)


@dataclass(frozen=True)
class Dataset:
    train: Split
    test: Split
    classes: int

    @property
    def channels(self) -> int:
        return self.train.pictures.shape[1]

    @property
    def side(self) -> int:
        return self.train.pictures.shape[2]

    def checksum(self) -> str:
        """SHA-256 of every picture and label, in their order."""
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            digest.update(split.pictures.numpy().tobytes())
            digest.update(split.labels.numpy().tobytes())
        return digest.hexdigest()


class DataError(Exception):
    """A file that is missing, incomplete or not what it should be: its name and what was wrong."""


def load(data: Data) -> Dataset:
    """Raises ConfigError (a wrong key), DataError (a wrong file)."""
    if data.name == "digits":
        return _digits()
    return {"cifar10": _cifar10, "image_folder": _image_folder}[data.name](data)


def _digits() -> Dataset:
    """1,797 handwritten 8x8 pictures (values 0 to 16): a fixed stratified split of 1,500 / 297."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    everything, labels = load_digits(return_X_y=True)
    train, test = train_test_split(np.arange(len(labels)), test_size=DIGITS_TEST, stratify=labels, random_state=0)
    grey = torch.from_numpy(everything.astype(np.uint8).reshape(-1, 1, 8, 8))
    label = torch.from_numpy(labels.astype(np.int64))
    return Dataset(Split(grey[train], label[train]), Split(grey[test], label[test]), classes=10)


def _cifar10(data: Data) -> Dataset:
    """The canonical archive, downloaded once; its SHA-256 is checked before anything in it is unpickled."""
    return read_cifar10(_fetch_cifar10(Path(str(data.root)).expanduser()), CIFAR10_SHA256)


def _fetch_cifar10(root: Path) -> Path:
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import download_url

    archive = root / CIFAR10_ARCHIVE
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{CIFAR10_ARCHIVE}.lock"):  # runs that start at once download once
        if not archive.exists():
            part = f"{CIFAR10_ARCHIVE}.part"  # a download that was cut off never has the archive's name
            try:
                download_url(CIFAR10.url, str(root), filename=part, md5=CIFAR10.tgz_md5)
                (root / part).replace(archive)
            except Exception as error:
                raise DataError(f"{archive}: could not be downloaded ({error}); put it there by hand") from None
    return archive


def read_cifar10(archive: Path, sha256: str) -> Dataset:
    """The pictures of a CIFAR-10 archive whose SHA-256 is `sha256`. Raises DataError."""
    packed = archive.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != sha256:
        raise DataError(f"{archive}: SHA-256 is {found}, expected {sha256}; delete the file to download it again")

    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:

        def batch(name: str) -> Split:
            member = tar.extractfile(f"cifar-10-batches-py/{name}")
            if member is None:
                raise DataError(f"{archive}: holds no {name}")
            values = pickle.loads(member.read(), encoding="latin1")  # trusted: the archive's checksum was right
            shaped = torch.from_numpy(np.array(values["data"], dtype=np.uint8).reshape(-1, 3, 32, 32))
            return Split(shaped, torch.tensor(values["labels"], dtype=torch.int64))

        batches = [batch(f"data_batch_{index}") for index in range(1, 6)]
        test = batch("test_batch")
    train = Split(torch.cat([b.pictures for b in batches]), torch.cat([b.labels for b in batches]))
    return Dataset(train, test, classes=10)


def _image_folder(data: Data) -> Dataset:
    """ROOT/train/<class>/ and ROOT/test/<class>/, decoded once into arrays that are named by the pictures' content."""
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
                arrays = {key: file[key] for key in file.files}
        else:
            arrays = _decode(root, data.size)
            if writable:
                temporary = cached.with_suffix(".tmp.npz")
                np.savez(temporary, allow_pickle=False, **arrays)
                temporary.replace(cached)
    parts = {key: torch.from_numpy(value) for key, value in arrays.items()}
    return Dataset(
        Split(parts["train_pictures"], parts["train_labels"]),
        Split(parts["test_pictures"], parts["test_labels"]),
        classes=len(class_names(root, "train")),
    )


def _decode(root: Path, size: int | None) -> dict[str, np.ndarray]:
    from PIL import Image, UnidentifiedImageError

    arrays = {}
    shape: tuple[int, ...] | None = None
    for split in ("train", "test"):
        decoded, labels = [], []
        for label, path in pictures(root, split):
            try:
                with Image.open(path) as image:
                    rgb = image.convert("RGB")
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                raise DataError(f"{path}: is not a readable picture ({error})") from None
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
