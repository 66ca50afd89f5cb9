"""Records are atomic, append-only and verified, and their state is derived from the files."""

import json
import os
import subprocess
import sys

import pytest

from degradation.checksums import encode_document
from degradation.records.manifest import build_manifest, fingerprint
from degradation.records.record import Record, RecordLocked
from degradation.records.root import list_run_ids, root_token
from degradation.records.row_integrity import decode_row, encode_row
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    LANDSCAPE_DIR,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    WEIGHTS_FILE,
    RecordError,
    State,
)

ROWS = [
    {"iteration": 40, "lr": 0.1, "test/error": 12.345678901234567},
    {"iteration": 80, "lr": 0.01, "test/error": 0.0},
]


@pytest.fixture
def record(tmp_path):
    record = Record(tmp_path, "plain-d20-s0-00000000")
    record.write_metadata({"run_id": record.run_id})
    for row in ROWS:
        record.append(METRICS_FILE, row)
    return record


def finish(record, outcome=State.DONE):
    """Finish a record as run.py does: with the fingerprints of the files when they were written."""
    files = {
        RUN_FILE: fingerprint(record.path(RUN_FILE).read_bytes()),
        WEIGHTS_FILE: record.write(WEIGHTS_FILE, b"weights"),
    }
    files["snapshots/00000040.pt"] = record.write("snapshots/00000040.pt", b"snapshot")
    probes = record.valid_prefix(PROBES_FILE)
    manifest = build_manifest(outcome, 80, files, record.valid_prefix(METRICS_FILE), probes)
    record.finish(manifest)
    return manifest


def test_row_is_read_back_exactly():
    for row in ROWS:
        assert decode_row(encode_row(row)) == row


def test_row_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        encode_row({"loss": float("nan")})


def test_truncated_row_is_dropped_at_every_length(record):
    content = record.path(METRICS_FILE).read_bytes()
    first_row = len(encode_row(ROWS[0]))
    for length in range(len(content)):
        record.path(METRICS_FILE).write_bytes(content[:length])
        assert record.valid_prefix(METRICS_FILE) == (ROWS[:1] if length >= first_row else [])


def test_any_changed_byte_of_a_row_is_detected():
    line = encode_row(ROWS[0])
    for position in range(len(line)):
        changed = bytearray(line)
        changed[position] ^= 1
        assert decode_row(bytes(changed)) is None


def test_rows_after_a_corrupt_one_are_dropped(record):
    content = record.path(METRICS_FILE).read_bytes().replace(b'"lr":0.1', b'"lr":0.2')
    record.path(METRICS_FILE).write_bytes(content)
    assert record.valid_prefix(METRICS_FILE) == []


def test_rewrite_rows_truncates_and_keeps_bytes(record):
    before = record.path(METRICS_FILE).read_bytes()
    record.rewrite_rows(METRICS_FILE, ROWS)
    assert record.path(METRICS_FILE).read_bytes() == before
    record.rewrite_rows(METRICS_FILE, ROWS[:1])
    assert record.valid_prefix(METRICS_FILE) == ROWS[:1]


