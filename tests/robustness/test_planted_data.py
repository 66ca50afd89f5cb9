"""Untrusted image folders: corrupt caches are rebuilt, and planted files do no harm."""

import json
import os
import pickle
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from degradation.checksums import CorruptData, encode_document, seal, unseal
from degradation.config import ConfigError
from degradation.data.datasets import load_dataset
from degradation.data.downloads import FileSet, PublishedFile
from degradation.data.errors import DataError
from degradation.data.fingerprint import data_fingerprint
from degradation.data.folders import list_images
from degradation.data.image_files import READER_VERSION, read_rgb
from degradation.data.image_folder import unpack_arrays
from degradation.single_warnings import warn_once

CLASSES = ("cat", "dog")
REMEDY = "; make it readable, or remove it"


def make_folder(root, classes=CLASSES, splits=("train", "test")):
    """Write one 2x2 image per class and split."""
    generator = np.random.default_rng(0)
    for split in splits:
        for name in classes:
            folder = root / split / name
            folder.mkdir(parents=True)
            Image.fromarray(generator.integers(0, 256, (2, 2, 3), dtype=np.uint8)).save(
                folder / "0.png"
            )
    return root


@pytest.fixture(scope="module")
def data_at(compose_config):
    """A function root -> Data; the root may contain any characters."""
    config = compose_config("data=image_folder", "data.root=somewhere").data

    def build(root):
        config.root = str(root)
        return config

    return build


@pytest.fixture
def cached_folder(tmp_path, data_at, caplog):
    """A folder with filled caches: Data, digest file, cache file, checksum of the images."""
    data = data_at(make_folder(tmp_path))
    checksum = load_dataset(data).checksum()
    (cache,) = tmp_path.glob(".degradation/*.npz")
    caplog.clear()
    return data, tmp_path / ".degradation/digest.json", cache, checksum


def corrupt(content, count):
    """Yield (description, content) of the content truncated, and with one bit flipped.

    Every position is tried or, for a long file, `count` positions drawn with a fixed seed.
    """
    positions = range(len(content))
    if count is not None:
        positions = sorted(random.Random(0).sample(positions, count))
    for position in positions:
        yield f"truncated at {position}", content[:position]
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        yield f"flipped at {position}", bytes(flipped)


def test_corrupt_digest_is_reported_and_rebuilt(cached_folder, caplog):
    data, digest, _, _ = cached_folder
    valid, fingerprint = digest.read_bytes(), data_fingerprint(data)
    for how, content in corrupt(valid, None):
        digest.write_bytes(content)
        warn_once.cache_clear()
        caplog.clear()
        assert data_fingerprint(data) == fingerprint, how
        (warning,) = caplog.records
        assert warning.getMessage().startswith(f"{digest}: "), how
        assert digest.read_bytes() == valid, how


def test_corrupt_cache_is_detected(cached_folder):
    valid = cached_folder[2].read_bytes()
    for how, content in corrupt(valid, None):
        with pytest.raises(CorruptData):
            pytest.fail(f"{how}: {unpack_arrays(unseal(content), None)}")


def test_corrupt_cache_is_reported_once_and_rebuilt(cached_folder, caplog):
    data, _, cache, checksum = cached_folder
    valid = cache.read_bytes()
    for _, content in corrupt(valid, 5):
        cache.write_bytes(content)
        warn_once.cache_clear()
        caplog.clear()
        assert load_dataset(data).checksum() == load_dataset(data).checksum() == checksum
        (warning,) = caplog.records
        assert warning.getMessage().startswith(f"{cache}: does not match its own checksum")
        assert cache.read_bytes() == valid


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def pack(tmp_path, save=np.savez, **arrays):
    save(tmp_path / "planted.npz", **arrays)
    return (tmp_path / "planted.npz").read_bytes()


def build_cache(**others):
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2), np.array([0, 1])
    arrays = {
        "reader": READER_VERSION,
        "train_pictures": images,
        "train_labels": labels,
        "test_pictures": images,
        "test_labels": labels,
    }
    return arrays | others


