"""Bad folders of pictures and archives end a run in one line that names the key or the file."""

import gzip
import pickle
from dataclasses import replace

import pytest
from PIL import Image

from degradation.cli import run_script
from degradation.config.errors import is_single_line
from degradation.data.cifar import CIFAR10, CIFAR100
from degradation.data.fashion_mnist import FILES
from degradation.data.folders import list_images
from degradation.run import train


def picture(path, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def whole(root):
    """Two classes of two pictures in each split."""
    for split in ("train", "test", "val"):
        for name in ("cat", "dog"):
            for index in range(2):
                picture(root / split / name / f"{index}.png")


def without(split, name):
    def change(root):
        for path in (root / split / name).iterdir():
            path.unlink()

    return change


def emptied(split):
    def change(root):
        for name in ("cat", "dog"):
            without(split, name)(root)
            (root / split / name).rmdir()

    return change


def renamed(root):
    (root / "test" / "dog").rename(root / "test" / "wolf")
    (root / "val" / "dog").rename(root / "val" / "wolf")


def one_class(root):
    for split in ("train", "test", "val"):
        without(split, "dog")(root)
        (root / split / "dog").rmdir()


def broken_line(root):
    (root / "train" / "a\nb").mkdir()
    (root / "test" / "a\nb").mkdir()
    (root / "val" / "a\nb").mkdir()


def instead(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    root.rmdir()
    root.write_text("a file")


FIRST = "train/cat/0.png"
# data set, what is wrong with the tree, what the line holds
FOLDERS = [
    (
        "image_folder",
        lambda root: emptied("train")(root) or (root / "train").rmdir(),
        "data.root: ",
    ),
    ("image_folder", lambda root: emptied("test")(root) or (root / "test").rmdir(), "data.root: "),
    ("image_folder", emptied("train"), "data.root: "),
    ("image_folder", emptied("test"), "data.root: "),
    ("image_folder", renamed, "data.root: "),
    ("image_folder", one_class, "data.root: "),
    ("image_folder", instead, "data.root: "),
    ("image_folder", without("train", "dog"), "train/dog: has no "),
    ("image_folder", without("test", "dog"), "test/dog: has no "),
    ("image_folder", broken_line, r"data/train/a\nb' is not allowed; allowed: "),
    ("image_folder", lambda root: (root / FIRST).write_bytes(b"no picture"), f"{FIRST}: "),
    (
        "image_folder",
        lambda root: (root / FIRST).write_bytes((root / FIRST).read_bytes()[:40]),
        f"{FIRST}: ",
    ),
    ("image_folder", lambda root: (root / FIRST).write_bytes(b""), f"{FIRST}: "),
    (
        "image_folder",
        lambda root: picture(root / FIRST, (5, 5)),
        "data.size: null is not allowed: ",
    ),
    (
        "image_folder",
        lambda root: picture(root / FIRST, (4, 5)),
        "data.size: null is not allowed: ",
    ),
    ("imagenet", emptied("train"), "data.root: "),
    ("imagenet", lambda root: emptied("val")(root) or (root / "val").rmdir(), "data.root: "),
    ("imagenet", renamed, "data.root: "),
    ("imagenet", one_class, "data.root: "),
    ("imagenet", instead, "data.root: "),
    ("imagenet", without("train", "cat"), "train/cat has no "),
    ("imagenet", broken_line, r"data/train/a\nb' is not allowed; allowed: "),
]
FASHION = FILES["train_images"].name
# data set, the file, what is in it
ARCHIVES = [
    ("cifar10", CIFAR10.name, b"no archive"),
    ("cifar10", CIFAR10.name, b""),
    ("cifar10", CIFAR10.name, pickle.dumps({"data": [], "labels": []})),
    ("cifar100", CIFAR100.name, b"\x1f\x8b no gzip"),
    ("fashion_mnist", FASHION, b"no gzip"),
    ("fashion_mnist", FASHION, b""),
    ("fashion_mnist", FASHION, gzip.compress(b"\x00\x00\x08\x03no idx file", mtime=0)),
    ("fashion_mnist", FASHION, gzip.compress(b"\x00" * 100, mtime=0)[:-5]),
]


def refused(capsys, main):
    """The line that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        run_script(main)
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert told.endswith("\n")
    assert is_single_line(told[:-1]), told
    return told[:-1]


@pytest.fixture(scope="module")
def on(compose_config):
    """A data set, its root and a record root -> Config."""
    words = {
        data: [
            "data.root=/",
            *(["model=imagenet_residual", "model.depth=18"] if data == "imagenet" else []),
        ]
        for data in ("image_folder", "imagenet", "cifar10", "cifar100", "fashion_mnist")
    }
    configs = {
        data: compose_config(f"data={data}", *words[data], "tracking=disabled", "device=cpu")
        for data in words
    }

    def placed(data, root, record_root):
        config = configs[data]
        return replace(
            config, data=replace(config.data, root=str(root)), record_root=str(record_root)
        )

    return placed


@pytest.mark.parametrize(("data", "change", "line"), FOLDERS)
def test_a_bad_folder_of_pictures_is_one_line(tmp_path, capsys, on, data, change, line):
    whole(tmp_path / "data")
    change(tmp_path / "data")
    list_images.cache_clear()
    told = refused(capsys, lambda: train(on(data, tmp_path / "data", tmp_path / "runs")))
    assert line in told
    # a key that is wrong leaves no trace; a file that is wrong fails the run, which says so in its record
    assert (tmp_path / "runs").exists() == (not told.startswith("data.root: "))
    assert not list(tmp_path.glob("runs/*/DONE"))


@pytest.mark.parametrize(("data", "name", "content"), ARCHIVES)
def test_an_archive_that_is_not_the_published_one_is_one_line(
    tmp_path, capsys, on, data, name, content
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    told = refused(capsys, lambda: train(on(data, tmp_path / "data", tmp_path / "runs")))
    assert str(tmp_path / "data" / name) in told
    assert "delete the file to download it again" in told
    assert not list(tmp_path.glob("runs/*/DONE"))


def test_more_validation_than_pictures_is_one_line(tmp_path, capsys, tiny):
    told = refused(capsys, lambda: train(tiny("data.validation=1500")))
    assert (
        "data.validation: 1500 is not allowed; allowed: less than the 1500 training images" in told
    )
