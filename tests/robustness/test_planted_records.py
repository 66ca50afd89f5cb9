"""Records that are damaged, or whose checksums are right and whose content makes no sense: left out, and told."""

import copy
import os
import random

import pytest

from analysis.claims import judge
from analysis.frame import load, load_where
from degradation.durable_io import encode_document, encode_row
from degradation.records import row_validation
from degradation.records.manifest import build_manifest
from degradation.records.record import Record
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
    "shape": "line", "x": -1.0, "y": 0.0, "points": 3, "reach": 1.0, "pictures": None, "directions": 0,
    "device": "cpu", "loss": 0.5, "error": 3.0,
}  # fmt: skip
START = {"attempt": 1, "start": 10.0, "device": "cpu", "commit": "c", "versions": {"torch": "2"}}


def describe(name, seed=0, family="plain"):
    config = {
        "model": {"depth": 20, "shortcut": "none"}, "seed": seed, "data": {"name": "digits"},
        "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
    }  # fmt: skip
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


def write(root, name, description=None, outcome=State.DONE, end=None, **files):
    """A record as training leaves it, its manifest made of whatever it holds. `files`: by stem, their content."""
    record = Record(root, name)
    described = {
        "schema_version": SCHEMA_VERSION,
        **(describe(name) if description is None else description),
    }
    prints = {RUN_FILE: record.write(RUN_FILE, encode_document(described))}
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
        manifest = build_manifest(outcome, 120, prints, rows, [])
        manifest["files"][METRICS_FILE] = record.write(
            METRICS_FILE, record.path(METRICS_FILE).read_bytes()
        )
        record.finish(manifest)
    return {"run_id": name}


def changed(description, key, value):
    """With the value of a dotted key replaced, or taken away."""
    made = copy.deepcopy(description)
    *groups, last = key.split(".")
    holder = made
    for group in groups:
        holder = holder[group]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return made


MISSING = object()
DEEP = {"a": None}
for _ in range(300):
    DEEP = {"a": DEEP}
BAD_DESCRIPTIONS = [
    ("run_id", "other"), ("run_id", MISSING), ("family", HTML), ("family", None), ("family", ["plain"]),
    ("data", "digits"), ("data.classes", MISSING), ("data.classes", 1), ("data.classes", "10"), ("data.classes", True),
    ("census", []), ("census.parameters", "many"), ("census.parameters", -1), ("census.parameters", 10**400),
    ("config", MISSING), ("config", [1]), ("config.model", None), ("config.model.depth", "20"),
    ("config.model.depth", MISSING), ("config.model.depth", -20), ("config.model.depth", 10**9),
    ("config.model.shortcut", HTML), ("config.seed", 0.5), ("config.seed", None), ("config.seed", 2**70),
    ("config.data.name", "<b>"), ("config.data.name", "../.."), ("config.schedule", {}),
    ("config.schedule.iterations", 10**12), ("config.schedule.evaluate_every", 0),
    ("config.schedule.milestones", "abc"), ("config.schedule.milestones", ["a"]), ("config.optim", {"lr": "fast"}),
    ("config.optim", {"lr": -1}), ("config.strange", {"a": [1]}), ("config.strange", "two\nlines"),
    ("config.strange", dict.fromkeys(map(str, range(600)), 1)), ("config.strange", DEEP),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BAD_DESCRIPTIONS)
def test_a_run_json_that_makes_no_sense_is_left_out_and_told(tmp_path, key, value):
    write(tmp_path, "sound")
    write(tmp_path, "planted", changed(describe("planted"), key, value))
    frame = load_where(tmp_path, None)
    assert frame.runs["run_id"].tolist() == ["sound"]
    (told,) = frame.excluded
    assert told.startswith(f"planted: failed, {tmp_path / 'planted' / RUN_FILE}: ")
    assert told.isprintable()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"7", b'"x"', b"[" * 100_000, b"{" * 9, b"\xff", b"NaN"]
)
def test_a_run_json_of_any_other_kind_is_left_out_and_told(tmp_path, content):
    write(tmp_path, "sound")
    Record(tmp_path, "planted").write(RUN_FILE, content)
    frame = load_where(tmp_path, None)
    assert frame.runs["run_id"].tolist() == ["sound"]
    assert [told.split(":")[0] for told in frame.excluded] == ["planted"]


