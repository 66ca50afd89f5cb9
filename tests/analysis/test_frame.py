"""The frame has every run, whatever the state of its record."""

import math
import re

import pytest

from analysis import columns
from analysis.columns import RUN_COLUMNS
from analysis.frame import load
from analysis.query import load_where
from analysis.run_row import CURVE_METRICS
from degradation.records import record_files
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    DONE_FILE,
    METRICS_FILE,
    RUN_FILE,
    RecordError,
    State,
)
from degradation.run import train
from degradation.sweep.planned_runs import describe_planned_run, describe_planned_runs
from degradation.sweep.runs import locate_run
from tests.support.records import (
    CONFIG,
    DISTINCT_CENSUS,
    DISTINCT_LAST_ROW,
    write_distinct_record,
    write_record,
)

# The error of DISTINCT_LAST_ROW that each kind of training error is.
KINDS = {"clean": 12.75, "augmented": 17.25, "running": 21.5}


def test_result_is_that_of_the_last_iteration(tmp_path):
    """Pitfall 3: the lowest error over all epochs reported as the result."""
    run = write_record(tmp_path, "a", State.DONE, errors=(3.0, 1.0, 7.0))
    frame = load(tmp_path, [run])
    assert frame.runs.loc[0, "train/clean_error"] == 7.0
    assert frame.runs.loc[0, "test/error"] == 8.0
    assert frame.runs.loc[0, "seconds"] == 5.0
    assert frame.curves["training_error"].tolist() == [3.0, 1.0, 7.0]


def test_runs_of_every_state_are_in_the_frame(tmp_path, tiny):
    planned = describe_planned_run(locate_run(tiny(f"record_root={tmp_path}")))
    expected = [
        write_record(tmp_path, "done", State.DONE),
        write_record(tmp_path, "diverged", State.DIVERGED, errors=(30.0,)),
        write_record(tmp_path, "failed", State.FAILED),
        write_record(tmp_path, "partial"),
        planned | {"run_id": "missing"},
    ]
    runs = load(tmp_path, expected).runs.set_index("run_id")
    assert len(runs) == 5
    assert runs["state"].to_dict() == {name: name for name in runs.index}
    assert runs.loc["diverged", "train/clean_error"] == 90.0  # chance with ten classes
    assert runs["train/clean_error"].notna().sum() == 2
    assert bool(runs.loc["diverged", "untrained"])
    assert not bool(runs.loc["done", "untrained"])
    assert runs.loc["partial", "iteration"] == 80


def test_curves_of_diverged_runs_continue_at_chance(tmp_path):
    """Pitfall 10: they have no rows after the divergence, and a mean over the others flatters."""
    run = write_record(tmp_path, "diverged", State.DIVERGED, errors=(30.0,))
    curves = load(tmp_path, [run]).curves
    assert curves[["iteration", "training_error", "test/error"]].to_numpy().tolist() == [
        [40, 30.0, 31.0],
        [80, 90.0, 90.0],
        [120, 90.0, 90.0],
    ]


def test_run_that_failed_without_run_json_has_its_reason(tmp_path, tiny):
    run = locate_run(tiny(f"record_root={tmp_path}"))
    run.record.folder.mkdir()
    start = {"attempt": 1, "start": 1.0, "device": "cpu", "commit": None, "versions": {}}
    end = {"attempt": 1, "end": 2.0, "outcome": "failed", "reason": "the archive is truncated"}
    for row in (start, end):
        run.record.append(ATTEMPTS_FILE, row)
    runs = load(tmp_path, [describe_planned_run(run)]).runs
    assert runs.loc[0, "state"] == "failed"
    assert runs.loc[0, "reason"] == "the archive is truncated"
    assert runs.loc[0, "depth"] == 8
    line = f"{run.run_id}: failed, the archive is truncated"
    with pytest.raises(RecordError, match=f"contains no readable records: {line}"):
        load_where(tmp_path, None)
    write_record(tmp_path, "other", State.DONE)
    assert load_where(tmp_path, None).excluded == (line,)


