"""What is published of a record: everything that reports read, nothing private, and only truths."""

import re
import zipfile
from dataclasses import replace

import pandas as pd
import pytest

from analysis.code_notes import (
    describe_outdated_runs,
    describe_published_runs,
    describe_unverified_runs,
)
from analysis.query import load_where
from degradation.config import CONF
from degradation.metrics import METRICS
from degradation.numerical_code import combine_hashes
from degradation.records import trained_code
from degradation.records.archive import encode_archive
from degradation.records.publication import find_private_text, list_private_names
from degradation.records.record import Record
from degradation.records.row_integrity import decode_row, encode_row
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    WEIGHTS_FILE,
    State,
)
from degradation.records.trained_code import CodeState, Relation, build_code_row
from degradation.registry import PROBES
from degradation.sweep import code_states
from degradation.sweep.runs import locate_run
from tests.support.archives import (
    HOST,
    POINT,
    RUN_IDS,
    publish_records,
    write_archive,
    write_full_record,
)

README = CONF.parent / "experiments/ledger/README.md"


@pytest.fixture
def record(tmp_path):
    """The original record of a finished run."""
    return write_full_record(tmp_path / "runs", RUN_IDS[0])


def publish(record, code_state=CodeState.CURRENT):
    """Return the published files of a record by name."""
    return publish_records(record.root, [record.run_id], code_state)[record.run_id]


def test_unpacked_record_is_finished_without_weights(record, tmp_path):
    files = publish(record)
    assert WEIGHTS_FILE not in files
    for name, content in files.items():
        Record(tmp_path / "unpacked", record.run_id).write(name, content)
    unpacked = Record(tmp_path / "unpacked", record.run_id)
    assert unpacked.outcome(verify_contents=True) is State.DONE
    manifest = unpacked.read_manifest()
    assert manifest["files"].keys() == files.keys() - {DONE_FILE}
    original = record.read_manifest()["files"]
    assert manifest["published"]["not_published"] == {WEIGHTS_FILE: original[WEIGHTS_FILE]}


def test_results_are_published_byte_for_byte(record):
    files = publish(record)
    for name in (RUN_FILE, METRICS_FILE, PROBES_FILE):
        assert files[name] == record.read_unverified(name)
    assert files["landscape/points.jsonl"] == record.read_unverified("landscape/001-of-001.jsonl")


def test_landscape_is_one_file(record):
    record.append("landscape/002-of-002.jsonl", POINT | {"x": 0.5})
    record.path("landscape/003-of-003.jsonl").touch()
    content = publish(record)["landscape/points.jsonl"]
    assert [decode_row(line)["x"] for line in content.splitlines(keepends=True)] == [0.0, 0.5]


def test_hosts_processes_and_failures_are_left_out(record):
    content = publish(record)[ATTEMPTS_FILE]
    rows = [decode_row(line) for line in content.splitlines(keepends=True)]
    for private in (HOST, "0b00", 'process"', "manifest", "No space left"):
        assert private.encode() not in content
    assert [row["attempt"] for row in rows] == [1, 1, 2, 2]
    assert (rows[2]["threads"], rows[3]["seconds"]) == (2, 4.0)


def test_reason_of_divergence_is_published(tmp_path):
    diverged = write_full_record(tmp_path / "runs", RUN_IDS[0], State.DIVERGED)
    assert b"the loss is not finite" in publish(diverged)[ATTEMPTS_FILE]


def test_trained_and_latest_code_are_published(record):
    latest = {"models/x.py": "b2"}
    for hashes in ({"models/x.py": "a0"}, {"models/x.py": "a1"}, latest):
        record.append(CODE_FILE, build_code_row(hashes, Relation.EQUAL))
    lines = publish(record)[CODE_FILE].splitlines(keepends=True)
    trained, equal = map(decode_row, lines)
    assert "models/network.py" in trained["files"]
    assert "processor" not in trained["environment"]
    assert equal["files"] == {}
    assert equal["code"] == combine_hashes(latest)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/srv/images", "attempts.jsonl contains a path, '/srv/images'"),
        ("cannot read ~/images", "contains a path"),
        (r"C:\images", "contains a path"),
        (f"on {HOST.upper()}", "contains the name of a host"),
        ("of my-team", "contains the name of a host, a user or an account, 'of my-team'"),
        ("images_my-team_2", "contains the name of a host, a user or an account"),
        (f"old-{HOST}", "contains the name of a host"),
        ("on login-3", "contains the name of a host"),
        ("on login-3.example.org", "contains the name of a host"),
        ("读取/srv/images", "contains a path"),
        ("数据C:\\images", "contains a path"),
        ("by jane.doe@example.org", "contains an e-mail address, 'by jane.doe@example.org'"),
        ("jäne+x@mail.example.de wrote it", "contains an e-mail address"),
        ("my-teams, login-31, numpy@1.26.0 and @cache", None),
        ("data/images on NVIDIA H100/PCIe", None),
    ],
)
def test_private_text_is_found(record, text, problem):
    record.append(ATTEMPTS_FILE, {"attempt": 3, "host": "login-3.example.org"})
    names = list_private_names(record, "my-team")
    reported = find_private_text({ATTEMPTS_FILE: encode_row({"reason": text})}, names)
    assert reported is problem is None or problem in reported
    assert find_private_text(publish(record), names) is None