def test_a_grid_shows_the_run_whose_record_is_left_out(tmp_path):
    write(tmp_path, "a", changed(describe("a"), "data.classes", 0))
    frame = load(tmp_path, [describe("a")])
    assert frame.runs.loc[0, ["state", "depth"]].tolist() == ["failed", 20]
    assert "data.classes" in frame.runs.loc[0, "reason"]
    assert "data.classes" in frame.excluded[0]


def test_a_record_under_the_id_of_another_configuration_is_left_out(tmp_path):
    name = "plain-d20-s0-00000000"
    write(tmp_path, name)
    with pytest.raises(RecordError, match="config is not the one that the run's id is made of"):
        load_where(tmp_path, None)


@pytest.mark.parametrize("planted", ["link", "pipe", "folder"])
@pytest.mark.parametrize("name", [RUN_FILE, METRICS_FILE, PROBES_FILE, ATTEMPTS_FILE])
def test_a_link_or_a_pipe_in_place_of_a_file_is_told(tmp_path, planted, name):
    write(tmp_path, "sound")
    write(tmp_path, "planted")
    path = tmp_path / "planted" / name
    path.unlink()
    if planted == "link":
        path.symlink_to(tmp_path / "sound" / name)
    elif planted == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    frame = load_where(tmp_path, None)
    assert "sound" in frame.runs["run_id"].tolist()
    assert any(told.startswith("planted: ") and name in told for told in frame.excluded)


BAD_ROWS = [
    ("metrics", "3 of 3 lines (line 1: iteration is wrong)", [row("40"), row(80), row(120)]),
    ("metrics", "2 of 3 lines (line 2: train/clean_error is wrong)", [row(40), row(80, "low"), row(120)]),
    ("metrics", "2 of 3 lines (line 2: test/error is missing)", [row(40), {"iteration": 80, "train/clean_error": 1}]),
    ("metrics", "2 of 3 lines (line 2: iteration does not increase)", [row(40), row(40), row(120)]),
    ("metrics", "2 of 3 lines (line 2: train/clean_error is wrong)", [row(40), row(80, 101.0), row(120)]),
    ("metrics", "2 of 3 lines (line 2: a key is not known)", [row(40), row(80) | {"state": "done"}, row(120)]),
    ("metrics", "2 of 3 lines (line 2: lr is wrong)", [row(40), row(80) | {"lr": [1]}, row(120)]),
    ("attempts", "1 of 3 lines (line 1: device is wrong)", [START | {"device": 7}, START, {"end": 15.0}]),
    ("attempts", "1 of 3 lines (line 2: end is missing)", [START, {"a": 1}, {"end": 15.0}]),
    ("attempts", "1 of 3 lines (line 2: reason is wrong)", [START, {"end": 1, "reason": {"a": 1}}, {"end": 15.0}]),
    ("attempts", "1 of 3 lines (line 1: versions is wrong)", [START | {"versions": [1]}, START, {"end": 15.0}]),
    ("probes", "1 of 3 lines (line 3: is there twice)", [PROBE, PROBE | {"iteration": 120}, PROBE]),
    ("probes", "1 of 2 lines (line 1: table is wrong)", [PROBE | {"table": 7}, PROBE]),
    ("probes", "1 of 2 lines (line 1: table is wrong)", [PROBE | {"table": {"layer": 7}}, PROBE]),
    ("probes", "1 of 2 lines (line 1: table is wrong)", [PROBE | {"table": {"layer": [[1]]}}, PROBE]),
    ("probes", "1 of 2 lines (line 1: table has no rows)", [PROBE | {"table": {"a": [1], "b": [1, 2]}}, PROBE]),
    ("probes", "1 of 2 lines (line 1: column kernel is missing or wrong)", [PROBE | {"table": {"layer": [1]}}, PROBE]),
    ("landscape", "1 of 2 lines (line 2: x is not on the grid)", [POINT, POINT | {"x": 0.3}]),
    ("landscape", "1 of 2 lines (line 2: points is wrong)", [POINT, POINT | {"points": 0}]),
    ("landscape", "1 of 2 lines (line 2: reach is wrong)", [POINT, POINT | {"reach": 0}]),
    ("landscape", "1 of 2 lines (line 2: pictures is wrong)", [POINT, POINT | {"pictures": [1]}]),
]  # fmt: skip


