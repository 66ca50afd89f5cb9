"""Fashion-MNIST (Xiao et al. 2017): 70,000 greyscale 28x28 images of clothing."""

import math
from functools import partial
from pathlib import Path

import numpy as np

from degradation.config import Data
from degradation.data.arrays import Arrays
from degradation.data.downloads import FileSet, PublishedFile
from degradation.data.errors import DataError
from degradation.data.paths import expand_root
from degradation.registry import DATASETS

# folder of Debian's dataset-fashion-mnist
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
TORCHVISION_FOLDER = Path("FashionMNIST", "raw")  # below the root folder passed to torchvision
UNSIGNED_BYTE = 0x08  # an idx file's code for its element type


def _find_urls(name: str) -> list[str]:
    from torchvision.datasets import FashionMNIST

    return [f"{mirror.rstrip('/')}/{name}" for mirror in FashionMNIST.mirrors]


def _define_file(name: str, sha256: str) -> PublishedFile:
    return PublishedFile(name, sha256, partial(_find_urls, name), is_gzip=True)


# The checksums are of the decompressed content: Debian compresses the same bytes differently.
FILES = {
    "train_images": _define_file(
        "train-images-idx3-ubyte.gz",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train_labels": _define_file(
        "train-labels-idx1-ubyte.gz",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test_images": _define_file(
        "t10k-images-idx3-ubyte.gz",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "test_labels": _define_file(
        "t10k-labels-idx1-ubyte.gz",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}


def find_files(data: Data) -> FileSet:
    """Return the four files of Fashion-MNIST."""
    root = expand_root(data)
    return FileSet(root, tuple(FILES.values()), (root / TORCHVISION_FOLDER, DEBIAN_FOLDER))


# the fingerprint is the SHA-256 of the four checksums above, joined in their order
@DATASETS.register(
    "fashion_mnist",
    fingerprint="sha256:d1fd84a877f3b78f",
    files="degradation.data.fashion_mnist.find_files",
    channels=1,
    side=28,
    classes=10,
    resizable=True,
)
def read_fashion_mnist(data: Data) -> Arrays:
    """Read Fashion-MNIST: 60,000 and 10,000 images, 10 classes. Raises DataError."""
    files = find_files(data).fetch()
    arrays = [read_idx(path, content) for path, content in files.items()]
    contents = dict(zip(FILES, arrays, strict=True))
    return Arrays(
        train_images=contents["train_images"][:, None],
        train_labels=contents["train_labels"].astype(np.int64),
        test_images=contents["test_images"][:, None],
        test_labels=contents["test_labels"].astype(np.int64),
    )


def read_idx(path: Path, content: bytes) -> np.ndarray:
    """Return the uint8 array of an idx file's content; errors name `path`. Raises DataError.

    The format: 0, 0, the element type, the number of axes, the big-endian length of each axis in
    four bytes, then the elements.
    """
    axes = content[3] if len(content) > 3 else 0
    header_size = 4 + 4 * axes
    shape = tuple(
        int.from_bytes(content[start : start + 4], "big") for start in range(4, header_size, 4)
    )
    is_byte_array = axes > 0 and content[:3] == bytes([0, 0, UNSIGNED_BYTE])
    if not is_byte_array or len(content) != header_size + math.prod(shape):
        raise DataError(
            f"{path}: is not an idx file of unsigned bytes; delete the file to download it again"
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape).copy()
