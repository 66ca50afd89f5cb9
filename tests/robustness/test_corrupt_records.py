"""What is planted or breaks in a record: damage is told from what only cannot be read now, and nothing is followed."""

import errno
import os

import pytest

from degradation.durable_io import (
    CorruptData,
    decode_document,
    decode_row,
    encode_document,
    encode_row,
    row_checksum,
)
from degradation.records import record as record_module
from degradation.records.locks import LockTimeout, hold, is_held
from degradation.records.manifest import build_manifest, is_manifest
from degradation.records.record import Record
from degradation.records.root import TOKEN_FILE, root_token
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
    """A run that is over."""
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
    """A line with a right checksum around what encode_row would refuse."""
    import zlib

    body = b'{"loss":' + text + b"}"
    return body[:-1] + f',"crc32":"{zlib.crc32(body):08x}"}}\n'.encode()


@pytest.mark.parametrize("number", [b"4e544", b"-4e544", b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_not_finite_is_damage(number):
    assert decode_row(row_with(number)) is None
    with pytest.raises(CorruptData):
        decode_document(b'{"loss": ' + number + b', "sha256": "0"}')
    assert decode_row(row_with(b"4e44")) == {"loss": 4e44}


@pytest.mark.parametrize("problem", [errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE])
def test_a_file_that_cannot_be_read_now_is_no_damage(record, monkeypatch, problem):
    def refuse(path):
        raise OSError(problem, os.strerror(problem), str(path))

    monkeypatch.setattr(record_module, "read_file", refuse)
    with pytest.raises(RecordError, match=rf"cannot be read \({os.strerror(problem)}\)"):
        record.outcome(verify_contents=True)


def put(place, path):
    """What stands where a file should be."""
    if place == "link":
        path.symlink_to("/dev/zero")
    elif place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)


@pytest.mark.parametrize("place", ["nothing", "link", "folder", "pipe"])
def test_another_thing_in_the_place_of_a_file_is_damage(record, place):
    path = record.path(WEIGHTS_FILE)
    path.unlink()
    put(place, path)
    assert WEIGHTS_FILE in record.find_mismatch(verify_contents=True)


def without(values, *keys):
    return {key: value for key, value in values.items() if key not in keys}


def test_only_what_has_the_form_of_a_manifest_is_one(record):
    sound = record.read_manifest()
    assert is_manifest(sound)
    fingerprint = sound["files"][RUN_FILE]
    bad_files = [
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
    bad = [None, [], {}, without(sound, "files"), sound | {"outcome": "running"}]
    bad += [sound | {"files": files} for files in bad_files]
    bad += [sound | {PROBES_FILE: probes} for probes in (None, {}, [1], "abc")]
    assert not any(map(is_manifest, bad))
    assert is_manifest(without(sound, PROBES_FILE))  # of the first release
    for values in bad:
        record.path(ATTEMPTS_FILE).unlink()
        record.append(ATTEMPTS_FILE, {"attempt": 1, "manifest": values})
        record.path(DONE_FILE).unlink(missing_ok=True)
        assert not record.restore_manifest()
        if isinstance(values, dict):
            record.write(DONE_FILE, encode_document({"schema_version": 2, **values}))
            assert record.read_manifest() is None
            assert record.outcome() is None


def test_a_missing_done_is_restored_from_the_last_line(record):
    """Killed between the two."""
    content = record.path(DONE_FILE).read_bytes()
    record.path(DONE_FILE).unlink()
    assert record.restore_manifest()
    assert record.path(DONE_FILE).read_bytes() == content


def test_rows_of_probes_that_are_gone_are_counted(record):
    """A file that is cut between two lines holds sound lines only."""
    assert record.count_lost_probes() == 0
    line = encode_row({"iteration": 0})
    assert record.path(PROBES_FILE).read_bytes().startswith(line)
    record.path(PROBES_FILE).write_bytes(line)
    assert record.count_lost_probes() == 1
    assert record.count_corrupt_lines(PROBES_FILE) == 0
    record.path(PROBES_FILE).unlink()
    assert record.count_lost_probes() == 2


def test_a_run_json_of_the_first_release_that_was_changed_is_written_anew(record):
    """It carries no checksum of its own, but DONE has one of it."""
    old = b'{"run_id": "plain-d20-s0-00000000", "schema_version": 1}'
    manifest = without(record.read_manifest(), "sha256")
    manifest["files"][RUN_FILE] = record.write(RUN_FILE, old)
    record.write(DONE_FILE, encode_document(manifest))
    assert record.write_metadata({"run_id": record.run_id}) == manifest["files"][RUN_FILE]
    record.path(RUN_FILE).write_bytes(old.replace(b"d20", b"d56"))
    record.write_metadata({"run_id": record.run_id})
    assert decode_document(record.path(RUN_FILE).read_bytes()) == (
        {"run_id": record.run_id, "schema_version": 2},
        True,
    )
    assert RUN_FILE in record.find_mismatch()  # so that the run is trained anew


@pytest.mark.parametrize(
    "content",
    [
        encode_row({"mark": "../../../precious"}),
        encode_row({"mark": "ABCDEF"}),
        encode_row({"mark": ["abc123"]}),
        encode_row({"x": 1}),
        b"zzzzzz",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_mark_is_six_digits_and_nothing_else(tmp_path, content):
    (tmp_path / TOKEN_FILE).write_bytes(content)
    mark = root_token(tmp_path)
    assert len(mark) == 6
    assert set(mark) <= set("0123456789abcdef")
    assert root_token(tmp_path) == mark


def test_a_mark_of_the_first_release_stays(tmp_path):
    (tmp_path / TOKEN_FILE).write_bytes(b"ab12cd")
    assert root_token(tmp_path) == "ab12cd"


@pytest.mark.parametrize("place", ["nothing", "link", "folder", "pipe"])
def test_what_is_no_lock_is_held_by_nobody(tmp_path, place):
    path = tmp_path / "lock"
    put(place, path)
    assert not is_held(path)


def test_a_lock_is_not_blamed_for_what_is_raised_while_it_is_held(tmp_path):
    inside = LockTimeout("inside")
    with pytest.raises(LockTimeout) as raised, hold(tmp_path / "lock", 0.0):
        raise inside
    assert raised.value is inside
    assert not is_held(tmp_path / "lock")


def test_a_row_checksum_is_that_of_its_line():
    row = {"iteration": 3, "loss": 0.25}
    assert f'"{row_checksum(row)}"'.encode() in encode_row(row)