def test_record_of_another_schema_version_is_failed(tmp_path):
    write_record(tmp_path, "a")
    (tmp_path / "a/run.json").write_text('{"schema_version": 7}')
    runs = load(tmp_path, [{"run_id": "a", "family": "plain", "config": CONFIG}]).runs
    assert runs.loc[0, "state"] == "failed"
    assert "schema version 7" in runs.loc[0, "reason"]


def test_query_selects_records(tmp_path):
    for seed in range(3):
        write_record(tmp_path, f"r{seed}", State.DONE, seed=seed)
    assert load_where(tmp_path, "seed > 0").runs["run_id"].tolist() == ["r1", "r2"]
    with pytest.raises(RecordError, match="contains no records for which 'seed > 7' is true"):
        load_where(tmp_path, "seed > 7")
    message = r"where: 'sed > 7' is not a valid query: sed: no such column \(did you mean seed\?\)"
    with pytest.raises(RecordError, match=message):
        load_where(tmp_path, "sed > 7")
    # a run has a learning rate that was asked for, and one at its end
    with pytest.raises(RecordError, match="lr: no such column"):
        load_where(tmp_path, "lr == 0.1")
    message = r"'xyzzy > 7' is not a valid query: .*columns .*: run_id"
    with pytest.raises(RecordError, match=message):
        load_where(tmp_path, "xyzzy > 7")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("0", "it has no value for each run"),
        ("[0, 1]", "it has no value for each run"),
        ("seed.max()", "it has no value for each run"),
        ("later = seed > 0", "use == to compare, not ="),
        ("seed", "its values are neither true nor false"),
        ("family", "its values are neither true nor false"),
    ],
)
def test_query_that_is_no_condition_is_refused(tmp_path, query, problem):
    """Pandas would take these for the labels of rows or columns."""
    for seed in range(2):
        write_record(tmp_path, f"r{seed}", State.DONE, seed=seed)
    with pytest.raises(RecordError) as caught:
        load_where(tmp_path, query)
    assert str(caught.value) == f"where: {query!r} is not a valid query: {problem}"


def test_curves_have_columns_of_fixed_types(tmp_path):
    expected = [
        write_record(tmp_path, "a", State.DONE),
        write_record(tmp_path, "b", errors=(), seed=1),
        {"run_id": "absent"},
    ]
    curves = load(tmp_path, expected).curves
    types = curves.dtypes[["iteration", "training_error", "test/error"]].tolist()
    assert types == [int, float, float]
    assert curves[["run_id", "seed", "state"]].to_numpy().tolist() == [["a", 0, "done"]] * 2
    assert list(curves.columns) == [*RUN_COLUMNS, "iteration", "training_error", *CURVE_METRICS]
    running = load(tmp_path, expected, "running").curves
    assert running["training_error"].isna().tolist() == [True, True]
    assert load(tmp_path, []).curves.empty


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_runs_hold_what_their_names_say(tmp_path, kind):
    run = write_distinct_record(tmp_path, State.DONE, with_start=True)
    row = load(tmp_path, [run], kind).runs.iloc[0]
    for key, value in {**DISTINCT_LAST_ROW, **DISTINCT_CENSUS}.items():
        column = "last_lr" if key == "lr" else key
        assert row[column] == value, column
    assert row["training_error"] == KINDS[kind]
    at_start = {"clean": 42.75, "augmented": 47.25, "running": math.nan}[kind]
    assert row["training_error_at_start"] == pytest.approx(at_start, nan_ok=True)
    expected = {
        "run_id": "distinct",
        "family": "residual",
        "depth": 26,
        "seed": 7,
        "shortcut": "B",
        "state": "done",
        "device": "cuda: X",
        "commit": "abc",
        "versions": {"torch": "2.0"},
        "seconds": 4.5,
        "attempts": 1,
        "threads": "3",
        "torch": "2.0",
        "chance": 88.0,
        "test_step": 0.4,
        "train_images": 800,
        "data": "digits",
        "config.schedule.milestones": "[40]",
    }
    assert {key: row[key] for key in expected} == expected
    assert not row["untrained"]


