"""Published files are downloaded once, and used only if their checksum matches."""

import gzip
import io
import multiprocessing
import pickle
import socket
import tarfile
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from degradation.data import cifar, fashion_mnist
from degradation.data.cifar import CIFAR10, CIFAR100, read_cifar10_archive
from degradation.data.datasets import load_dataset
from degradation.data.downloads import READ_TIMEOUT_S, FileSet, PublishedFile
from degradation.data.errors import DataError
from degradation.data.fashion_mnist import read_idx
from degradation.data.fingerprint import data_fingerprint

BYTES = b"what was published"
HEX = "[0-9a-f]{64}"
PUBLISHED_SHA256 = sha256(BYTES).hexdigest()


def fetch(root, file, other_folders=()):
    """Return the content of a published file."""
    (content,) = FileSet(root, (file,), tuple(other_folders)).fetch().values()
    return content


def define_file(name, find_urls=lambda: pytest.fail("the file exists")):
    """A file whose published content is BYTES."""
    return PublishedFile(name, PUBLISHED_SHA256, find_urls)


def make_archive(folder, batches):
    """Return the bytes of a .tar.gz of pickles."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, value in batches.items():
            packed = pickle.dumps(value)
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(packed)
            tar.addfile(info, io.BytesIO(packed))
    return stream.getvalue()


def make_idx(array):
    return (
        bytes([0, 0, 8, array.ndim])
        + b"".join(n.to_bytes(4, "big") for n in array.shape)
        + array.tobytes()
    )


@pytest.fixture
def downloads(monkeypatch):
    """A dict {url: bytes or exception} for tests to fill, and the list of requested URLs."""
    served, requested = {}, []

    def download_url(url, root, filename):
        requested.append(url)
        value = served[url]
        if isinstance(value, Exception):
            Path(root, filename).write_bytes(BYTES[:4])
            raise value
        Path(root, filename).write_bytes(value)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    return served, requested


CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR100_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"


def test_existing_file_is_used(tmp_path, downloads):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b").write_bytes(BYTES)
    assert (
        fetch(tmp_path, define_file("b"), [tmp_path / "nowhere", tmp_path / "elsewhere"]) == BYTES
    )
    (tmp_path / "b").write_bytes(BYTES)
    assert fetch(tmp_path, define_file("b")) == BYTES
    assert downloads[1] == []


@pytest.mark.parametrize(
    "content", [b"something else", BYTES[:-5], b""], ids=["wrong", "truncated", "empty"]
)
def test_wrong_file_is_named_with_its_checksum(tmp_path, content):
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(DataError) as error:
        fetch(tmp_path, define_file("b"))
    checksums = f"SHA-256 is {sha256(content).hexdigest()}, expected {PUBLISHED_SHA256}"
    assert (
        str(error.value) == f"{tmp_path / 'b'}: {checksums}; delete the file to download it again"
    )


class Malicious:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_wrong_archive_is_not_unpickled(tmp_path, compose_config, name):
    folder = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name]
    archive = {"cifar10": CIFAR10.name, "cifar100": CIFAR100.name}[name]
    members = dict.fromkeys(("data_batch_1", "train", "test"), Malicious())
    (tmp_path / archive).write_bytes(make_archive(folder, members))
    with pytest.raises(
        DataError, match=rf"{archive}: SHA-256 is [0-9a-f]{{64}}, expected (6d958be0|85cd44d0)"
    ):
        load_dataset(compose_config(f"data={name}", f"data.root={tmp_path}").data)


def test_missing_file_is_downloaded_once(tmp_path, downloads):
    served, requested = downloads
    served[CIFAR10_URL] = BYTES
    for _ in range(2):
        assert fetch(tmp_path / "new", replace(CIFAR10, sha256=PUBLISHED_SHA256)) == BYTES
    assert requested == [CIFAR10_URL]


def test_interrupted_download_never_gets_the_final_name(tmp_path, downloads):
    served, requested = downloads
    served[CIFAR100_URL] = OSError("connection\nreset")
    file = replace(CIFAR100, sha256=PUBLISHED_SHA256)
    path = tmp_path / file.name
    with pytest.raises(
        DataError,
        match=r"cifar-100-python\.tar\.gz: cannot be downloaded from \S+ \(connection reset\)",
    ):
        fetch(tmp_path, file)
    assert not path.exists()
    served[CIFAR100_URL] = BYTES[:-5]  # the server closes the connection early
    truncated = sha256(BYTES[:-5]).hexdigest()
    with pytest.raises(
        DataError,
        match=rf"\.tar\.gz\.part: SHA-256 is {truncated}, expected {PUBLISHED_SHA256};"
        " try again, or put",
    ):
        fetch(tmp_path, file)
    assert not path.exists()
    served[CIFAR100_URL] = BYTES
    assert fetch(tmp_path, file) == path.read_bytes() == BYTES
    assert len(requested) == 3


def test_next_mirror_is_tried_after_a_failure(tmp_path, downloads, monkeypatch):
    served, requested = downloads
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", ["http://one/", "http://two/"])
    file = replace(fashion_mnist.FILES["test_labels"], sha256=PUBLISHED_SHA256, is_gzip=False)
    urls = [f"http://one/{file.name}", f"http://two/{file.name}"]
    served |= {urls[0]: OSError("gone"), urls[1]: BYTES}
    assert fetch(tmp_path, file) == BYTES
    assert requested == urls
    (tmp_path / file.name).unlink()
    served[urls[1]] = OSError("gone, too")
    with pytest.raises(DataError, match=r"downloaded from one or two \(gone, too\)"):
        fetch(tmp_path, file)


def test_download_does_not_wait_forever_for_a_silent_server(tmp_path, monkeypatch):
    limits = []

    def download_url(url, root, filename):
        limits.append(socket.getdefaulttimeout())
        raise TimeoutError

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    with pytest.raises(DataError, match=r"toronto\.edu \(TimeoutError\)"):
        fetch(tmp_path, CIFAR10)
    assert limits == [READ_TIMEOUT_S]
    assert socket.getdefaulttimeout() is None


def test_two_processes_download_once(tmp_path, monkeypatch):
    context = multiprocessing.get_context("fork")  # the children inherit the replaced function
    start, results = context.Barrier(2), context.Queue()

    def download_url(url, root, filename):
        with (tmp_path / "count").open("a") as file:
            file.write(f"{url}\n")
        Path(root, filename).write_bytes(BYTES[:4])
        time.sleep(0.3)
        Path(root, filename).write_bytes(BYTES)

    def child():
        start.wait(30)
        results.put(fetch(tmp_path / "root", replace(CIFAR10, sha256=PUBLISHED_SHA256)))

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    children = [context.Process(target=child) for _ in range(2)]
    for process in children:
        process.start()
    assert [results.get(timeout=60) for _ in children] == [BYTES, BYTES]
    for process in children:
        process.join(30)
    assert (tmp_path / "count").read_text().splitlines() == [CIFAR10_URL]


def test_cifar10_is_read_in_order(tmp_path, compose_config, monkeypatch):
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    images = np.arange(6 * 2 * 3072).reshape(6, 2, 3072) % 251
    values = {
        name: {"data": images[i].astype(np.uint8), "labels": [i % 5, i % 5 + 1]}
        for i, name in enumerate(names)
    }
    packed = make_archive("cifar-10-batches-py", values)
    (tmp_path / CIFAR10.name).write_bytes(packed)
    monkeypatch.setattr(cifar, "CIFAR10", replace(CIFAR10, sha256=sha256(packed).hexdigest()))
    dataset = load_dataset(compose_config("data=cifar10", f"data.root={tmp_path}").data)
    assert dataset.train.images.shape == (10, 3, 32, 32)
    assert dataset.train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert dataset.test.labels.tolist() == [0, 1]
    # channel, row, column: the second image's green value at row 3, column 5
    assert int(dataset.train.images[1, 1, 3, 5]) == images[0, 1, 1024 + 3 * 32 + 5]


def test_cifar100_has_fine_labels(tmp_path, compose_config, monkeypatch):
    images = (np.arange(5 * 3072).reshape(5, 3072) % 251).astype(np.uint8)
    train = {"data": images[:3], "fine_labels": [99, 0, 41], "coarse_labels": [19, 0, 8]}
    test = {"data": images[3:], "fine_labels": [41, 99], "coarse_labels": [1, 19]}
    packed = make_archive("cifar-100-python", {"train": train, "test": test, "meta": {}})
    (tmp_path / CIFAR100.name).write_bytes(packed)
    monkeypatch.setattr(cifar, "CIFAR100", replace(CIFAR100, sha256=sha256(packed).hexdigest()))
    dataset = load_dataset(compose_config("data=cifar100", f"data.root={tmp_path}").data)
    assert (dataset.train.labels.tolist(), dataset.test.labels.tolist()) == ([99, 0, 41], [41, 99])
    assert (dataset.classes, dataset.channels, dataset.side) == (100, 3, 32)
    assert int(dataset.test.images[0, 2, 31, 1]) == images[3, 2048 + 31 * 32 + 1]


def test_missing_member_is_named():
    with pytest.raises(
        DataError, match=r"^a\.tar\.gz: has no member cifar-10-batches-py/data_batch_1"
    ):
        read_cifar10_archive(Path("a.tar.gz"), make_archive("other", {"data_batch_1": {}}))


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """Arrays of a small Fashion-MNIST, and a function that writes its four files to a folder."""
    arrays = {
        "train-images-idx3-ubyte.gz": (np.arange(6 * 28 * 28) % 251)
        .astype(np.uint8)
        .reshape(6, 28, 28),
        "train-labels-idx1-ubyte.gz": np.array([9, 0, 3, 1, 9, 2], np.uint8),
        "t10k-images-idx3-ubyte.gz": np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28),
        "t10k-labels-idx1-ubyte.gz": np.array([3, 9], np.uint8),
    }
    files = {
        key: replace(file, sha256=sha256(make_idx(arrays[file.name])).hexdigest())
        for key, file in fashion_mnist.FILES.items()
    }
    monkeypatch.setattr(fashion_mnist, "FILES", files)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")

    def write(folder, level=9):
        folder.mkdir(parents=True)
        for name, array in arrays.items():
            (folder / name).write_bytes(gzip.compress(make_idx(array), level))

    return arrays, write


@pytest.mark.parametrize(
    ("place", "level"), [("root", 9), ("root/FashionMNIST/raw", 6), ("debian", 1)]
)
def test_fashion_mnist_is_found_in_any_folder_and_compression(
    tmp_path, compose_config, fashion, downloads, place, level
):
    arrays, write = fashion
    write(tmp_path / place, level)
    dataset = load_dataset(
        compose_config("data=fashion_mnist", f"data.root={tmp_path / 'root'}").data
    )
    assert dataset.train.images.shape == (6, 1, 28, 28)
    assert dataset.test.images.shape == (2, 1, 28, 28)
    assert dataset.classes == 10
    assert dataset.train.labels.tolist() == [9, 0, 3, 1, 9, 2]
    assert int(dataset.train.images[4, 0, 3, 5]) == arrays["train-images-idx3-ubyte.gz"][4, 3, 5]
    assert downloads[1] == []


def test_truncated_fashion_mnist_is_rejected(tmp_path, compose_config, fashion):
    _, write = fashion
    write(tmp_path / "root")
    path = tmp_path / "root/train-images-idx3-ubyte.gz"
    data = compose_config("data=fashion_mnist", f"data.root={path.parent}").data
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(
        DataError,
        match=rf"{path.name}: SHA-256 of its decompressed content is {HEX}, expected {HEX}",
    ):
        load_dataset(data)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(
        DataError,
        match=rf"{path.name}: is not a gzip file .*, expected one with the SHA-256"
        f" of its decompressed content {HEX}",
    ):
        load_dataset(data)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08\1\0\0\0\3ab", b"\0\0\x0d\1\0\0\0\2ab", b"\0\0\x08\0"]
)
def test_malformed_idx_file_is_rejected(content):
    with pytest.raises(DataError, match=r"^f: is not an idx file"):
        read_idx(Path("f"), content)


def test_fingerprints_of_published_sets_are_pinned(compose_config):
    fingerprints = {
        name: data_fingerprint(compose_config(f"data={name}").data)
        for name in ("cifar10", "cifar100", "fashion_mnist")
    }
    assert fingerprints == {
        "cifar10": "sha256:6d958be074577803",
        "cifar100": "sha256:85cd44d02ba64377",
        "fashion_mnist": "sha256:d1fd84a877f3b78f",
    }
    four = "".join(file.sha256 for file in fashion_mnist.FILES.values())
    checksums = [CIFAR10.sha256, CIFAR100.sha256, sha256(four.encode()).hexdigest()]
    assert [f"sha256:{checksum[:16]}" for checksum in checksums] == list(fingerprints.values())
