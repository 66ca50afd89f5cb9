"""The frame shows every run, whatever became of it."""

import pytest

from analysis.conditions import conditions
from analysis.frame import load, load_where
from degradation.grid import described, grid_run
from degradation.records.manifest import manifest_of
from degradation.records.schema import ATTEMPTS, METRICS, RUN, RecordError, State
from degradation.records.store import Record

CONFIG = {
    "model": {"depth": 20, "shortcut": "none"},
    "seed": 0,
    "data": {"name": "digits"},
    "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
}


def write(root, identifier, outcome=None, errors=(30.0, 10.0), family="plain", **config):
    record = Record(root, identifier)
    merged = {**CONFIG, **config}
    fingerprint = record.create(
        {
            "run_id": identifier, "family": family, "config": merged, "data": {"name": "digits", "classes": 10},
            "census": {"parameters": 1, "multiply_adds": 2},
        }
    )  # fmt: skip
    record.append(ATTEMPTS, {"attempt": 1, "start": 10.0, "device": "cpu", "commit": "c", "versions": {}})
    for index, error in enumerate(errors):
        record.append(METRICS, {"iteration": 40 * (index + 1), "train/clean_error": error, "train/clean_loss": 0.1,
                                "test/error": error + 1, "lr": 0.1})  # fmt: skip
    if outcome is not None:
        record.append(ATTEMPTS, {"attempt": 1, "end": 15.0, "outcome": str(outcome)})
        if outcome is not State.FAILED:
            record.finish(manifest_of(outcome, 120, {RUN: fingerprint}, record.rows(METRICS), []))
    return {"run_id": identifier}


def test_the_result_is_the_last_iterations_and_never_the_best(tmp_path):
    """Pitfall 3: the lowest error over all epochs reported as the result."""
    frame = load(tmp_path, [write(tmp_path, "a", State.DONE, errors=(3.0, 1.0, 7.0))])
    assert frame.runs.loc[0, "train/clean_error"] == 7.0
    assert frame.runs.loc[0, "test/error"] == 8.0
    assert frame.runs.loc[0, "seconds"] == 5.0
    assert frame.curves["training_error"].tolist() == [3.0, 1.0, 7.0]


def test_every_state_stays_visible(tmp_path, tiny):
    expected = [
        write(tmp_path, "done", State.DONE),
        write(tmp_path, "diverged", State.DIVERGED, errors=(30.0,)),
        write(tmp_path, "failed", State.FAILED),
        write(tmp_path, "partial"),
        described(grid_run(tiny(f"record_root={tmp_path}"))) | {"run_id": "missing"},
    ]
    runs = load(tmp_path, expected).runs.set_index("run_id")
    assert {name: runs.loc[name, "state"] for name in runs.index} == {name: name for name in runs.index}
    assert len(runs) == 5
    assert runs.loc["diverged", "train/clean_error"] == 90.0  # chance on ten classes
    assert runs["train/clean_error"].notna().sum() == 2
    assert bool(runs.loc["diverged", "untrained"])
    assert not bool(runs.loc["done", "untrained"])
    assert runs.loc["partial", "iteration"] == 80


def test_a_diverged_run_stays_in_the_curves_at_chance(tmp_path):
    """Pitfall 10: it has no rows after it diverged, and a mean over the others would flatter."""
    frame = load(tmp_path, [write(tmp_path, "diverged", State.DIVERGED, errors=(30.0,))])
    assert frame.curves[["iteration", "training_error", "test/error"]].to_numpy().tolist() == [
        [40, 30.0, 31.0],
        [80, 90.0, 90.0],
        [120, 90.0, 90.0],
    ]


def test_a_run_that_failed_before_it_was_described_keeps_its_reason(tmp_path, tiny):
    run = grid_run(tiny(f"record_root={tmp_path}"))
    run.record.folder.mkdir()
    run.record.append(ATTEMPTS, {"attempt": 1, "start": 1.0, "device": "cpu", "commit": None, "versions": {}})
    run.record.append(ATTEMPTS, {"attempt": 1, "end": 2.0, "outcome": "failed", "reason": "the archive is torn"})
    expected = load(tmp_path, [described(run)])
    assert expected.runs.loc[0, ["state", "reason", "depth"]].tolist() == ["failed", "the archive is torn", 8]
    with pytest.raises(RecordError, match=r"holds no record that can be read: .*failed, the archive is torn"):
        load_where(tmp_path, None)
    write(tmp_path, "other", State.DONE)
    assert load_where(tmp_path, None).left_out == (f"{run.run_id}: failed, the archive is torn",)


