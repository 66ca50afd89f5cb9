"""An archive of published records is read like their folder, and is not trusted."""

import io
import re
import stat
import zipfile

import pandas as pd
import pytest

from analysis.query import load_where
from degradation.config import CONF
from degradation.records import archive as archive_module
from degradation.records.archive import encode_archive
from degradation.records.archive_tables import TABLES
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import METRICS_FILE, RUN_FILE, RecordError, State
from tests.support.archives import (
    RUN_IDS,
    publish_records,
    read_tables,
    write_archive,
    write_tables,
)

LEDGER = CONF.parent / "experiments/ledger"
LARGEST_LEDGER_BYTES = 3_000_000


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """(root, archive) of two runs."""
    return write_archive(tmp_path_factory.mktemp("published"))


@pytest.fixture
def write_zip(tmp_path):
    """Return a function that writes a zip file with one entry, and returns its path."""

    def write(name="run.jsonl", mode=stat.S_IFREG, compression=zipfile.ZIP_STORED, copies=1):
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
    root, archive = published
    runs = publish_records(root)
    backwards = {run_id: dict(reversed(runs[run_id].items())) for run_id in reversed(runs)}
    assert encode_archive(backwards) == archive.read_bytes()


def test_archive_preserves_the_bytes_of_every_file(published):
    root, archive = published
    for run_id, files in publish_records(root).items():
        record = Record(archive, run_id)
        assert len(files) == len(TABLES)
        assert {name: record.read_unverified(name) for name in files} == files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (RUN_FILE, b'{"a": 1}\n'),  # no indentation
        (RUN_FILE, b"no document"),
        (METRICS_FILE, b"no row\n"),
        (METRICS_FILE, b""),
    ],
)
def test_file_that_would_change_is_not_archived(name, content):
    with pytest.raises(RecordError, match=f"^a/{name}: does not have the form that training"):
        encode_archive({"a": {name: content}})


def test_archives_of_the_ledger_are_small():
    sizes = [path.stat().st_size for path in LEDGER.glob("*/records.zip")]
    assert len(sizes) >= 7
    assert sum(sizes) <= LARGEST_LEDGER_BYTES


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": "../run.jsonl"}, "entry '../run.jsonl' is not a table of published records"),
        ({"name": "/run.jsonl"}, "entry '/run.jsonl' is not a table of published records"),
        ({"name": "a/run.json"}, "entry 'a/run.json' is not a table of published records"),
        ({"name": "weights.pt"}, "entry 'weights.pt' is not a table of published records"),
        ({"name": "run.jsonl/"}, "is not a table of published records"),
        ({"mode": stat.S_IFLNK}, "entry 'run.jsonl' is not a regular file"),
        ({"copies": 2}, "entry 'run.jsonl' occurs twice"),
        ({}, "entry 'run.jsonl' is not a table of published records (line 1 does not start"),
        ({"compression": zipfile.ZIP_LZMA}, "is compressed by a method other than deflate"),
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


@pytest.mark.parametrize(
    ("table", "line", "problem"),
    [
        ("metrics.jsonl", b'{"run_id":"../a","x":1}', "does not start with the id of a run"),
        ("metrics.jsonl", b'{"x":1,"run_id":"a"}', "does not start with the id of a run"),
        ("metrics.jsonl", b"", "does not start with the id of a run"),
        ("DONE.jsonl", b'{"run_id":"a","x":', "is not JSON"),
        ("DONE.jsonl", b'{"run_id":"plain-20","x":1}', "is a second line of its run"),
    ],
)
def test_strange_line_is_refused(published, tmp_path, table, line, problem):
    tables = read_tables(published[1])
    number = tables[table].count(b"\n") + 1
    path = write_tables(tmp_path / "records.zip", tables | {table: tables[table] + line + b"\n"})
    text = f"entry '{table}' is not a table of published records (line {number} {problem}"
    with pytest.raises(RecordError, match=re.escape(text)):
        list_run_ids(path)


def damage_table(content, table):
    """Change a byte in the compressed content of a table."""
    changed = bytearray(content)
    changed[changed.index(table.encode()) + len(table) + 20] ^= 1
    return changed


def understate_size(content, table):
    """Write a smaller size of a table into the list of entries, 22 bytes before its name."""
    changed = bytearray(content)
    name_at = changed.rindex(table.encode())
    changed[name_at - 22 : name_at - 18] = (10).to_bytes(4, "little")
    return changed


@pytest.mark.parametrize("damage", [damage_table, understate_size])
def test_damage_to_the_zip_file_is_detected(published, tmp_path, damage):
    path = tmp_path / "records.zip"
    path.write_bytes(damage(published[1].read_bytes(), "metrics.jsonl"))
    with pytest.raises(RecordError, match=r"entry .metrics\.jsonl. is corrupt; allowed: "):
        load_where(path, None)


@pytest.mark.parametrize(
    "table", [name for name in TABLES if name not in ("run.jsonl", "DONE.jsonl")]
)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda line: line.replace(b"1", b"2"), "its checksum differs from the one in DONE"),
        (lambda _: b"", "cannot be read (No such file or directory)"),
    ],
    ids=["changed", "missing"],
)
def test_change_of_any_file_is_reported(published, tmp_path, table, change, problem):
    tables = read_tables(published[1])
    lines = tables[table].splitlines(keepends=True)
    own = f'{{"run_id":"{RUN_IDS[0]}",'.encode()
    edited = [own + change(line[len(own) :]) if line.startswith(own) else line for line in lines]
    tables[table] = b"".join(line for line in edited if line != own)
    frame = load_where(write_tables(tmp_path / "records.zip", tables), None)
    assert frame.runs.set_index("run_id")["state"][RUN_IDS[0]] not in ("done", "diverged")
    assert frame.runs.set_index("run_id")["state"][RUN_IDS[1]] == "done"
    assert f"{RUN_IDS[0]}/{TABLES[table]}: {problem}" in frame.excluded[0]


def test_replaced_archive_is_read_again(published, tmp_path):
    root, archive = published
    path = tmp_path / "records.zip"
    path.write_bytes(archive.read_bytes())
    assert list_run_ids(path) == list(RUN_IDS)
    path.write_bytes(encode_archive(publish_records(root, RUN_IDS[:1])))
    assert list_run_ids(path) == [RUN_IDS[0]]
