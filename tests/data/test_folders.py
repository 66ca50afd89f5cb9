"""Folders of images: which files are read, in which order, and what is said of the others."""

import os
from dataclasses import replace

import pytest
from PIL import Image

from degradation.config import ConfigError
from degradation.data.datasets import load_dataset
from degradation.data.fingerprint import data_fingerprint, digest_contents
from degradation.data.folder_entries import IMAGE_SUFFIXES
from degradation.data.folders import check_root, find_splits, list_images
from degradation.data.skipped_files import describe_skipped_files
from tests.support.image_splits import TEST_SPLITS

CLASSES = ("cat", "dog")


@pytest.fixture(params=TEST_SPLITS)
def name(request):
    """Each data set of image files: held in memory, and streamed from disk."""
    return request.param


@pytest.fixture
def root(tmp_path, name):
    """Two classes of two images in each split."""
    for split in ("train", TEST_SPLITS[name]):
        for class_name in CLASSES:
            for index in range(2):
                write_image(tmp_path / split / class_name / f"{index}.png", index)
    return tmp_path


@pytest.fixture
def data(root, name, sections):
    return replace(sections[name], root=str(root))


def write_image(path, grey=9):
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    image = Image.new("RGB", (4, 4), (grey, 2 * grey, 3 * grey))
    image.save(path, {".jfif": "JPEG", ".jpe": "JPEG"}.get(suffix))


def find_fingerprint(data):
    list_images.cache_clear()
    return data_fingerprint(data)


def count_images(data):
    list_images.cache_clear()
    return len(load_dataset(data).train)


def describe_skipped(data):
    return describe_skipped_files(check_root(data), find_splits(data))


@pytest.mark.parametrize(
    "path",
    [
        "train/cat/._0.png",
        "train/cat/.hidden.png",
        "train/cat/.DS_Store",
        "train/cat/Thumbs.db",
        "train/cat/desktop.ini",
        "train/cat/.thumbnails/0.png",
        "train/cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
        "train/__MACOSX/._0.png",
        "train/$RECYCLE.BIN/0.png",
        "train/.ipynb_checkpoints/0.png",
        "__MACOSX/train/cat/._0.png",
    ],
)
def test_hidden_and_system_files_change_no_run_id(root, data, path):
    before = find_fingerprint(data)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(b"\0\5\x16\7Mac OS X")
    assert find_fingerprint(data) == before
    assert count_images(data) == 4


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_images_of_every_suffix_are_read(root, data, suffix):
    write_image(root / f"train/cat/a{suffix}")
    write_image(root / f"train/dog/b{suffix.upper()}")
    assert count_images(data) == 6
    assert describe_skipped(data) is None


def test_images_in_subfolders_belong_to_their_class(root, data):
    before = find_fingerprint(data)
    write_image(root / "train/cat/images/a.jpg")
    write_image(root / "train/cat/images/deeper/b.jpg")
    assert find_fingerprint(data) != before
    list_images.cache_clear()
    dataset = load_dataset(data)
    assert dataset.train.labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert describe_skipped(data) is None


def test_order_of_images_is_that_of_torchvision(root, data, name):
    from torchvision.datasets import ImageFolder

    for path in ("cat/b/0.png", "cat/a/z.png", "cat/a/c/1.png", "cat/Z.png", "dog/a.d/0.png"):
        write_image(root / "train" / path)
    list_images.cache_clear()
    listing, _, _ = list_images(root, ("train", TEST_SPLITS[name]))
    expected = [os.path.relpath(path, root) for path, _ in ImageFolder(root / "train").samples]
    assert [os.fsdecode(path) for path in listing.names] == expected


def test_folders_without_subfolders_keep_their_ids(tmp_path):
    """The digests are those of version 0.1.0."""
    for split in ("train", "test"):
        for class_name in CLASSES:
            (tmp_path / split / class_name).mkdir(parents=True)
            for file in ("10.png", "2.JPG", "b.jpeg", "A.png"):
                content = f"{split}/{class_name}/{file}"
                (tmp_path / content).write_bytes(content.encode())
    splits = ("train", "test")
    assert digest_contents(tmp_path, splits) == (
        "b376a38b37cb1736f8e5f9124ee7d802c473d421835747ea5224da31b7b9c30d"
    )
    assert list_images(tmp_path, splits)[2] == (
        "f624859404fef29aee59e1b6e61e5fc41402f1d0ca8130a4100ca38fef6ceff0"
    )


def test_image_replaced_with_its_size_and_time_is_seen(root, data, name):
    """As by `cp -p`, `tar` and `rsync`, which set the time of the original."""
    splits = ("train", TEST_SPLITS[name])
    image = next(path for path in (root / "train").rglob("*.png"))
    before = digest_contents(root, splits)
    status = image.stat()
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest_contents(root, splits) != before


def test_skipped_files_are_counted_by_kind_and_reason(root, data, name):
    for path in ("a.txt", "sub/b.TXT", "c.heic", "README", ".DS_Store", "@eaDir/a.png"):
        (root / "train/cat" / path).parent.mkdir(exist_ok=True)
        (root / "train/cat" / path).touch()
    write_image(root / "train/outside.png")
    write_image(root / "extra/cat/0.png")
    assert describe_skipped(data) == (
        f"data.root: {root}: skipped files other than images: 4 (2 .txt, 1 .heic, 1 without"
        " suffix); images in no class folder: 1; hidden or system files and folders: 2;"
        f" folders beside train and {TEST_SPLITS[name]}: extra"
    )


@pytest.mark.parametrize("target", ["train/cat", "train/cat/sub"])
def test_folder_that_is_listed_twice_is_refused(root, data, target):
    """A link to a folder above it would be followed forever."""
    (root / "train/cat/sub").mkdir()
    (root / "train/cat/zzz").symlink_to(root / target)
    with pytest.raises(
        ConfigError,
        match=r"^data\.root: \S+/train/cat/zzz leads to a folder whose images are listed already;",
    ):
        find_fingerprint(data)


def remove_class(root, split, name):
    for path in (root / split / name).iterdir():
        path.unlink()
    (root / split / name).rmdir()


def test_classes_that_one_split_lacks_are_named(root, data, name):
    test = TEST_SPLITS[name]
    write_image(root / "train/Dog/0.png")
    for index in range(12):
        write_image(root / test / f"extra{index:02}/0.png")
    remove_class(root, test, "cat")
    listed = ", ".join(f"extra{index:02}" for index in range(10))
    with pytest.raises(ConfigError) as error:
        find_fingerprint(data)
    assert str(error.value) == (
        f"data.root: {root} has different classes in train and {test}: train lacks {listed} and 2"
        f" more; {test} lacks Dog, cat; allowed: the same class folders in both"
    )


@pytest.mark.parametrize("side", ["train", "test"])
def test_images_without_class_folders_are_counted(root, data, name, side):
    split = TEST_SPLITS[name] if side == "test" else "train"
    for class_name in CLASSES:
        remove_class(root, split, class_name)
    with pytest.raises(ConfigError) as error:
        find_fingerprint(data)
    assert str(error.value) == (
        f"data.root: {root / split} has no class folders; allowed: images in {split}/<class>/"
    )
    for index in range(3):
        write_image(root / split / f"{index}.png")
    with pytest.raises(ConfigError, match="has no class folders, but 3 images that belong to no c"):
        find_fingerprint(data)


def test_single_class_is_named(root, data, name):
    for split in ("train", TEST_SPLITS[name]):
        remove_class(root, split, "dog")
    with pytest.raises(ConfigError, match=r"has only the class cat; allowed: at least two class"):
        find_fingerprint(data)
