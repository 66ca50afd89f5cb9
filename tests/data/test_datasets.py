"""Data sets: shapes, fixed splits and invalid files."""

import numpy as np
import pytest
import torch
from PIL import Image

from degradation.config import ConfigError
from degradation.data.datasets import draw_held_out, load_dataset
from degradation.data.errors import DataError
from degradation.data.fingerprint import data_fingerprint, digest_contents

# SHA-256 of all digits in their order
DIGITS = "d83b6f95abe36f06efb235c546197d64409c37af59c85177e5a3f5acbc2ca365"


@pytest.fixture
def folder_data(compose_config):
    def compose_data(root, size="null"):
        return compose_config("data=image_folder", f"data.root={root}", f"data.size={size}").data

    return compose_data


@pytest.fixture
def digits_data(compose_config):
    return lambda validation=0: compose_config("data=digits", f"data.validation={validation}").data


def test_digits_are_a_fixed_stratified_split(digits_data):
    digits = load_dataset(digits_data())
    assert digits.train.images.shape == (1500, 1, 8, 8)
    assert digits.test.images.shape == (297, 1, 8, 8)
    assert (digits.channels, digits.side, digits.classes, digits.validation) == (1, 8, 10, None)
    assert digits.train.images.dtype == torch.uint8
    assert digits.train.labels.dtype == torch.int64
    assert int(digits.train.images.max()) == 16
    whole = torch.bincount(torch.cat([digits.train.labels, digits.test.labels]))
    share = torch.bincount(digits.test.labels) / whole
    assert (share - 297 / 1797).abs().max() < 0.01
    # a different split would change every result on digits
    assert digits.checksum() == DIGITS


def test_validation_images_are_not_trained_on(digits_data):
    whole, split = load_dataset(digits_data()), load_dataset(digits_data(150))
    assert (len(split.train.labels), len(split.validation.labels), len(split.test.labels)) == (
        1350,
        150,
        297,
    )
    held_out = draw_held_out(150, 1500)
    assert torch.equal(split.train.images, whole.train.images[~held_out])
    assert torch.equal(split.validation.images, whole.train.images[held_out])
    assert torch.equal(split.validation.labels, whole.train.labels[held_out])
    assert torch.equal(split.test.images, whole.test.images)
    assert bool((torch.bincount(split.validation.labels) > 5).all())


def test_validation_images_are_the_last_of_a_fixed_shuffle():
    few, many = draw_held_out(5, 1500), draw_held_out(150, 1500)
    assert few.nonzero().flatten().tolist() == [559, 684, 763, 835, 1216]
    assert bool(many[few].all())


def test_checksum_does_not_depend_on_the_split(digits_data):
    assert load_dataset(digits_data(150)).checksum() == DIGITS


@pytest.mark.parametrize("validation", [1500, 5000])
def test_validation_leaves_images_to_train_on(digits_data, validation):
    with pytest.raises(
        ConfigError,
        match=rf"^data\.validation: {validation} .*fewer than the 1500 training images",
    ):
        load_dataset(digits_data(validation))


def test_validation_leaves_images_of_every_class(digits_data):
    with pytest.raises(
        ConfigError, match=r"^data\.validation: 1499 .* no training image with the label 0; allowed"
    ):
        load_dataset(digits_data(1499))


def write_image_folder(root, side=6, classes=("cat", "dog"), count=3):
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{index}.png")
    return root


def test_image_folder_is_decoded_once_and_cached(tmp_path, monkeypatch, folder_data):
    root = write_image_folder(tmp_path)
    first = load_dataset(folder_data(root))
    assert first.train.images.shape == (6, 3, 6, 6)
    assert first.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    source = np.asarray(Image.open(root / "train/dog/1.png"))
    assert (first.train.images[4].numpy() == source.transpose(2, 0, 1)).all()
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
    assert load_dataset(folder_data(root)).checksum() == first.checksum()


def test_image_folder_is_identified_by_content(tmp_path, folder_data):
    first, second = write_image_folder(tmp_path / "one"), write_image_folder(tmp_path / "two")
    assert data_fingerprint(folder_data(first)) == data_fingerprint(folder_data(second))
    Image.new("RGB", (6, 6)).save(second / "train/cat/0.png")
    splits = ("train", "test")
    assert digest_contents(first, splits) != digest_contents(second, splits)


def test_images_of_several_sizes_need_a_size(tmp_path, folder_data):
    root = write_image_folder(tmp_path)
    Image.new("RGB", (9, 6)).save(root / "train/cat/odd.png")
    with pytest.raises(ConfigError, match=r"^data\.size: .*odd\.png \(9x6\)"):
        load_dataset(folder_data(root))
    assert load_dataset(folder_data(root, size=5)).side == 5


def test_unreadable_image_is_named(tmp_path, folder_data):
    root = write_image_folder(tmp_path)
    (root / "test/dog/broken.jpg").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"broken\.jpg: is not a readable image"):
        load_dataset(folder_data(root))


@pytest.mark.parametrize("name", ["val", "validation"])
def test_renaming_a_validation_folder_is_suggested(tmp_path, folder_data, name):
    root = write_image_folder(tmp_path)
    (root / "test").rename(root / name)
    line = f"has no folder 'test', but has '{name}'; rename it to 'test'; allowed: a folder with"
    with pytest.raises(ConfigError, match=line):
        data_fingerprint(folder_data(root))


def test_classes_without_images_are_named(tmp_path, folder_data):
    root = write_image_folder(tmp_path, classes=("cat", "cow", "dog"))
    for name in ("cat", "dog"):
        for image in (root / "train" / name).iterdir():
            image.unlink()
    with pytest.raises(
        ConfigError, match=r"/train has class folders without images: cat, dog; allowed: \.jpg, "
    ):
        data_fingerprint(folder_data(root))


def test_folder_without_splits_is_rejected(tmp_path, folder_data):
    with pytest.raises(ConfigError, match=r"^data\.root: .*/missing' is not a folder; allowed: "):
        data_fingerprint(folder_data(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"^data\.root: .*no folder 'train'"):
        data_fingerprint(folder_data(tmp_path))
    write_image_folder(tmp_path)
    (tmp_path / "train/mouse").mkdir()
    with pytest.raises(ConfigError, match="different classes in train and test"):
        data_fingerprint(folder_data(tmp_path))
