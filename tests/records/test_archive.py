"""An archive of published records is read like their folder, and is not trusted."""

import io
import re
import stat
import zipfile

import pandas as pd
import pytest

from analysis.query import load_where
from degradation.records import archive as archive_module
from degradation.records.archive import encode_archive
from degradation.records.cached_reader import CachedRecord
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RecordError,
    State,
)
from tests.support.archives import RUN_IDS, read_entries, write_archive

PLAIN = f"{RUN_IDS[0]}/{METRICS_FILE}"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """(root, archive) of two runs."""
    return write_archive(tmp_path_factory.mktemp("published"))


@pytest.fixture
def write_zip(tmp_path):
    """Return a function that writes a zip file with one entry, and returns its path."""

    def write(name="a/run.json", mode=stat.S_IFREG, compression=zipfile.ZIP_STORED, copies=1):
        buffer = io.BytesIO()
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = compression
        with zipfile.ZipFile(buffer, "w") as target:
            for _ in range(copies):
                target.writestr(entry, b"content")
        path = tmp_path / "records.zip"
        path.write_bytes(buffer.getvalue())
        return path

    return write


def test_archive_gives_the_same_tables_as_the_folder(published):
    folder, archive = (load_where(root, None) for root in published)
    pd.testing.assert_frame_equal(
        folder.runs.drop(columns="published"), archive.runs.drop(columns="published")
    )
    pd.testing.assert_frame_equal(folder.curves, archive.curves)
    assert folder.probes.keys() == archive.probes.keys() == {"responses", "landscape"}
    for name, table in folder.probes.items():
        pd.testing.assert_frame_equal(table, archive.probes[name])
    assert folder.excluded == archive.excluded == ()


def test_record_in_an_archive_is_finished_and_verified(published):
    _, archive = published
    record = Record(archive, RUN_IDS[0])
    assert list_run_ids(archive) == list(RUN_IDS)
    assert record.state() is record.final_outcome() is State.DONE
    assert record.count_lost_probes() == 0
    assert Record(archive, "plain-56").state() is State.MISSING


def test_equal_records_give_equal_bytes(published):
    entries = read_entries(published[1])
    backwards = dict(sorted(entries.items(), reverse=True))
    assert encode_archive(backwards) == published[1].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": "../run.json"}, "entry '../run.json' is not a file of a published record"),
        ({"name": "/run/run.json"}, "entry '/run/run.json' is not a file of a published record"),
        ({"name": "a/../b/run.json"}, "is not a file of a published record"),
        ({"name": "a/weights.pt"}, "entry 'a/weights.pt' is not a file of a published record"),
        ({"name": "a/landscape/../x.jsonl"}, "is not a file of a published record"),
        ({"name": "a/"}, "is not a file of a published record"),
        ({"mode": stat.S_IFLNK}, "entry 'a/run.json' is not a regular file"),
        ({"copies": 2}, "entry 'a/run.json' occurs twice"),
        ({"compression": zipfile.ZIP_LZMA}, "is compressed in another way than by deflate"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archive_with_a_strange_entry_is_refused(write_zip, arguments, problem):
    path = write_zip(**arguments)
    with pytest.raises(RecordError, match=re.escape(problem)):
        list_run_ids(path)


@pytest.mark.parametrize("limit", ["MAX_ARCHIVE_BYTES", "MAX_CONTENT_BYTES"])
def test_too_large_archive_is_refused(published, monkeypatch, limit, tmp_path):
    monkeypatch.setattr(archive_module, limit, 500)
    path = tmp_path / "other.zip"
    path.write_bytes(published[1].read_bytes())
    with pytest.raises(RecordError, match=r"other\.zip: has .* bytes"):
        list_run_ids(path)


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_truncated_archive_is_refused(published, tmp_path, length):
    path = tmp_path / "records.zip"
    path.write_bytes(published[1].read_bytes()[:length])
    with pytest.raises(RecordError, match=r"records\.zip: is not a zip archive; allowed: "):
        list_run_ids(path)


def test_understated_size_is_detected(published, tmp_path):
    content = bytearray(published[1].read_bytes())
    with zipfile.ZipFile(published[1]) as archive:
        size = archive.getinfo(PLAIN).file_size.to_bytes(4, "little")
    name_at = content.rindex(PLAIN.encode())  # in the list of entries, 22 bytes after the size
    assert content[name_at - 22 : name_at - 18] == size
    content[name_at - 22 : name_at - 18] = (10).to_bytes(4, "little")
    path = tmp_path / "records.zip"
    path.write_bytes(content)
    with pytest.raises(OSError, match="corrupt in the archive"):
        CachedRecord(path, RUN_IDS[0]).read_unverified(METRICS_FILE)


def test_changed_byte_is_reported_with_its_file(published, tmp_path):
    content = bytearray(published[1].read_bytes())
    content[content.index(PLAIN.encode()) + len(PLAIN) + 20] ^= 1
    path = tmp_path / "records.zip"
    path.write_bytes(content)
    frame = load_where(path, None)
    assert list(frame.runs["run_id"]) == [RUN_IDS[1]]
    problem = f"{path}/{PLAIN}: cannot be read (corrupt in the archive)"
    assert frame.excluded == (f"{RUN_IDS[0]}: failed, {problem}",)


def test_changed_content_differs_from_done(published, tmp_path):
    entries = read_entries(published[1])
    entries[PLAIN] = entries[PLAIN].splitlines(keepends=True)[0]
    path = tmp_path / "records.zip"
    path.write_bytes(encode_archive(entries))
    frame = load_where(path, None)
    assert list(frame.runs["state"]) == ["partial", "done"]
    assert f"{PLAIN}: its checksum differs from the one in DONE" in frame.excluded[0]


@pytest.mark.parametrize(
    "name", [ATTEMPTS_FILE, CODE_FILE, PROBES_FILE, "landscape/001-of-001.jsonl"]
)
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: content[: len(content) // 2], "its checksum differs from the one in DONE"),
        (None, "cannot be read (No such file or directory)"),
    ],
    ids=["truncated", "missing"],
)
def test_damage_to_any_published_file_is_reported(published, tmp_path, name, damage, problem):
    entries = read_entries(published[1])
    content = entries.pop(f"{RUN_IDS[0]}/{name}")
    if damage is not None:
        entries[f"{RUN_IDS[0]}/{name}"] = damage(content)
    path = tmp_path / "records.zip"
    path.write_bytes(encode_archive(entries))
    frame = load_where(path, None)
    assert frame.runs.set_index("run_id")["state"][RUN_IDS[0]] not in ("done", "diverged")
    assert f"{path}/{RUN_IDS[0]}/{name}: {problem}" in frame.excluded[0]


def test_replaced_archive_is_read_again(published, tmp_path):
    path = tmp_path / "records.zip"
    path.write_bytes(published[1].read_bytes())
    assert list_run_ids(path) == list(RUN_IDS)
    entries = read_entries(path)
    path.write_bytes(encode_archive({PLAIN: entries[PLAIN]}))
    assert list_run_ids(path) == [RUN_IDS[0]]