def test_failed_write_leaves_only_the_old_file(record, monkeypatch):
    record.write(WEIGHTS_FILE, b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        record.write(WEIGHTS_FILE, b"new")
    assert record.path(WEIGHTS_FILE).read_bytes() == b"old"
    assert not list(record.folder.glob(".tmp-*"))


def test_leftovers_of_a_landscape_are_removed_by_their_own_job(record):
    """A job of another part may be writing them: it holds only the lock of its own file."""
    part, other_part = f"{LANDSCAPE_DIR}/001-of-002.jsonl", f"{LANDSCAPE_DIR}/002-of-002.jsonl"
    leftovers = {
        name: record.path(f"{folder}.tmp-{file}-12345678")
        for name, folder, file in [
            (METRICS_FILE, "", METRICS_FILE),
            (part, f"{LANDSCAPE_DIR}/", "001-of-002.jsonl"),
            (other_part, f"{LANDSCAPE_DIR}/", "002-of-002.jsonl"),
        ]
    }
    record.path(LANDSCAPE_DIR).mkdir()
    for path in leftovers.values():
        path.touch()
    record.remove_leftovers()
    assert [name for name, path in leftovers.items() if path.exists()] == [part, other_part]
    record.remove_leftovers_of(part)
    assert [name for name, path in leftovers.items() if path.exists()] == [other_part]


def test_state_follows_from_the_files(tmp_path, record):
    assert Record(tmp_path, "absent").state() is State.MISSING
    record.append(ATTEMPTS_FILE, {"attempt": 1, "start": 0})
    assert record.state() is State.PARTIAL
    record.append(ATTEMPTS_FILE, {"attempt": 1, "end": 1, "outcome": "failed", "reason": "because"})
    assert record.state() is State.FAILED
    record.write(CHECKPOINT_FILE, b"state")
    finish(record)
    assert record.state() is State.DONE
    assert not record.path(CHECKPOINT_FILE).exists()


@pytest.mark.parametrize("name", [METRICS_FILE, RUN_FILE])
def test_changed_finished_record_is_unfinished(record, name):
    record.append(ATTEMPTS_FILE, {"attempt": 1, "start": 0})
    finish(record)
    content = bytearray(record.path(name).read_bytes())
    content[len(content) // 2] ^= 1
    record.path(name).write_bytes(content)
    assert record.outcome() is None
    assert record.state() is State.PARTIAL


def test_discarded_result_takes_its_landscape_along(record):
    """It was measured around weights that will be replaced."""
    finish(record)
    record.path(LANDSCAPE_DIR).mkdir()
    record.append(f"{LANDSCAPE_DIR}/0-of-1.jsonl", {"shape": "line"})
    record.discard_result()
    assert record.outcome() is None
    assert not record.path(LANDSCAPE_DIR).exists()
    record.discard_result()  # there is nothing left


def test_changed_weights_are_not_read(record):
    finish(record)
    record.path(WEIGHTS_FILE).write_bytes(b"wEights")
    with pytest.raises(RecordError, match=r"weights\.pt: its checksum differs"):
        record.read(WEIGHTS_FILE)


def test_lock_is_seen_by_others_and_ends_with_its_holder(record):
    record.append(ATTEMPTS_FILE, {"attempt": 1, "start": 0})
    code = (
        "import sys; from degradation.records.record import Record\n"
        f"with Record({str(record.root)!r}, {record.run_id!r}).lock():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert record.state() is State.RUNNING
        with pytest.raises(RecordLocked, match="another process"), record.lock(timeout=0):
            pass
        holder.kill()
        holder.wait()
        assert record.state() is State.PARTIAL


def test_run_json_is_written_once(tmp_path):
    record = Record(tmp_path, "plain-d20-s0-00000000")
    metadata = {"run_id": record.run_id, "census": {"parameters": 1}}
    record.write_metadata(metadata)
    content = record.path(RUN_FILE).read_bytes()
    for other in ({"census": {"parameters": 2}}, {"run_id": "another"}):
        with pytest.raises(RecordError, match="other values"):
            record.write_metadata(metadata | other)
    # A later release writes more keys.
    record.write_metadata(metadata | {"census": {"parameters": 1, "activations": 3}})
    assert record.path(RUN_FILE).read_bytes() == content


@pytest.mark.parametrize(
    "content", [encode_document({"schema_version": 99}), b'{"schema_version": 99}']
)
def test_unknown_schema_version_is_refused(record, content):
    for name in (RUN_FILE, DONE_FILE):
        record.write(name, content)
    for read in (
        record.read_metadata,
        record.state,
        lambda: record.write_metadata({"run_id": record.run_id}),
    ):
        with pytest.raises(
            RecordError, match=r"schema version 99, this code reads 2; read it with the release"
        ):
            read()


def test_manifest_lists_every_file(record):
    finish(record, State.DIVERGED)
    assert set(record.read_manifest()["files"]) == {
        RUN_FILE,
        METRICS_FILE,
        WEIGHTS_FILE,
        "snapshots/00000040.pt",
    }
    assert json.loads(record.path(DONE_FILE).read_text())["outcome"] == "diverged"


def test_record_roots_have_different_tokens(tmp_path):
    assert root_token(tmp_path / "a") == root_token(tmp_path / "a") != root_token(tmp_path / "b")


def test_list_run_ids_lists_records_only(record):
    (record.root / "wandb").mkdir()
    assert list_run_ids(record.root) == [record.run_id]
