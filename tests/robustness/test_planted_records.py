"""Corrupt records, and meaningless ones with valid checksums, are excluded and named."""

import copy
import os
import random

import pytest

from analysis.claims import judge
from analysis.frame import load
from analysis.query import load_where
from degradation.checksums import encode_document
from degradation.records import row_validation
from degradation.records.manifest import build_manifest
from degradation.records.record import Record
from degradation.records.row_integrity import encode_row
from degradation.records.schema import (
    ATTEMPTS_FILE,
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    SCHEMA_VERSION,
    RecordError,
    State,
)
from degradation.registry import PROBES as PROBE_REGISTRY

HTML = "<script>alert('x')</script>\"</pre>{{7*7}}"
TABLE = {"layer": [1, 2], "kernel": [3, 3], "deviation": [0.5, None]}
PROBE = {"probe": "responses", "iteration": 40, "pictures": 8, "device": "cpu", "table": TABLE}
POINT = {
    "shape": "line",
    "x": -1.0,
    "y": 0.0,
    "points": 3,
    "reach": 1.0,
    "pictures": None,
    "directions": 0,
    "device": "cpu",
    "loss": 0.5,
    "error": 3.0,
}
START = {"attempt": 1, "start": 10.0, "device": "cpu", "commit": "c", "versions": {"torch": "2"}}


def build_metadata(name, seed=0, family="plain"):
    config = {
        "model": {"depth": 20, "shortcut": "none"},
        "seed": seed,
        "data": {"name": "digits"},
        "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
    }
    census = {"parameters": 1, "multiply_adds": 2, "activations": 3}
    data = {"name": "digits", "classes": 10}
    return {"run_id": name, "family": family, "config": config, "data": data, "census": census}


def row(iteration, error=10.0):
    return {
        "iteration": iteration,
        "train/clean_error": error,
        "train/clean_loss": 0.1,
        "test/error": error,
        "lr": 0.1,
    }


def lines(*rows):
    return b"".join(map(encode_row, rows))


def write(root, name, metadata=None, outcome=State.DONE, end=None, **files):
    """Write a record as training does, with a manifest that matches whatever it contains.

    `files` replaces the content of files, by their names without suffix.
    """
    record = Record(root, name)
    values = build_metadata(name) if metadata is None else metadata
    document = encode_document({"schema_version": SCHEMA_VERSION, **values})
    fingerprints = {RUN_FILE: record.write(RUN_FILE, document)}
    record.write(
        ATTEMPTS_FILE,
        files.get("attempts")
        or lines(START, {"end": 15.0, "outcome": str(outcome), **(end or {})}),
    )
    rows = [row(40), row(80), row(120)]
    record.write(METRICS_FILE, files.get("metrics") or lines(*rows))
    record.write(PROBES_FILE, files.get("probes") or lines(PROBE, PROBE | {"iteration": 120}))
    record.write(
        "landscape/001-of-001.jsonl",
        files.get("landscape") or lines(*(POINT | {"x": x} for x in (-1, 0, 1))),
    )
    if outcome in (State.DONE, State.DIVERGED):
        manifest = build_manifest(outcome, 120, fingerprints, rows, [])
        manifest["files"][METRICS_FILE] = record.write(
            METRICS_FILE, record.path(METRICS_FILE).read_bytes()
        )
        record.finish(manifest)
    return {"run_id": name}


def change(metadata, key, value):
    """Return a copy with the value of a dotted key replaced or removed."""
    copied = copy.deepcopy(metadata)
    *groups, last = key.split(".")
    holder = copied
    for group in groups:
        holder = holder[group]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return copied


MISSING = object()
DEEP = {"a": None}
for _ in range(300):
    DEEP = {"a": DEEP}
PARENTS = {"seed": 1}
for _ in range(500):
    PARENTS = {"parent": PARENTS}
INVALID_METADATA = [
    ("run_id", "other"),
    ("run_id", MISSING),
    ("family", HTML),
    ("family", None),
    ("family", ["plain"]),
    ("data", "digits"),
    ("data.classes", MISSING),
    ("data.classes", 1),
    ("data.classes", "10"),
    ("data.classes", True),
    ("census", []),
    ("census.parameters", "many"),
    ("census.parameters", -1),
    ("census.parameters", 10**400),
    ("config", MISSING),
    ("config", [1]),
    ("config.model", None),
    ("config.model.depth", "20"),
    ("config.model.depth", MISSING),
    ("config.model.depth", -20),
    ("config.model.depth", 10**9),
    ("config.model.shortcut", HTML),
    ("config.seed", 0.5),
    ("config.seed", None),
    ("config.seed", 2**70),
    ("config.data.name", "<b>"),
    ("config.data.name", "../.."),
    ("config.schedule", {}),
    ("config.schedule.iterations", 10**12),
    ("config.schedule.evaluate_every", 0),
    ("config.schedule.milestones", "abc"),
    ("config.schedule.milestones", ["a"]),
    ("config.optim", {"lr": "fast"}),
    ("config.optim", {"lr": -1}),
    ("config.strange", {"a": [1]}),
    ("config.strange", "two\nlines"),
    ("config.strange", dict.fromkeys(map(str, range(600)), 1)),
    ("config.strange", DEEP),
    ("config.parent", PARENTS),
    ("config.parent", {"parent": {"seed": 1}}),
    ("config.model.parent", {"seed": 1}),
]


