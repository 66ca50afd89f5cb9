"""Published records of two runs that are written by hand."""

import zipfile

from degradation.numerical_code import hash_numerical_code
from degradation.records.archive import encode_archive
from degradation.records.manifest import build_manifest
from degradation.records.publication import build_published_files
from degradation.records.record import Record
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    LANDSCAPE_DIR,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    WEIGHTS_FILE,
    State,
)
from degradation.records.trained_code import CodeState, Relation, build_code_row
from degradation.run_metadata import build_probe_row
from tests.support.records import write_record

RUN_IDS = ("plain-20", "residual-20")
HOST = "trainer-17"
POINT = {
    "shape": "line",
    "x": 0.0,
    "y": 0.0,
    "points": 3,
    "reach": 1.0,
    "pictures": None,
    "directions": 0,
    "loss": 0.25,
    "error": 1.5,
    "device": "cpu",
}


def write_full_record(root, run_id, outcome=State.DONE):
    """Write a record with every file that a finished run can have, and return it."""
    write_record(root, run_id, errors=(30.0, 20.0, 10.0), family=run_id.partition("-")[0])
    record = Record(root, run_id)
    code = build_code_row(hash_numerical_code("basic", "digits"), Relation.TRAINED)
    record.append(CODE_FILE, code | {"environment": {"device": "cpu", "processor": "a1b2"}})
    table = {"layer": [1, 2], "kernel": [3, 3], "deviation": [0.5, None]}
    probes = [build_probe_row("responses", iteration, 8, "cpu", table) for iteration in (0, 120)]
    record.rewrite_rows(PROBES_FILE, probes)
    record.rewrite_rows(f"{LANDSCAPE_DIR}/001-of-001.jsonl", [POINT])
    files = {
        RUN_FILE: record.write_metadata(record.read_metadata()),
        WEIGHTS_FILE: record.write(WEIGHTS_FILE, b"weights"),
    }
    manifest = build_manifest(outcome, 120, files, record.valid_prefix(METRICS_FILE), probes)
    record.rewrite_rows(ATTEMPTS_FILE, list_attempts(outcome, manifest))
    record.finish(manifest)
    return record


def list_attempts(outcome, manifest):
    """Return the rows of an attempt that failed, and of the one that finished."""
    start = {
        "device": "cpu",
        "threads": 2,
        "commit": "c",
        "versions": {"torch": "2.0"},
        "host": HOST,
        "process": 41,
        "boot": "0b00",
    }
    end = {"attempt": 2, "end": 15.0, "seconds": 4.0, "iteration": 120, "outcome": str(outcome)}
    reason = {"reason": "the loss is not finite"} if outcome is State.DIVERGED else {}
    return [
        start | {"attempt": 1, "start": 5.0},
        {"attempt": 1, "end": 6.0, "outcome": "failed", "reason": "/data/runs: No space left"},
        start | {"attempt": 2, "start": 10.0},
        end | reason | {"manifest": manifest},
    ]


def publish_records(root, run_ids=RUN_IDS, code_state=CodeState.CURRENT):
    """Return the published files of some records, by run id and name."""
    return {run_id: build_published_files(Record(root, run_id), code_state) for run_id in run_ids}


def write_archive(folder):
    """Write the records of RUN_IDS and their archive; return (root, archive)."""
    root, path = folder / "runs", folder / "records.zip"
    for run_id in RUN_IDS:
        write_full_record(root, run_id)
    path.write_bytes(encode_archive(publish_records(root)))
    return root, path


def read_tables(path):
    """Return the content of each table by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_tables(path, tables):
    """Write a zip file of these tables, which may be damaged."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tables.items():
            archive.writestr(name, content)
    return path
