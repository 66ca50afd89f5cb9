"""A bad image folder or archive fails a run with one line that names the key or the file."""

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

CLASSES = ("cat", "dog")
SPLITS = ("train", "test", "val")
FIRST = "train/cat/0.png"


def write_image(path, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write_folder(root):
    """Write two classes of two images to each split."""
    for split in SPLITS:
        for name in CLASSES:
            for index in range(2):
                write_image(root / split / name / f"{index}.png")


def remove_images(split, name):
    def change(root):
        for path in (root / split / name).iterdir():
            path.unlink()

    return change


def remove_classes(split):
    def change(root):
        for name in CLASSES:
            remove_images(split, name)(root)
            (root / split / name).rmdir()

    return change


def remove_split(split):
    def change(root):
        remove_classes(split)(root)
        (root / split).rmdir()

    return change


def rename_class(root):
    for split in ("test", "val"):
        (root / split / "dog").rename(root / split / "wolf")


def leave_one_class(root):
    for split in SPLITS:
        remove_images(split, "dog")(root)
        (root / split / "dog").rmdir()


def add_class_with_line_break(root):
    for split in SPLITS:
        (root / split / "a\nb").mkdir()


def replace_root_by_file(root):
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    root.rmdir()
    root.write_text("a file")


def write_first(content):
    return lambda root: (root / FIRST).write_bytes(content)


def truncate_first(root):
    (root / FIRST).write_bytes((root / FIRST).read_bytes()[:40])


def resize_first(size):
    return lambda root: write_image(root / FIRST, size)


BAD_CLASS_NAME = r"data/train/a\nb' is not allowed; allowed: "
# data set, change to its folder, text that the error line contains
FOLDERS = [
    ("image_folder", remove_split("train"), "data.root: "),
    ("image_folder", remove_split("test"), "data.root: "),
    ("image_folder", remove_classes("train"), "data.root: "),
    ("image_folder", remove_classes("test"), "data.root: "),
    ("image_folder", rename_class, "data.root: "),
    ("image_folder", leave_one_class, "data.root: "),
    ("image_folder", replace_root_by_file, "data.root: "),
    ("image_folder", remove_images("train", "dog"), "train has class folders without images: dog"),
    ("image_folder", remove_images("test", "dog"), "test has class folders without images: dog"),
    ("image_folder", add_class_with_line_break, BAD_CLASS_NAME),
    ("image_folder", write_first(b"not an image"), f"{FIRST}: "),
    ("image_folder", truncate_first, f"{FIRST}: "),
    ("image_folder", write_first(b""), f"{FIRST}: "),
    ("image_folder", resize_first((5, 5)), "data.size: null is not allowed: "),
    ("image_folder", resize_first((4, 5)), "data.size: null is not allowed: "),
    ("imagenet", remove_classes("train"), "data.root: "),
    ("imagenet", remove_split("val"), "data.root: "),
    ("imagenet", rename_class, "data.root: "),
    ("imagenet", leave_one_class, "data.root: "),
    ("imagenet", replace_root_by_file, "data.root: "),
    ("imagenet", remove_images("train", "cat"), "train has class folders without images: cat"),
    ("imagenet", add_class_with_line_break, BAD_CLASS_NAME),
]
FASHION = FILES["train_images"].name
# data set, file, content
ARCHIVES = [
    ("cifar10", CIFAR10.name, b"not an archive"),
    ("cifar10", CIFAR10.name, b""),
    ("cifar10", CIFAR10.name, pickle.dumps({"data": [], "labels": []})),
    ("cifar100", CIFAR100.name, b"\x1f\x8b not gzip"),
    ("fashion_mnist", FASHION, b"not gzip"),
    ("fashion_mnist", FASHION, b""),
    ("fashion_mnist", FASHION, gzip.compress(b"\x00\x00\x08\x03not idx", mtime=0)),
    ("fashion_mnist", FASHION, gzip.compress(b"\x00" * 100, mtime=0)[:-5]),
]


def read_error_line(capsys, main):
    """Return the only line that a failing command prints."""
    with pytest.raises(SystemExit) as exit_info:
        run_script(main)
    output = capsys.readouterr().err
    assert exit_info.value.code == 1
    assert output.endswith("\n")
    assert is_single_line(output[:-1]), output
    return output[:-1]


@pytest.fixture(scope="module")
def build_config(compose_config):
    """A function (data set, its root, record root) -> Config."""
    configs = {}
    for data in ("image_folder", "imagenet", "cifar10", "cifar100", "fashion_mnist"):
        overrides = [f"data={data}", "data.root=/", "tracking=disabled", "device=cpu"]
        if data == "imagenet":
            overrides += ["model=imagenet_residual", "model.depth=18"]
        configs[data] = compose_config(*overrides)

    def build(data, root, record_root):
        config = configs[data]
        return replace(
            config, data=replace(config.data, root=str(root)), record_root=str(record_root)
        )

    return build


@pytest.mark.parametrize(("data", "change", "line"), FOLDERS)
def test_bad_image_folder_is_one_line(tmp_path, capsys, build_config, data, change, line):
    write_folder(tmp_path / "data")
    change(tmp_path / "data")
    list_images.cache_clear()
    config = build_config(data, tmp_path / "data", tmp_path / "runs")
    error = read_error_line(capsys, lambda: train(config))
    assert line in error
    # a wrong key leaves no record; a wrong file fails the run, which its record shows
    assert (tmp_path / "runs").exists() == (not error.startswith("data.root: "))
    assert not list(tmp_path.glob("runs/*/DONE"))


@pytest.mark.parametrize(("data", "name", "content"), ARCHIVES)
def test_wrong_archive_is_one_line(tmp_path, capsys, build_config, data, name, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    config = build_config(data, tmp_path / "data", tmp_path / "runs")
    error = read_error_line(capsys, lambda: train(config))
    assert str(tmp_path / "data" / name) in error
    assert "delete the file to download it again" in error
    assert not list(tmp_path.glob("runs/*/DONE"))


def test_more_validation_than_images_is_one_line(tmp_path, capsys, tiny):
    error = read_error_line(capsys, lambda: train(tiny("data.validation=1500")))
    assert (
        "data.validation: 1500 is not allowed; allowed: fewer than the 1500 training images"
        in error
    )
