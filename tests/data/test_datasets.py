"""Data sets: shapes, the fixed split, and files that are not what they should be."""

import io
import pickle
import tarfile
from hashlib import sha256

import numpy as np
import pytest
import torch
from PIL import Image

from degradation.config import ConfigError, Data
from degradation.data.content import content, folder_digest
from degradation.data.datasets import DataError, load, read_cifar10


def folder_data(root, size=None):
    return Data("image_folder", str(root), size, 4, True, "pixel", 0.5)


def test_digits_are_a_fixed_stratified_split():
    digits = load(Data("digits", None, None, 1, False, "channel", 2.0))
    assert digits.train.pictures.shape == (1500, 1, 8, 8)
    assert digits.test.pictures.shape == (297, 1, 8, 8)
    assert digits.train.pictures.dtype == torch.uint8
    assert digits.train.labels.dtype == torch.int64
    assert int(digits.train.pictures.max()) == 16
    whole = torch.bincount(torch.cat([digits.train.labels, digits.test.labels]))
    share = torch.bincount(digits.test.labels) / whole
    assert (share - 297 / 1797).abs().max() < 0.01
    # pinned: another split would change every number on digits
    assert digits.checksum() == "d83b6f95abe36f06efb235c546197d64409c37af59c85177e5a3f5acbc2ca365"


def cifar_archive(path, batches):
    with tarfile.open(path, "w:gz") as tar:
        for name, value in batches.items():
            packed = value if isinstance(value, bytes) else pickle.dumps(value)
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(packed)
            tar.addfile(info, io.BytesIO(packed))
    return path


def test_cifar10_is_read_in_its_order(tmp_path):
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    pictures = np.arange(6 * 2 * 3072).reshape(6, 2, 3072) % 251
    values = {name: {"data": pictures[i].astype(np.uint8), "labels": [i, i + 1]} for i, name in enumerate(names)}
    archive = cifar_archive(tmp_path / "a.tar.gz", values)
    dataset = read_cifar10(archive, sha256(archive.read_bytes()).hexdigest())
    assert dataset.train.pictures.shape == (10, 3, 32, 32)
    assert dataset.train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert dataset.test.labels.tolist() == [5, 6]
    # channel, row, column: the second picture's green value at row 3, column 5
    assert int(dataset.train.pictures[1, 1, 3, 5]) == pictures[0, 1, 1024 + 3 * 32 + 5]


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_nothing_in_a_wrong_archive_is_unpickled(tmp_path):
    archive = cifar_archive(tmp_path / "a.tar.gz", {"data_batch_1": pickle.dumps(Malicious())})
    with pytest.raises(DataError, match=r"a\.tar\.gz: SHA-256 is [0-9a-f]{64}, expected 6d958be0"):
        read_cifar10(archive, "6d958be0")


def make_folder(root, side=6, classes=("cat", "dog"), count=3):
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{index}.png")
    return root


def test_an_image_folder_is_decoded_once_and_cached(tmp_path, monkeypatch):
    root = make_folder(tmp_path)
    first = load(folder_data(root))
    assert first.train.pictures.shape == (6, 3, 6, 6)
    assert first.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    source = np.asarray(Image.open(root / "train/dog/1.png"))
    assert (first.train.pictures[4].numpy() == source.transpose(2, 0, 1)).all()
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
    assert load(folder_data(root)).checksum() == first.checksum()


def test_an_image_folder_is_known_by_content_and_not_by_place(tmp_path):
    one, two = make_folder(tmp_path / "one"), make_folder(tmp_path / "two")
    assert content(folder_data(one)) == content(folder_data(two))
    picture = two / "train/cat/0.png"
    Image.new("RGB", (6, 6)).save(picture)
    assert folder_digest(one) != folder_digest(two)


def test_pictures_of_several_sizes_need_a_size(tmp_path):
    root = make_folder(tmp_path)
    Image.new("RGB", (9, 6)).save(root / "train/cat/odd.png")
    with pytest.raises(ConfigError, match=r"^data\.size: .*odd\.png is 9x6"):
        load(folder_data(root))
    assert load(folder_data(root, size=5)).side == 5


def test_a_broken_picture_is_named(tmp_path):
    root = make_folder(tmp_path)
    (root / "test/dog/broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken\.jpg: is not a readable picture"):
        load(folder_data(root))


def test_a_class_without_pictures_is_named(tmp_path):
    root = make_folder(tmp_path)
    for picture in (root / "train/dog").iterdir():
        picture.unlink()
    with pytest.raises(DataError, match=r"train/dog: holds no \.jpg, \.jpeg or \.png picture"):
        load(folder_data(root))


def test_a_folder_without_its_splits_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^data\.root: .*no folder 'train'"):
        content(folder_data(tmp_path))
    make_folder(tmp_path)
    (tmp_path / "train/mouse").mkdir()
    with pytest.raises(ConfigError, match="same two or more classes"):
        content(folder_data(tmp_path))
