"""A cached record reads each file once, so what it verifies is what it returns."""

import pytest

from degradation.records import record_files
from degradation.records.cached_reader import CachedRecord
from degradation.records.manifest import build_manifest
from degradation.records.record import Record
from degradation.records.schema import (
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    RecordError,
    State,
)


@pytest.fixture
def record(tmp_path):
    """The record of a finished run."""
    record = Record(tmp_path, "plain-d20-s0-00000000")
    files = {RUN_FILE: record.write_metadata({"run_id": record.run_id})}
    record.append(METRICS_FILE, {"iteration": 40})
    record.append(PROBES_FILE, {"iteration": 0})
    record.finish(
        build_manifest(
            State.DONE,
            40,
            files,
            record.valid_prefix(METRICS_FILE),
            record.valid_prefix(PROBES_FILE),
        )
    )
    return record


def read_everything(record):
    """Return everything that a table of runs reads."""
    return (
        record.state(),
        record.read_metadata(),
        record.read_unverified(METRICS_FILE),
        record.find_mismatch(),
        record.count_lost_probes(),
    )


def test_each_file_is_read_once(record, monkeypatch):
    names, read_file = [], record_files.read_file

    def read_and_note(path):
        names.append(path.name)
        return read_file(path)

    monkeypatch.setattr(record_files, "read_file", read_and_note)
    read_everything(CachedRecord(record.root, record.run_id))
    assert sorted(names) == sorted([DONE_FILE, RUN_FILE, METRICS_FILE, PROBES_FILE])


def test_cached_record_returns_what_the_record_does(record):
    assert read_everything(CachedRecord(record.root, record.run_id)) == read_everything(record)


def test_later_changes_are_not_seen(record):
    cached = CachedRecord(record.root, record.run_id)
    before = read_everything(cached)
    for name in (METRICS_FILE, RUN_FILE, DONE_FILE, PROBES_FILE):
        record.path(name).write_bytes(b"x")
    assert read_everything(cached) == before
    assert CachedRecord(record.root, record.run_id).state() is State.MISSING


def test_missing_file_stays_missing(record):
    content = record.path(DONE_FILE).read_bytes()
    record.path(DONE_FILE).unlink()
    cached = CachedRecord(record.root, record.run_id)
    assert cached.outcome() is None
    record.path(DONE_FILE).write_bytes(content)
    assert cached.outcome() is None
    assert "missing or corrupt" in cached.find_mismatch()
    assert record.outcome() is State.DONE


def test_link_is_refused_every_time(record):
    record.path(RUN_FILE).unlink()
    record.path(RUN_FILE).symlink_to("/dev/zero")
    cached = CachedRecord(record.root, record.run_id)
    for _ in range(2):
        with pytest.raises(RecordError, match=r"run\.json: cannot be read"):
            cached.read_metadata()
