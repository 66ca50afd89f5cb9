"""Corrupt files are detected, unreadable ones do not count as corrupt, and links are refused."""

import errno
import os

import pytest

from degradation.checksums import CorruptData, decode_document, encode_document
from degradation.records import record_files
from degradation.records.locks import LockTimeout, hold, is_held
from degradation.records.manifest import build_manifest, is_manifest
from degradation.records.record import Record
from degradation.records.root import TOKEN_FILE, root_token
from degradation.records.row_integrity import decode_row, encode_row, row_checksum
from degradation.records.schema import (
    ATTEMPTS_FILE,
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    WEIGHTS_FILE,
    RecordError,
    State,
)


@pytest.fixture
def record(tmp_path):
    """The record of a finished run."""
    record = Record(tmp_path, "plain-d20-s0-00000000")
    files = {
        RUN_FILE: record.write_metadata({"run_id": record.run_id}),
        WEIGHTS_FILE: record.write(WEIGHTS_FILE, b"weights"),
    }
    record.append(METRICS_FILE, {"iteration": 40})
    for iteration in (0, 40):
        record.append(PROBES_FILE, {"iteration": iteration})
    manifest = build_manifest(
        State.DONE, 40, files, record.valid_prefix(METRICS_FILE), record.valid_prefix(PROBES_FILE)
    )
    record.append(ATTEMPTS_FILE, {"attempt": 1, "outcome": "done", "manifest": manifest})
    record.finish(manifest)
    return record


def row_with(text):
    """Return a line with a valid checksum around what encode_row would refuse."""
    import zlib

    body = b'{"loss":' + text + b"}"
    return body[:-1] + f',"crc32":"{zlib.crc32(body):08x}"}}\n'.encode()


@pytest.mark.parametrize("number", [b"4e544", b"-4e544", b"NaN", b"Infinity", b"-Infinity"])
def test_number_that_is_not_finite_is_corrupt(number):
    assert decode_row(row_with(number)) is None
    with pytest.raises(CorruptData):
        decode_document(b'{"loss": ' + number + b', "sha256": "0"}')
    assert decode_row(row_with(b"4e44")) == {"loss": 4e44}


@pytest.mark.parametrize("error", [errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE])
def test_unreadable_file_is_not_taken_for_corrupt(record, monkeypatch, error):
    def fail(path):
        raise OSError(error, os.strerror(error), str(path))

    monkeypatch.setattr(record_files, "read_file", fail)
    with pytest.raises(RecordError, match=rf"cannot be read \({os.strerror(error)}\)"):
        record.outcome(verify_contents=True)


def plant(kind, path):
    """Put something else where a file should be."""
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)


@pytest.mark.parametrize("kind", ["nothing", "link", "folder", "pipe"])
def test_link_folder_or_pipe_for_a_file_is_corrupt(record, kind):
    path = record.path(WEIGHTS_FILE)
    path.unlink()
    plant(kind, path)
    assert WEIGHTS_FILE in record.find_mismatch(verify_contents=True)


def without(values, *keys):
    return {key: value for key, value in values.items() if key not in keys}


def test_only_the_form_of_a_manifest_is_accepted(record):
    valid = record.read_manifest()
    assert is_manifest(valid)
    fingerprint = valid["files"][RUN_FILE]
    invalid_files = [
        None,
        [],
        {RUN_FILE: None},
        {RUN_FILE: {}},
        {RUN_FILE: fingerprint | {"bytes": "7"}},
        {RUN_FILE: fingerprint | {"bytes": True}},
        {RUN_FILE: fingerprint | {"more": 1}},
        {"../../precious": fingerprint},
        {"snapshots/../run.json": fingerprint},
        {"a\0b": fingerprint},
    ]
    invalid = [
        None,
        [],
        {},
        without(valid, "files"),
        without(valid, PROBES_FILE),
        valid | {"outcome": "running"},
    ]
    invalid += [valid | {"files": files} for files in invalid_files]
    invalid += [valid | {PROBES_FILE: probes} for probes in (None, {}, [1], "abc")]
    assert not any(map(is_manifest, invalid))
    for values in invalid:
        record.path(ATTEMPTS_FILE).unlink()
        record.append(ATTEMPTS_FILE, {"attempt": 1, "manifest": values})
        record.path(DONE_FILE).unlink(missing_ok=True)
        assert not record.restore_manifest()
        if isinstance(values, dict):
            record.write(DONE_FILE, encode_document({"schema_version": 2, **values}))
            assert record.read_manifest() is None
            assert record.outcome() is None


def test_missing_done_is_restored_from_the_last_row(record):
    """The process was killed between writing the two."""
    content = record.path(DONE_FILE).read_bytes()
    record.path(DONE_FILE).unlink()
    assert record.restore_manifest()
    assert record.path(DONE_FILE).read_bytes() == content


def test_lost_rows_of_probes_are_counted(record):
    """A file that is cut between two lines has only valid lines."""
    assert record.count_lost_probes() == 0
    line = encode_row({"iteration": 0})
    assert record.path(PROBES_FILE).read_bytes().startswith(line)
    record.path(PROBES_FILE).write_bytes(line)
    assert record.count_lost_probes() == 1
    assert record.count_corrupt_lines(PROBES_FILE) == 0
    record.path(PROBES_FILE).unlink()
    assert record.count_lost_probes() == 2


def test_run_json_without_its_checksum_is_rewritten(record):
    content = record.path(RUN_FILE).read_bytes()
    record.path(RUN_FILE).write_bytes(b'{"run_id": "other", "schema_version": 2}')
    record.write_metadata({"run_id": record.run_id})
    assert record.path(RUN_FILE).read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        encode_row({"mark": "../../../precious"}),
        encode_row({"mark": "ABCDEF"}),
        encode_row({"mark": ["abc123"]}),
        encode_row({"x": 1}),
        b"zzzzzz",
        b"abc123",
        b"\xff\xfe",
        b"",
    ],
)
def test_invalid_root_token_is_replaced(tmp_path, content):
    (tmp_path / TOKEN_FILE).write_bytes(content)
    token = root_token(tmp_path)
    assert len(token) == 6
    assert set(token) <= set("0123456789abcdef")
    assert root_token(tmp_path) == token


@pytest.mark.parametrize("kind", ["nothing", "link", "folder", "pipe"])
def test_anything_but_a_lock_file_is_not_held(tmp_path, kind):
    path = tmp_path / "lock"
    plant(kind, path)
    assert not is_held(path)


def test_timeout_raised_while_holding_passes_unchanged(tmp_path):
    inside = LockTimeout("inside")
    with pytest.raises(LockTimeout) as raised, hold(tmp_path / "lock", 0.0):
        raise inside
    assert raised.value is inside
    assert not is_held(tmp_path / "lock")


def test_row_checksum_is_the_one_in_its_line():
    row = {"iteration": 3, "loss": 0.25}
    assert f'"{row_checksum(row)}"'.encode() in encode_row(row)