@pytest.mark.parametrize(("key", "value"), INVALID_METADATA)
def test_run_json_with_an_invalid_value_is_excluded(tmp_path, key, value):
    write(tmp_path, "valid")
    write(tmp_path, "planted", change(build_metadata("planted"), key, value))
    frame = load_where(tmp_path, None)
    assert frame.runs["run_id"].tolist() == ["valid"]
    (line,) = frame.excluded
    assert line.startswith(f"planted: failed, {tmp_path / 'planted' / RUN_FILE}: ")
    assert line.isprintable()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"7", b'"x"', b"[" * 100_000, b"{" * 9, b"\xff", b"NaN"]
)
def test_run_json_that_is_no_document_is_excluded(tmp_path, content):
    write(tmp_path, "valid")
    Record(tmp_path, "planted").write(RUN_FILE, content)
    frame = load_where(tmp_path, None)
    assert frame.runs["run_id"].tolist() == ["valid"]
    assert [line.split(":")[0] for line in frame.excluded] == ["planted"]


def test_requested_run_is_shown_without_its_record(tmp_path):
    write(tmp_path, "a", change(build_metadata("a"), "data.classes", 0))
    frame = load(tmp_path, [build_metadata("a")])
    assert frame.runs.loc[0, ["state", "depth"]].tolist() == ["failed", 20]
    assert "data.classes" in frame.runs.loc[0, "reason"]
    assert "data.classes" in frame.excluded[0]


def test_record_under_the_id_of_another_config_is_excluded(tmp_path):
    name = "plain-d20-s0-00000000"
    write(tmp_path, name)
    with pytest.raises(RecordError, match="config does not match the hash in the run id"):
        load_where(tmp_path, None)


@pytest.mark.parametrize("planted", ["link", "pipe", "folder"])
@pytest.mark.parametrize("name", [RUN_FILE, METRICS_FILE, PROBES_FILE, ATTEMPTS_FILE])
def test_link_pipe_or_folder_for_a_file_is_named(tmp_path, planted, name):
    write(tmp_path, "valid")
    write(tmp_path, "planted")
    path = tmp_path / "planted" / name
    path.unlink()
    if planted == "link":
        path.symlink_to(tmp_path / "valid" / name)
    elif planted == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    frame = load_where(tmp_path, None)
    assert "valid" in frame.runs["run_id"].tolist()
    assert any(line.startswith("planted: ") and name in line for line in frame.excluded)


INVALID_ROWS = [
    ("metrics", "3 of 3 lines (line 1: iteration is invalid)", [row("40"), row(80), row(120)]),
    (
        "metrics",
        "2 of 3 lines (line 2: train/clean_error is invalid)",
        [row(40), row(80, "low"), row(120)],
    ),
    (
        "metrics",
        "2 of 3 lines (line 2: test/error is missing)",
        [row(40), {"iteration": 80, "train/clean_error": 1}],
    ),
    ("metrics", "2 of 3 lines (line 2: iteration does not increase)", [row(40), row(40), row(120)]),
    (
        "metrics",
        "2 of 3 lines (line 2: train/clean_error is invalid)",
        [row(40), row(80, 101.0), row(120)],
    ),
    (
        "metrics",
        "2 of 3 lines (line 2: a key is unknown)",
        [row(40), row(80) | {"state": "done"}, row(120)],
    ),
    ("metrics", "2 of 3 lines (line 2: lr is invalid)", [row(40), row(80) | {"lr": [1]}, row(120)]),
    (
        "attempts",
        "1 of 3 lines (line 1: device is invalid)",
        [START | {"device": 7}, START, {"end": 15.0}],
    ),
    ("attempts", "1 of 3 lines (line 2: end is missing)", [START, {"a": 1}, {"end": 15.0}]),
    (
        "attempts",
        "1 of 3 lines (line 2: reason is invalid)",
        [START, {"end": 1, "reason": {"a": 1}}, {"end": 15.0}],
    ),
    (
        "attempts",
        "1 of 3 lines (line 1: versions is invalid)",
        [START | {"versions": [1]}, START, {"end": 15.0}],
    ),
    ("probes", "1 of 3 lines (line 3: is a duplicate)", [PROBE, PROBE | {"iteration": 120}, PROBE]),
    ("probes", "1 of 2 lines (line 1: table is invalid)", [PROBE | {"table": 7}, PROBE]),
    ("probes", "1 of 2 lines (line 1: table is invalid)", [PROBE | {"table": {"layer": 7}}, PROBE]),
    (
        "probes",
        "1 of 2 lines (line 1: table is invalid)",
        [PROBE | {"table": {"layer": [[1]]}}, PROBE],
    ),
    (
        "probes",
        "1 of 2 lines (line 1: table has no rows)",
        [PROBE | {"table": {"a": [1], "b": [1, 2]}}, PROBE],
    ),
    (
        "probes",
        "1 of 2 lines (line 1: column kernel is missing or invalid)",
        [PROBE | {"table": {"layer": [1]}}, PROBE],
    ),
    ("landscape", "1 of 2 lines (line 2: x is not on the grid)", [POINT, POINT | {"x": 0.3}]),
    ("landscape", "1 of 2 lines (line 2: points is invalid)", [POINT, POINT | {"points": 0}]),
    ("landscape", "1 of 2 lines (line 2: reach is invalid)", [POINT, POINT | {"reach": 0}]),
    ("landscape", "1 of 2 lines (line 2: pictures is invalid)", [POINT, POINT | {"pictures": [1]}]),
]