def test_a_record_of_another_schema_is_shown_with_its_reason(tmp_path):
    write(tmp_path, "a")
    (tmp_path / "a/run.json").write_text('{"schema_version": 7}')
    runs = load(tmp_path, [{"run_id": "a", "family": "plain", "config": CONFIG}]).runs
    assert runs.loc[0, "state"] == "failed"
    assert "schema version 7" in runs.loc[0, "reason"]


def test_a_filter_over_records(tmp_path):
    for seed in range(3):
        write(tmp_path, f"r{seed}", State.DONE, seed=seed)
    assert load_where(tmp_path, "seed > 0").runs["run_id"].tolist() == ["r1", "r2"]
    with pytest.raises(RecordError, match="holds no record for which 'seed > 7' is true"):
        load_where(tmp_path, "seed > 7")
    with pytest.raises(RecordError, match=r"--where: 'sed > 7' does not fit: .*columns: run_id"):
        load_where(tmp_path, "sed > 7")


def test_runs_that_differ_in_more_than_family_depth_and_seed_are_not_mixed(tmp_path):
    expected = [
        write(tmp_path, f"{lr}-{seed}", State.DONE, seed=seed, optim={"lr": lr})
        for lr in (0.1, 0.01)
        for seed in (0, 1)
    ]
    parts = conditions(load(tmp_path, expected))
    assert [(label, len(part.runs), len(part.curves)) for label, part in parts] == [
        ("optim.lr=0.01", 2, 4),
        ("optim.lr=0.1", 2, 4),
    ]


def test_plain_nets_stand_beside_each_of_several_shortcuts(tmp_path):
    expected = [write(tmp_path, "plain", State.DONE)]
    for shortcut in "AB":
        model = {"depth": 20, "shortcut": shortcut}
        expected.append(write(tmp_path, f"r-{shortcut}", State.DONE, family="residual", model=model))
    parts = conditions(load(tmp_path, expected))
    assert [(label, sorted(part.runs["run_id"])) for label, part in parts] == [
        ("model.shortcut=A", ["plain", "r-A"]),
        ("model.shortcut=B", ["plain", "r-B"]),
    ]


def test_missing_runs_stand_in_their_own_condition(tmp_path):
    done = [write(tmp_path, f"s{seed}", State.DONE, seed=seed, optim={"lr": 0.01}) for seed in (0, 1)]
    missing = [{"run_id": f"m{seed}", "family": "plain", "config": {**CONFIG, "seed": seed, "optim": {"lr": 0.1}}}
               for seed in (0, 1)]  # fmt: skip
    parts = conditions(load(tmp_path, done + missing))
    assert [(label, part.runs["state"].unique().tolist()) for label, part in parts] == [
        ("optim.lr=0.01", ["done"]),
        ("optim.lr=0.1", ["missing"]),
    ]


def test_every_run_stands_in_a_part_whatever_it_differs_in(frame_of):
    """A plain net has any shortcut, but its learning rate is none of the residual nets'."""
    frame = frame_of({"plain": {20: [1.0]}, "residual": {20: [1.0, 2.0]}}, **{"config.optim.lr": 0.1})
    residual = frame.runs["family"] == "residual"
    frame.runs.loc[residual, "config.model.shortcut"] = ["A", "B"]
    frame.runs.loc[~residual, "config.optim.lr"] = 0.01
    parts = conditions(frame)
    assert len(parts) == 3
    assert set(frame.runs["run_id"]) == {run for _, part in parts for run in part.runs["run_id"]}


def test_a_null_is_a_value_like_others(frame_of):
    frame = frame_of({"plain": {20: [1.0, 2.0]}}, **{"config.data.size": None})
    frame.runs["config.data.size"] = [None, 32]
    assert sorted(label for label, _ in conditions(frame)) == ["data.size=32", "data.size=null"]


def test_curves_hold_who_and_three_columns_of_numbers_whatever_else_the_rows_have(tmp_path):
    expected = [write(tmp_path, "a", State.DONE), write(tmp_path, "b", errors=(), seed=1), {"run_id": "absent"}]
    frame = load(tmp_path, expected)
    assert frame.curves.dtypes[["iteration", "training_error", "test/error"]].tolist() == [int, float, float]
    assert frame.curves[["run_id", "seed", "state"]].to_numpy().tolist() == [["a", 0, "done"]] * 2
    assert len(frame.curves.columns) == 8
    running = load(tmp_path, expected, "running")
    assert running.curves["training_error"].isna().tolist() == [True, True]
    assert load(tmp_path, []).curves.empty
