"""The fingerprint of a data set: the part of a run id that identifies the images.

It depends on the images, not on where they are stored. Does not import torch.
"""

import contextlib
import hashlib
import re
from pathlib import Path

from degradation.checksums import CorruptData, decode_document, encode_document
from degradation.config import Data
from degradation.data.cache_folders import find_cache_folder
from degradation.data.folder_entries import stat_image, unreadable_error
from degradation.data.folders import (
    check_root,
    encode_name,
    find_splits,
    iterate_images,
    list_images,
)
from degradation.data.paths import escape_name
from degradation.durable_io import open_file, read_file, write_atomically
from degradation.registry import DATASETS
from degradation.single_warnings import warn_once

SHA256 = re.compile("[0-9a-f]{64}")


def data_fingerprint(data: Data) -> str:
    """Return the fingerprint of the images that `data` names, as its registration says.

    A fixed set of images has a fixed fingerprint. "contents" is a digest of every image's name and
    bytes. "listing" is a digest of names and sizes, for ImageNet's 150 GB; it does not detect an
    image that is replaced by another of the same size.

    Raises:
        ConfigError: data.root cannot be used.
    """
    fingerprint: str = DATASETS.facts(data.name)["fingerprint"]
    if fingerprint == "contents":
        return f"sha256:{digest_contents(check_root(data), find_splits(data))[:16]}"
    if fingerprint == "listing":
        _, _, digest = list_images(check_root(data), find_splits(data))
        return f"listing:{digest[:16]}"
    return fingerprint


def digest_contents(root: Path, splits: tuple[str, str]) -> str:
    """Return the SHA-256 (hex) of the names and bytes of all images. Raises ConfigError.

    The result is cached beside the images, with a digest of their names, sizes and times.
    """
    listing = hashlib.sha256()
    images = []
    for split in splits:
        for _, image in iterate_images(root, split):
            status = stat_image(image)
            name = encode_name(root, split, image)
            # Tools that copy or unpack images set the time of modification to that of the original;
            # they cannot set the time of change.
            times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
            listing.update(name + f"\0{status.st_size}\0{times}\n".encode())
            images.append((name, Path(image.path)))
    folder = find_cache_folder(root)
    if folder is None:
        return _digest_images(images)
    cache_file = folder / "digest.json"
    digest = _read_cached_digest(cache_file, listing.hexdigest())
    if digest is None:
        digest = _digest_images(images)
        document = encode_document({"listing": listing.hexdigest(), "content": digest})
        # on a read-only folder or a full disk, the digest is computed again next time
        with contextlib.suppress(OSError):
            write_atomically(cache_file, document)
    return digest


def _digest_images(images: list[tuple[bytes, Path]]) -> str:
    """Return the SHA-256 (hex) of (name, path) pairs' names and bytes. Raises ConfigError."""
    digest = hashlib.sha256()
    for name, path in images:
        try:
            with open_file(path, follows_links=True) as file:
                digest.update(name + b"\0" + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise unreadable_error(path, error) from None
    return digest.hexdigest()


def _read_cached_digest(cache_file: Path, listing: str) -> str | None:
    """Return the digest cached for this listing, or None; a corrupt file is logged."""
    try:
        document = decode_document(read_file(cache_file))
    except FileNotFoundError:
        return None
    except (OSError, CorruptData) as error:
        warn_once(f"{escape_name(cache_file)}: {escape_name(error)}; reading the images again")
        return None
    digest = document.get("content")
    if document.get("listing") != listing or not isinstance(digest, str):
        return None
    return digest if SHA256.fullmatch(digest) else None