PLANTED = {
    "a pickle": lambda at: pickle.dumps(Malicious()),
    "a pickle in an archive": lambda at: pack(
        at, train_pictures=np.array([Malicious()], dtype=object)
    ),
    "other types": lambda at: pack(at, **build_cache(test_labels=np.array([0.5, 1.5]))),
    "other shapes": lambda at: pack(
        at, **build_cache(test_pictures=np.zeros((2, 3, 2, 5), np.uint8))
    ),
    "a number": lambda at: pack(at, **build_cache(train_pictures=np.uint8(3))),
    "fewer labels": lambda at: pack(at, **build_cache(train_labels=np.array([0]))),
    "negative labels": lambda at: pack(at, **build_cache(train_labels=np.array([-1, 0]))),
    "a compressed bomb": lambda at: pack(
        at, np.savez_compressed, **build_cache(train_pictures=np.zeros((2, 3, 999, 999), np.uint8))
    ),
    "nothing": pack,
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted_cache_with_a_valid_checksum_is_rebuilt(cached_folder, what, tmp_path_factory):
    data, _, cache, checksum = cached_folder
    cache.write_bytes(seal(PLANTED[what](tmp_path_factory.mktemp("planted"))))
    assert load_dataset(data).checksum() == checksum


@pytest.mark.parametrize(
    ("content", "encode"),
    [
        ("0" * 64, lambda document: json.dumps(document).encode()),
        ("../../../outside", encode_document),
        ({"a": 1}, encode_document),
    ],
    ids=["without checksum", "path of another file", "not a digest"],
)
def test_planted_digest_is_ignored(cached_folder, content, encode):
    data, digest, _, checksum = cached_folder
    fingerprint = data_fingerprint(data)
    listing = json.loads(digest.read_bytes())["listing"]
    digest.write_bytes(encode({"listing": listing, "content": content}))
    assert data_fingerprint(data) == fingerprint
    assert load_dataset(data).checksum() == checksum


def test_caches_of_an_earlier_release_are_rebuilt(cached_folder):
    data, digest, cache, checksum = cached_folder
    document = json.loads(digest.read_bytes())
    del document["sha256"]
    digest.write_text(json.dumps(document))
    cache.write_bytes(unseal(cache.read_bytes()))
    assert load_dataset(data).checksum() == checksum
    assert cache.read_bytes().startswith(b"sha256 ")
    assert "sha256" in json.loads(digest.read_bytes())


@pytest.mark.parametrize("what", ["digest", "cache", "folder", "lock"])
def test_links_in_place_of_caches_are_not_followed(cached_folder, what, tmp_path_factory):
    data, digest, cache, checksum = cached_folder
    outside = tmp_path_factory.mktemp("outside") / "precious"
    place = {
        "digest": digest,
        "cache": cache,
        "folder": digest.parent,
        "lock": cache.with_suffix(".lock"),
    }[what]
    if what == "folder":
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
        outside.mkdir()
    else:
        place.unlink(missing_ok=True)
        outside.write_text("precious")
    place.symlink_to(outside)
    assert load_dataset(data).checksum() == checksum
    if what == "folder":
        assert list(outside.iterdir()) == []
    else:
        assert outside.read_text() == "precious"


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "dangling", "link to a pipe"])
def test_anything_but_a_regular_file_is_named_and_not_opened(
    tmp_path, data_at, kind, compose_config
):
    """A pipe would wait for its writer forever, and /dev/zero never ends."""
    root = make_folder(tmp_path, splits=("train", "test", "val"))
    for split in ("test", "val"):
        path = root / split / "dog/1.jpg"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "link to a pipe":
            os.mkfifo(tmp_path / f"{split}-pipe")
            path.symlink_to(tmp_path / f"{split}-pipe")
        else:
            path.symlink_to("/dev/zero" if kind == "device" else tmp_path / "nowhere")
    why = "No such file or directory" if kind == "dangling" else "not a regular file"
    with pytest.raises(
        ConfigError,
        match=rf"^data\.root: \S+/test/dog/1\.jpg cannot be read \({why}\){REMEDY}$",
    ):
        data_fingerprint(data_at(root))
    list_images.cache_clear()
    with pytest.raises(
        ConfigError,
        match=rf"^data\.root: \S+/val/dog/1\.jpg cannot be read \({why}\){REMEDY}$",
    ):
        load_dataset(compose_config("data=imagenet", f"data.root={root}").data)
    with pytest.raises(
        DataError, match=rf"1\.jpg: is not a readable image \(({why}|Is a directory)\)"
    ):
        read_rgb(root / "test/dog/1.jpg")


