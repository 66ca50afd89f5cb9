"""One look at a record: each file is read once, and what was checked is what is shown."""

import pytest

from degradation.records import record as record_module
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
    """A run that is over."""
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


def ask(look):
    """All that a table of runs asks."""
    return (
        look.state(),
        look.read_metadata(),
        look.read_unverified(METRICS_FILE),
        look.find_mismatch(),
        look.count_lost_probes(),
    )


def test_each_file_is_read_once(record, monkeypatch):
    read, real = [], record_module.read_file

    def counted(path):
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(record_module, "read_file", counted)
    ask(CachedRecord(record.root, record.run_id))
    assert sorted(read) == sorted([DONE_FILE, RUN_FILE, METRICS_FILE, PROBES_FILE])


def test_a_look_says_what_the_record_says(record):
    assert ask(CachedRecord(record.root, record.run_id)) == ask(record)


def test_what_changes_after_the_check_is_not_shown(record):
    look = CachedRecord(record.root, record.run_id)
    found = ask(look)
    for name in (METRICS_FILE, RUN_FILE, DONE_FILE, PROBES_FILE):
        record.path(name).write_bytes(b"x")
    assert ask(look) == found
    assert CachedRecord(record.root, record.run_id).state() is State.MISSING


def test_what_was_not_there_is_not_there_later(record):
    content = record.path(DONE_FILE).read_bytes()
    record.path(DONE_FILE).unlink()
    look = CachedRecord(record.root, record.run_id)
    assert look.outcome() is None
    record.path(DONE_FILE).write_bytes(content)
    assert look.outcome() is None
    assert "missing or corrupt" in look.find_mismatch()
    assert record.outcome() is State.DONE


def test_a_link_is_refused_again_and_again(record):
    record.path(RUN_FILE).unlink()
    record.path(RUN_FILE).symlink_to("/dev/zero")
    look = CachedRecord(record.root, record.run_id)
    for _ in range(2):
        with pytest.raises(RecordError, match=r"run\.json: cannot be read"):
            look.read_metadata()