@pytest.mark.parametrize(("file", "what", "rows"), BAD_ROWS)
def test_rows_that_make_no_sense_are_left_out_and_counted(tmp_path, file, what, rows):
    write(tmp_path, "sound")
    total = int(what.split()[2])
    write(tmp_path, "planted", **{file: lines(*rows, *[row(120)] * (total - len(rows)))})
    frame = load_where(tmp_path, None)
    name = "landscape/001-of-001.jsonl" if file == "landscape" else f"{file}.jsonl"
    assert frame.excluded == (f"planted: {name}, {what}",)
    assert frame.runs["run_id"].tolist() == ["planted", "sound"]


def test_a_done_run_none_of_whose_metrics_make_sense_is_failed(tmp_path):
    write(tmp_path, "a", metrics=lines({"iteration": 1}))
    runs = load_where(tmp_path, None).runs
    assert runs.loc[0, "state"] == "failed"
    assert runs.loc[0, "reason"].endswith("metrics.jsonl has no valid rows")


@pytest.mark.parametrize("file", ["attempts", "metrics", "probes", "landscape"])
def test_damaged_lines_are_counted(tmp_path, file):
    write(tmp_path, "a")
    write(tmp_path, "b", describe("b", seed=1), outcome=State.FAILED)
    name = "landscape/001-of-001.jsonl" if file == "landscape" else f"{file}.jsonl"
    run = (
        "a" if file in ("probes", "landscape") else "b"
    )  # the former are read of runs that are done alone
    sound = (tmp_path / run / name).read_bytes()
    (tmp_path / run / name).write_bytes(sound[:-5])
    frame = load_where(tmp_path, None)
    count = sound.count(b"\n")
    assert frame.excluded == (f"{run}: {name}, 1 of {count} lines (line {count}: truncated or corrupt)",)


@pytest.mark.parametrize("name", [METRICS_FILE, DONE_FILE])
def test_a_run_that_was_over_and_is_damaged_is_told(tmp_path, name):
    write(tmp_path, "a")
    content = (tmp_path / "a" / name).read_bytes()
    (tmp_path / "a" / name).write_bytes(content[:-1] + b" ")
    frame = load_where(tmp_path, None)
    assert frame.runs.loc[0, "state"] == "partial"
    what = (
        "missing or corrupt" if name == DONE_FILE else "its checksum differs from the one in DONE"
    )
    assert (
        frame.excluded[0]
        == f"a: {tmp_path / 'a' / name}: {what}; it counts as partial until it is retrained"
    )


def test_what_follows_a_damaged_line_of_the_metrics_is_left_out_with_it(tmp_path):
    torn = lines(row(40))[:-9] + b"\n" + lines(row(80), row(120))
    write(tmp_path, "a", outcome=State.FAILED, metrics=torn)
    assert load_where(tmp_path, None).excluded == (
        "a: metrics.jsonl, 3 of 3 lines (line 1: truncated or corrupt)",
    )