def test_address_of_digits_is_not_shortened(record):
    record.append(ATTEMPTS_FILE, {"attempt": 3, "host": "192.0.2.7"})
    names = list_private_names(record, None)
    assert "192.0.2.7" in names
    assert "192" not in names


def load_published(record, code_state, tmp_path):
    """Return the runs of an archive of a record that is published in some state."""
    path = tmp_path / "records.zip"
    path.write_bytes(encode_archive(publish_records(record.root, [record.run_id], code_state)))
    return load_where(path, None).runs


@pytest.fixture
def changed_code(monkeypatch):
    """Return a function: the current code differs in one file from that of earlier records."""
    real = trained_code.hash_numerical_code

    def change():
        monkeypatch.setattr(
            trained_code,
            "hash_numerical_code",
            lambda *names: real(*names) | {"models/network.py": "0123"},
        )
        return real("basic", "digits") | {"models/network.py": "0123"}

    return change


@pytest.mark.parametrize(
    ("state", "comparison"),
    [
        (
            CodeState.CURRENT,
            "when they were published, it still reproduced their first updates",
        ),
        (
            CodeState.UNVERIFIED,
            "whether it still reproduced them when they were published was not compared",
        ),
    ],
)
def test_changed_code_keeps_the_published_state(record, tmp_path, changed_code, state, comparison):
    changed_code()
    runs = load_published(record, state, tmp_path)
    assert list(runs["code"]) == [state]
    assert describe_outdated_runs(runs) == describe_unverified_runs(runs) == []
    (note,) = describe_published_runs(runs)
    assert note == (
        f"these are published records; the code has changed since they were trained; {comparison}"
    )


def test_comparison_of_some_published_runs_is_counted():
    runs = pd.DataFrame({"code": ["current", "unverified", "outdated"], "published": "changed: x"})
    (note,) = describe_published_runs(runs)
    assert note.startswith("2 of these records are published; the code has changed since")
    assert note.endswith("it still reproduced the first updates of 1")


def test_unchanged_code_needs_no_note(record, tmp_path):
    runs = load_published(record, CodeState.CURRENT, tmp_path)
    assert list(runs["code"]) == [CodeState.CURRENT]
    assert describe_published_runs(runs) == []


@pytest.mark.parametrize(
    ("relation", "state"),
    [(Relation.EQUAL, CodeState.CURRENT), (Relation.DIFFERENT, CodeState.OUTDATED)],
)
def test_known_relation_to_changed_code_counts(record, tmp_path, changed_code, relation, state):
    record.append(CODE_FILE, build_code_row(changed_code(), relation))
    runs = load_published(record, CodeState.CURRENT, tmp_path)
    assert list(runs["code"]) == [state]
    assert describe_published_runs(runs) == []
    assert len(describe_outdated_runs(runs)) == (state is CodeState.OUTDATED)


def test_published_record_is_not_compared(tiny, tmp_path, changed_code, monkeypatch):
    changed_code()
    _, archive = write_archive(tmp_path)
    monkeypatch.setattr(code_states, "_ask", lambda *_: pytest.fail("torch is needed"))
    run = replace(locate_run(tiny()), record=Record(archive, RUN_IDS[0]))
    trained = code_states.verify_in_subprocess(run)
    assert trained.state is CodeState.CURRENT


def test_readme_reads_an_archive_with_pandas(tmp_path, monkeypatch):
    _, archive = write_archive(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    monkeypatch.setattr(
        zipfile, "ZipFile", lambda _path, zip_file=zipfile.ZipFile: zip_file(archive)
    )
    namespace = {}
    exec(code, namespace)
    curves = namespace["curves"]
    assert list(curves["run_id"]) == [RUN_IDS[0]] * 3 + [RUN_IDS[1]] * 3
    assert list(curves["train/clean_error"]) == [30.0, 20.0, 10.0] * 2


def test_readme_describes_every_column():
    text = README.read_text()
    for name in METRICS:
        assert f"`{name}`" in text
    for probe in PROBES.names():
        (row,) = re.findall(rf"^\| `{probe}` \| .*$", text, re.MULTILINE)
        assert [name for name in PROBES.facts(probe)["columns"] if f"`{name}`" not in row] == []