@pytest.mark.parametrize(("file", "problem", "rows"), INVALID_ROWS)
def test_meaningless_rows_are_excluded_and_counted(tmp_path, file, problem, rows):
    write(tmp_path, "valid")
    total = int(problem.split()[2])
    write(tmp_path, "planted", **{file: lines(*rows, *[row(120)] * (total - len(rows)))})
    frame = load_where(tmp_path, None)
    name = "landscape/001-of-001.jsonl" if file == "landscape" else f"{file}.jsonl"
    assert frame.excluded == (f"planted: {name}, {problem}",)
    assert frame.runs["run_id"].tolist() == ["planted", "valid"]


def test_done_run_without_valid_metrics_counts_as_failed(tmp_path):
    write(tmp_path, "a", metrics=lines({"iteration": 1}))
    runs = load_where(tmp_path, None).runs
    assert runs.loc[0, "state"] == "failed"
    assert runs.loc[0, "reason"].endswith("metrics.jsonl has no valid rows")


@pytest.mark.parametrize("file", ["attempts", "metrics", "probes", "landscape"])
def test_truncated_lines_are_counted(tmp_path, file):
    write(tmp_path, "a")
    write(tmp_path, "b", build_metadata("b", seed=1), outcome=State.FAILED)
    name = "landscape/001-of-001.jsonl" if file == "landscape" else f"{file}.jsonl"
    # Probes and landscapes are only read of runs that are done.
    run = "a" if file in ("probes", "landscape") else "b"
    content = (tmp_path / run / name).read_bytes()
    (tmp_path / run / name).write_bytes(content[:-5])
    frame = load_where(tmp_path, None)
    count = content.count(b"\n")
    assert frame.excluded == (
        f"{run}: {name}, 1 of {count} lines (line {count}: corrupt or truncated)",
    )


@pytest.mark.parametrize("name", [METRICS_FILE, DONE_FILE])
def test_corrupt_finished_run_is_named(tmp_path, name):
    write(tmp_path, "a")
    content = (tmp_path / "a" / name).read_bytes()
    (tmp_path / "a" / name).write_bytes(content[:-1] + b" ")
    frame = load_where(tmp_path, None)
    assert frame.runs.loc[0, "state"] == "partial"
    problem = "its checksum differs from the one in DONE"
    if name == DONE_FILE:
        problem = "missing or corrupt"
    assert (
        frame.excluded[0]
        == f"a: {tmp_path / 'a' / name}: {problem}; it counts as partial until it is retrained"
    )


def test_metrics_after_a_corrupt_row_are_excluded(tmp_path):
    corrupt = lines(row(40))[:-9] + b"\n" + lines(row(80), row(120))
    write(tmp_path, "a", outcome=State.FAILED, metrics=corrupt)
    assert load_where(tmp_path, None).excluded == (
        "a: metrics.jsonl, 3 of 3 lines (line 1: corrupt or truncated)",
    )


