"""One look at a record: each file is read once, and what was checked is what is shown."""

import pytest

from degradation.records import record as record_module
from degradation.records.cached_reader import CachedRecord
from degradation.records.manifest import manifest_of
from degradation.records.record import Record
from degradation.records.schema import DONE, METRICS, PROBES, RUN, RecordError, State


@pytest.fixture
def record(tmp_path):
    """A run that is over."""
    record = Record(tmp_path, "plain-d20-s0-00000000")
    files = {RUN: record.create({"run_id": record.run_id})}
    record.append(METRICS, {"iteration": 40})
    record.append(PROBES, {"iteration": 0})
    record.finish(manifest_of(State.DONE, 40, files, record.rows(METRICS), record.rows(PROBES)))
    return record


def ask(look):
    """All that a table of runs asks."""
    return (
        look.state(),
        look.describe(),
        look.unchecked(METRICS),
        look.find_mismatch(),
        look.lost_probes(),
    )


def test_each_file_is_read_once(record, monkeypatch):
    read, real = [], record_module.read_file

    def counted(path):
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(record_module, "read_file", counted)
    ask(CachedRecord(record.root, record.run_id))
    assert sorted(read) == sorted([DONE, RUN, METRICS, PROBES])


def test_a_look_says_what_the_record_says(record):
    assert ask(CachedRecord(record.root, record.run_id)) == ask(record)


def test_what_changes_after_the_check_is_not_shown(record):
    look = CachedRecord(record.root, record.run_id)
    found = ask(look)
    for name in (METRICS, RUN, DONE, PROBES):
        record.path(name).write_bytes(b"x")
    assert ask(look) == found
    assert CachedRecord(record.root, record.run_id).state() is State.MISSING


def test_what_was_not_there_is_not_there_later(record):
    content = record.path(DONE).read_bytes()
    record.path(DONE).unlink()
    look = CachedRecord(record.root, record.run_id)
    assert look.outcome() is None
    record.path(DONE).write_bytes(content)
    assert look.outcome() is None
    assert "missing or damaged" in look.find_mismatch()
    assert record.outcome() is State.DONE


def test_a_link_is_refused_again_and_again(record):
    record.path(RUN).unlink()
    record.path(RUN).symlink_to("/dev/zero")
    look = CachedRecord(record.root, record.run_id)
    for _ in range(2):
        with pytest.raises(RecordError, match=r"run\.json: cannot be read"):
            look.describe()