def test_the_iteration_of_a_divergence_and_of_a_failure_is_shown(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b", describe("b", 1), State.DIVERGED, {"iteration": 7}, metrics=lines(row(40)))
    write(
        tmp_path,
        "c",
        describe("c", 2),
        State.FAILED,
        {"iteration": 1234, "reason": "OutOfMemoryError: 3 GiB"},
    )
    write(
        tmp_path, "d", describe("d", 3), State.DIVERGED, metrics=lines(row(40))
    )  # of an earlier release
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
def test_a_clock_that_jumps_makes_no_time_negative(tmp_path, end, seconds):
    write(tmp_path, "a", attempts=lines(START, end))
    assert load_where(tmp_path, None).runs.loc[0, "seconds"] == seconds


def test_a_record_whose_name_cannot_be_shown_is_left_out(tmp_path):
    write(tmp_path, "sound")
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


def mutated(value, seeded):
    """A value of it, anywhere, replaced or taken away."""
    if isinstance(value, dict) and value and seeded.random() < 0.9:
        key = seeded.choice(sorted(value))
        if seeded.random() < 0.15:
            return {name: one for name, one in value.items() if name != key}
        return value | {key: mutated(value[key], seeded)}
    if isinstance(value, list) and value and seeded.random() < 0.8:
        index = seeded.randrange(len(value))
        return [*value[:index], mutated(value[index], seeded), *value[index + 1 :]]
    return seeded.choice(VALUES)


def test_whatever_stands_in_a_record_the_frame_is_made(tmp_path):
    """40 seeded changes of any value of any file, each under right checksums."""
    seeded = random.Random(0)
    write(tmp_path, "sound", describe("sound", 5))
    for number in range(40):
        name = f"r{number:03d}"
        file = seeded.choice(("run", "metrics", "attempts", "probes", "landscape"))
        if file == "run":
            description = mutated(describe(name), seeded)
            write(tmp_path, name, description if isinstance(description, dict) else {})
            continue
        rows = {
            "metrics": [row(40), row(80), row(120)], "attempts": [START, {"end": 15.0, "outcome": "done"}],
            "probes": [PROBE], "landscape": [POINT],
        }[file]  # fmt: skip
        changed_row = mutated(seeded.choice(rows), seeded)
        rows.append(changed_row if isinstance(changed_row, dict) else {})
        write(tmp_path, name, **{file: lines(*rows)})
    frame = load_where(tmp_path, None)
    assert "sound" in frame.runs["run_id"].tolist()
    assert len(frame.excluded) > 20
    assert all(told.isprintable() for told in frame.excluded)


def test_each_column_of_each_probe_is_checked():
    for name in PROBE_REGISTRY.names():
        columns = PROBE_REGISTRY.facts(name)["columns"]
        assert columns
        assert row_validation.column_checks(name).keys() == columns.keys()


def test_tables_of_a_probe_that_differ_in_their_columns_are_one_table(tmp_path):
    """What a table lacks, or is none, is NaN; a column is of numbers, texts or flags as it is."""
    tables = [
        {"a": [1, 2], "kept": [True, False], "none": [None, None]},
        {"a": [None], "late": ["x"], "kept": [True], "empty": []},
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
        write(tmp_path, f"r{number}", describe(f"r{number}", number), probes=rows)
    frame = load_where(tmp_path, None)
    assert frame.excluded == ()
    found = frame.probes["mine"]
    assert found[["run_id", "seed", "iteration", "moment", "pictures"]].to_numpy().tolist() == [
        ["r0", 0, 0, "initialisation", 0], ["r0", 0, 0, "initialisation", 0], ["r1", 1, 120, "end", 1],
    ]  # fmt: skip
    assert found["a"].fillna(-1).tolist() == [1.0, 2.0, -1.0]
    assert found["late"].fillna("").tolist() == ["", "", "x"]
    assert found["kept"].tolist() == [True, False, True]
    assert found["none"].isna().all()
    assert found["none"].dtype == found["empty"].dtype == float