def test_iteration_of_divergence_and_failure_is_shown(tmp_path):
    write(tmp_path, "a")
    write(
        tmp_path,
        "b",
        build_metadata("b", 1),
        State.DIVERGED,
        {"iteration": 7},
        metrics=lines(row(40)),
    )
    write(
        tmp_path,
        "c",
        build_metadata("c", 2),
        State.FAILED,
        {"iteration": 1234, "reason": "OutOfMemoryError: 3 GiB"},
    )
    # An earlier release did not record the iteration.
    write(tmp_path, "d", build_metadata("d", 3), State.DIVERGED, metrics=lines(row(40)))
    frame = load_where(tmp_path, None)
    assert frame.runs["ended_at"].fillna(-1).tolist() == [-1, 7, 1234, -1]
    evidence = [line for claim in judge(frame.runs, 2.0) for line in claim.evidence]
    assert (
        "1 of 4 plain runs has failed: c (at iteration 1,234: OutOfMemoryError: 3 GiB)" in evidence
    )


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        ({"end": 15.0}, 5.0),
        ({"end": 4.0}, 0.0),
        ({"end": 4.0, "seconds": 7.5}, 7.5),
        ({"end": 1e9, "seconds": 2}, 2.0),
    ],
    ids=["no jump", "set back", "set back, measured", "set forward, measured"],
)
def test_jumping_clock_gives_no_negative_duration(tmp_path, end, seconds):
    write(tmp_path, "a", attempts=lines(START, end))
    assert load_where(tmp_path, None).runs.loc[0, "seconds"] == seconds


def test_record_with_an_unprintable_name_is_excluded(tmp_path):
    write(tmp_path, "valid")
    write(tmp_path, "x\x1b[31m\n")
    frame = load_where(tmp_path, None)
    assert frame.excluded == (r"x\x1b[31m\n: failed, its folder's name is not a valid run id",)


VALUES = (
    None,
    True,
    -1,
    0,
    2,
    10**18,
    10**400,
    1e308,
    1e-320,
    "",
    HTML,
    "\ud800",
    [],
    ["a"],
    {"a": 1},
    [[1]],
)


def mutate(value, rng):
    """Return the value with one of the values in it replaced or removed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {name: entry for name, entry in value.items() if name != key}
        return value | {key: mutate(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        index = rng.randrange(len(value))
        return [*value[:index], mutate(value[index], rng), *value[index + 1 :]]
    return rng.choice(VALUES)


def test_frame_is_built_whatever_a_record_contains(tmp_path):
    """40 seeded changes of any value in any file, each with valid checksums."""
    rng = random.Random(0)
    write(tmp_path, "valid", build_metadata("valid", 5))
    for number in range(40):
        name = f"r{number:03d}"
        file = rng.choice(("run", "metrics", "attempts", "probes", "landscape"))
        if file == "run":
            metadata = mutate(build_metadata(name), rng)
            write(tmp_path, name, metadata if isinstance(metadata, dict) else {})
            continue
        rows = {
            "metrics": [row(40), row(80), row(120)],
            "attempts": [START, {"end": 15.0, "outcome": "done"}],
            "probes": [PROBE],
            "landscape": [POINT],
        }[file]
        changed_row = mutate(rng.choice(rows), rng)
        rows.append(changed_row if isinstance(changed_row, dict) else {})
        write(tmp_path, name, **{file: lines(*rows)})
    frame = load_where(tmp_path, None)
    assert "valid" in frame.runs["run_id"].tolist()
    assert len(frame.excluded) > 20
    assert all(line.isprintable() for line in frame.excluded)


def test_every_column_of_every_probe_is_checked():
    for name in PROBE_REGISTRY.names():
        columns = PROBE_REGISTRY.facts(name)["columns"]
        assert columns
        assert row_validation.column_checks(name).keys() == columns.keys()


def test_probe_tables_with_different_columns_are_merged(tmp_path):
    """A missing or null value is NaN; the types of the other values are retained."""
    tables = [
        {"a": [1, 2], "flag": [True, False], "none": [None, None]},
        {"a": [None], "late": ["x"], "flag": [True], "empty": []},
    ]
    for number, table in enumerate(tables):
        rows = lines(
            {
                "probe": "mine",
                "iteration": 120 * number,
                "pictures": number,
                "device": "cpu",
                "table": table,
            }
        )
        write(tmp_path, f"r{number}", build_metadata(f"r{number}", number), probes=rows)
    frame = load_where(tmp_path, None)
    assert frame.excluded == ()
    merged = frame.probes["mine"]
    assert merged[
        ["run_id", "seed", "iteration", "time_point", "pictures"]
    ].to_numpy().tolist() == [
        ["r0", 0, 0, "initialisation", 0],
        ["r0", 0, 0, "initialisation", 0],
        ["r1", 1, 120, "end", 1],
    ]
    assert merged["a"].fillna(-1).tolist() == [1.0, 2.0, -1.0]
    assert merged["late"].fillna("").tolist() == ["", "", "x"]
    assert merged["flag"].tolist() == [True, False, True]
    assert merged["none"].isna().all()
    assert merged["none"].dtype == merged["empty"].dtype == float
