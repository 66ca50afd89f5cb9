"""Every image is checked once, before anything starts, and all broken ones are listed together."""

import logging
import runpy
import sys
from dataclasses import replace

import pytest
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from degradation.cli import FULL_ERROR
from degradation.config import CONF, ConfigError
from degradation.data import cache_folders, image_check
from degradation.data.datasets import load_dataset
from degradation.data.errors import DataError
from degradation.data.folders import list_images
from degradation.data.image_check import check_images
from degradation.single_warnings import warn_once
from tests.support.image_splits import TEST_SPLITS

IMAGES = 12  # per class and split


@pytest.fixture(params=TEST_SPLITS)
def name(request):
    """Each data set of image files: held in memory, and streamed from disk."""
    return request.param


@pytest.fixture
def root(tmp_path, name, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "images"
    for split in ("train", TEST_SPLITS[name]):
        for label, class_name in enumerate(("cat", "dog")):
            (root / split / class_name).mkdir(parents=True)
            for index in range(IMAGES):
                image = Image.new("RGB", (4, 4), (index, label, 0))
                image.save(root / split / class_name / f"{index:02}.png")
    return root


def start_again():
    """Forget what this process has listed and checked, as a new process does."""
    list_images.cache_clear()
    image_check._checked.clear()


@pytest.fixture
def data(root, name, sections):
    start_again()
    return replace(sections[name], root=str(root))


@pytest.fixture
def decoded(monkeypatch):
    """The files that are opened as images, in order."""
    names = []
    open_image = Image.open

    def record(file, **options):
        names.append(file.name)
        return open_image(file, **options)

    monkeypatch.setattr(Image, "open", record)
    return names


def break_images(root, split, count):
    for index in range(count):
        (root / split / f"cat/{index:02}.png").write_bytes(b"")
    truncated = root / "train/dog/03.png"
    truncated.write_bytes(truncated.read_bytes()[:50])


def test_broken_images_are_listed_and_counted(root, data, name):
    split = TEST_SPLITS[name]
    break_images(root, split, IMAGES)
    with pytest.raises(DataError) as error:
        check_images(data)
    listed = ", ".join(f"{split}/cat/{index:02}.png" for index in range(9))
    assert str(error.value) == (
        f"{root}: 13 of 48 images cannot be used: train/dog/03.png (is not a readable image"
        f" (image file is truncated)); {listed} (is not a readable image (not one of JPEG, PNG,"
        " GIF, BMP, WEBP, TIFF, PPM)); and 3 more; replace, convert or remove them"
    )


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1"]], ids=["run", "sweep"])
def test_broken_images_stop_a_command_that_wrote_nothing(
    root, data, name, sweep, tmp_path, monkeypatch, capsys, tiny_overrides
):
    break_images(root, "train", 2)
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv(FULL_ERROR, "0")  # restored afterwards, since the command sets it
    model = ["model=imagenet_residual", "model.depth=18"] if name == "imagenet" else []
    overrides = [*sweep, *tiny_overrides, *model, f"data={name}", f"data.root={root}"]
    monkeypatch.setattr(sys, "argv", ["train.py", *overrides, "data.validation=0"])
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_path(str(CONF.parent / "experiments/train.py"), run_name="__main__")
    assert exit_info.value.code == 1
    assert f"{root}: 3 of 48 images cannot be used: train/cat/00.png, " in capsys.readouterr().err
    assert list(place.iterdir()) == []


def test_images_are_checked_once(root, data, decoded):
    check_images(data)
    assert len(decoded) == 48
    start_again()
    check_images(data)
    assert len(decoded) == 48


def test_images_that_cannot_be_written_to_are_checked_once(root, data, decoded, monkeypatch):
    """A cluster's shared ImageNet is read-only; the marker is then in the user's cache."""
    make_folder = cache_folders.make_folder

    def refuse(folder):
        if folder.is_relative_to(root):
            raise OSError(30, "Read-only file system")
        make_folder(folder)

    monkeypatch.setattr(cache_folders, "make_folder", refuse)
    check_images(data)
    decoded.clear()
    start_again()
    check_images(data)
    assert decoded == []


def test_changed_images_are_checked_again(root, data):
    check_images(data)
    (root / "train/cat/new.png").write_bytes(b"")
    start_again()
    with pytest.raises(DataError, match=r"train/cat/new\.png: is not a readable image"):
        check_images(data)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"reader": 2}'])
def test_corrupt_marker_is_ignored(root, data, decoded, content):
    check_images(data)
    (marker,) = root.glob(".degradation/checked-*.json")
    valid = marker.read_bytes()
    marker.write_bytes(content)
    start_again()
    check_images(data)
    assert marker.read_bytes() == valid


def test_link_in_place_of_the_marker_is_not_followed(root, data, tmp_path):
    check_images(data)
    (marker,) = root.glob(".degradation/checked-*.json")
    marker.rename(tmp_path / "precious")
    marker.symlink_to(tmp_path / "precious")
    content = (tmp_path / "precious").read_bytes()
    start_again()
    check_images(data)
    assert not marker.is_symlink()
    assert (tmp_path / "precious").read_bytes() == content


def test_skipped_files_are_logged(root, data, caplog):
    (root / "train/cat/notes.txt").touch()
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        check_images(data)
        start_again()
        check_images(data)
    assert [record.getMessage() for record in caplog.records] == [
        f"data.root: {root}: skipped files other than images: 1 (1 .txt)"
    ]


def test_checked_images_of_a_folder_are_decoded_once(tmp_path, sections, decoded):
    for split in ("train", "test"):
        for grey, class_name in enumerate(("cat", "dog")):
            folder = tmp_path / split / class_name
            folder.mkdir(parents=True)
            Image.new("L", (4, 4), grey).save(folder / "0.png")
    data = replace(sections["image_folder"], root=str(tmp_path))
    check_images(data)
    load_dataset(data)
    assert len(decoded) == 4


def test_each_side_of_resized_images_is_checked(tmp_path, sections):
    for split in ("train", "test"):
        for grey, class_name in enumerate(("cat", "dog")):
            folder = tmp_path / split / class_name
            folder.mkdir(parents=True)
            Image.new("L", (4, 4 + grey), grey).save(folder / "0.png")
    data = replace(sections["image_folder"], root=str(tmp_path))
    check_images(replace(data, size=4))
    start_again()
    message = r"^data\.size: null is not allowed: .*dog/0\.png \(4x5\)"
    with pytest.raises(ConfigError, match=message):
        check_images(data)