def test_pipe_in_place_of_an_archive_is_named(tmp_path):
    os.mkfifo(tmp_path / "a.tar.gz")
    with pytest.raises(DataError, match=r"a\.tar\.gz: cannot be read \(not a regular file\)"):
        FileSet(tmp_path, (PublishedFile("a.tar.gz", "0" * 64, list),)).fetch()


def test_links_to_images_are_followed(tmp_path, data_at):
    root = make_folder(tmp_path / "linked")
    elsewhere = tmp_path / "elsewhere.png"
    (root / "train/cat/0.png").rename(elsewhere)
    (root / "train/cat/0.png").symlink_to(elsewhere)
    (root / "train/dog").rename(tmp_path / "dogs")
    (root / "train/dog").symlink_to(tmp_path / "dogs")
    assert (
        load_dataset(data_at(root)).checksum()
        == load_dataset(data_at(make_folder(tmp_path / "plain"))).checksum()
    )


def build_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def build_png(side):
    """Return a PNG that claims a side in pixels, and has no pixels."""
    head = build_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + build_chunk(b"IDAT", zlib.compress(b""))
        + build_chunk(b"IEND", b"")
    )


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n%%EndComments\n(pwned) print\nshowpage\n"


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        # for the first, Pillow itself only warns
        (build_png(9_500), "Image size (90250000 pixels) exceeds limit"),
        (build_png(14_000), "Image size (196000000 pixels) exceeds limit"),
        (b"root:x:0:0:root:/root:/bin/sh\n", "not one of JPEG, PNG"),
        (EPS, "not one of JPEG, PNG"),
        (pickle.dumps(Malicious()), "not one of JPEG, PNG"),
        (b"", "not one of JPEG, PNG"),
    ],
    ids=["bomb", "large bomb", "a system file", "a program for Ghostscript", "a pickle", "empty"],
)
def test_planted_image_is_named_in_one_line(tmp_path, data_at, planted, why):
    root = make_folder(tmp_path / "root")
    (tmp_path / "outside").write_bytes(planted)
    (root / "train/dog/x\x1b[31m\n.png").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError) as error:
        load_dataset(data_at(root))
    assert str(error.value).startswith(
        rf"{root}/train/dog/x\x1b[31m\n.png: is not a readable image ({why}"
    )
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["red\x1b[31m", "two\nlines", os.fsdecode(b"\xff\xfe")])
def test_class_name_that_cannot_be_printed_is_rejected(tmp_path, data_at, name):
    data = data_at(make_folder(tmp_path, ("cat", name)))
    with pytest.raises(
        ConfigError, match=r"^data\.root: the class folder '.*' is not allowed; allowed: "
    ) as error:
        load_dataset(data)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)<", "ΔΕΛΤΑ Ü", "$(touch pwned)", "{{7*7}}", "%(name)s", "\u202eright", "..."],
)
def test_any_printable_class_name_is_accepted(tmp_path, data_at, name):
    root = make_folder(tmp_path, ("cat", name)) if name != "..." else make_folder(tmp_path)
    dataset = load_dataset(data_at(root))
    assert dataset.classes == 2
    assert sorted(os.listdir(tmp_path)) == [".degradation", "test", "train"]


def test_unreadable_folder_is_named(tmp_path, data_at, monkeypatch):
    root = make_folder(tmp_path)
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("train/dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        ConfigError,
        match=rf"^data\.root: .*train/dog cannot be read \(Permission denied\){REMEDY}$",
    ):
        data_fingerprint(data_at(root))


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError(30, "Read-only file system")]
)
def test_images_that_cannot_be_cached_are_used(tmp_path, data_at, monkeypatch, caplog, error):
    def fail(*_):
        raise error

    for module in ("fingerprint", "image_folder"):
        monkeypatch.setattr(f"degradation.data.{module}.write_atomically", fail)
    data = data_at(make_folder(tmp_path))
    assert len(load_dataset(data).train) == 2
    (warning,) = caplog.records
    assert warning.getMessage().endswith(
        f"cannot be written ({error.strerror}); every run decodes the images again"
    )