def test_every_column_is_documented(tmp_path):
    frame = load(tmp_path, [write_distinct_record(tmp_path, State.DONE, with_start=True)])
    documented = set(re.findall(r"[a-z_/]+", columns.__doc__))
    for column in [*frame.runs, *frame.curves]:
        group, slash, _ = column.rpartition("/")
        is_listed = f"{group}{slash}" in documented if slash else column in documented
        assert is_listed or column.startswith("config."), column


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_curves_hold_what_their_names_say(tmp_path, kind):
    curves = load(tmp_path, [write_distinct_record(tmp_path, State.DONE)], kind).curves
    last = KINDS[kind]
    assert curves["iteration"].tolist() == [40, 80, 120]
    assert curves["training_error"].tolist() == [last + 2, last + 1, last]
    for name in CURVE_METRICS:
        value = DISTINCT_LAST_ROW[name]
        assert curves[name].tolist() == pytest.approx([value + 2, value + 1, value]), name
    runs = curves[["run_id", "family", "depth", "seed", "state"]].drop_duplicates()
    assert runs.to_numpy().tolist() == [["distinct", "residual", 26, 7, "done"]]


@pytest.mark.parametrize("kind", KINDS)
def test_diverged_run_is_at_chance_whatever_its_last_row(tmp_path, kind):
    frame = load(tmp_path, [write_distinct_record(tmp_path, State.DIVERGED, rows=2)], kind)
    row = frame.runs.iloc[0]
    errors = row[["training_error", "train/clean_error", "test/error", "chance"]]
    assert errors.tolist() == [88.0] * 4
    assert row["state"] == "diverged"
    assert row["ended_at"] == 97
    assert row["reason"] == "the loss is not finite"
    assert row["untrained"]
    assert frame.curves["training_error"].tolist() == [KINDS[kind] + 2, KINDS[kind] + 1, 88.0]
    assert frame.curves["test/error"].tolist() == [35.125, 34.125, 88.0]
    assert frame.curves["train/augmented_error"].tolist() == [19.25, 18.25, 88.0]
    assert frame.curves["test/loss"].isna().tolist() == [False, False, True]


def test_unfinished_run_has_a_curve_but_no_result(tmp_path):
    frame = load(tmp_path, [write_distinct_record(tmp_path, None, rows=2)])
    row = frame.runs.iloc[0]
    assert (row["state"], row["iteration"], row["parameters"]) == ("partial", 80, 1234)
    for key in ("training_error", "train/clean_error", "test/error"):
        assert math.isnan(row[key]), key
    assert not row["untrained"]
    assert frame.curves["training_error"].tolist() == [14.75, 13.75]


def test_planned_run_is_read_once(tmp_path, tiny, monkeypatch):
    """Planning and the table need the same files, and reading them takes most of a report."""
    config = tiny(f"record_root={tmp_path}")
    train(config)
    names, read_file = [], record_files.read_file

    def read_and_note(path):
        names.append(path.name)
        return read_file(path)

    monkeypatch.setattr(record_files, "read_file", read_and_note)
    load(tmp_path, describe_planned_runs([locate_run(config)]), with_probes=False)
    assert sorted(names) == sorted([DONE_FILE, RUN_FILE, METRICS_FILE, ATTEMPTS_FILE, CODE_FILE])


@pytest.mark.parametrize(("seed", "state"), [(True, "failed"), (1, "done")])
def test_configuration_is_compared_with_the_planned_one_by_type(tmp_path, seed, state):
    """In Python, True equals 1, and a known configuration is not checked again."""
    run = write_record(tmp_path, "a", State.DONE, seed=seed)
    runs = load(tmp_path, [run | {"family": "plain", "config": CONFIG | {"seed": 1}}]).runs
    assert list(runs["state"]) == [state]
