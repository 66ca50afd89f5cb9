"""The frame shows every run, whatever became of it."""

import math

import numpy as np
import pytest

from analysis import error_scale
from analysis.claim import is_untrained
from analysis.conditions import split_by_condition
from analysis.frame import load, load_where
from degradation.records.manifest import build_manifest
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, RUN_FILE, RecordError, State
from degradation.sweep.jobs import describe_planned_run, locate_run

CONFIG = {
    "model": {"depth": 20, "shortcut": "none"},
    "seed": 0,
    "data": {"name": "digits"},
    "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
}


def write(
    root, identifier, outcome=None, errors=(30.0, 10.0), family="plain", images=None, **config
):
    """`images`: what run.json says of the data beside its classes."""
    record = Record(root, identifier)
    merged = {**CONFIG, **config}
    data = {"name": "digits", "classes": 10, **(images or {})}
    fingerprint = record.write_metadata(
        {
            "run_id": identifier, "family": family, "config": merged, "data": data,
            "census": {"parameters": 1, "multiply_adds": 2},
        }
    )  # fmt: skip
    record.append(
        ATTEMPTS_FILE, {"attempt": 1, "start": 10.0, "device": "cpu", "commit": "c", "versions": {}}
    )
    for index, error in enumerate(errors):
        record.append(METRICS_FILE, {"iteration": 40 * (index + 1), "train/clean_error": error, "train/clean_loss": 0.1,
                                "test/error": error + 1, "lr": 0.1})  # fmt: skip
    if outcome is not None:
        record.append(ATTEMPTS_FILE, {"attempt": 1, "end": 15.0, "outcome": str(outcome)})
        if outcome is not State.FAILED:
            record.finish(
                build_manifest(
                    outcome, 120, {RUN_FILE: fingerprint}, record.valid_prefix(METRICS_FILE), []
                )
            )
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
        describe_planned_run(locate_run(tiny(f"record_root={tmp_path}"))) | {"run_id": "missing"},
    ]
    runs = load(tmp_path, expected).runs.set_index("run_id")
    assert {name: runs.loc[name, "state"] for name in runs.index} == {
        name: name for name in runs.index
    }
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
    run = locate_run(tiny(f"record_root={tmp_path}"))
    run.record.folder.mkdir()
    run.record.append(
        ATTEMPTS_FILE, {"attempt": 1, "start": 1.0, "device": "cpu", "commit": None, "versions": {}}
    )
    run.record.append(
        ATTEMPTS_FILE,
        {"attempt": 1, "end": 2.0, "outcome": "failed", "reason": "the archive is torn"},
    )
    expected = load(tmp_path, [describe_planned_run(run)])
    assert expected.runs.loc[0, ["state", "reason", "depth"]].tolist() == [
        "failed",
        "the archive is torn",
        8,
    ]
    with pytest.raises(
        RecordError, match=r"contains no readable records: .*failed, the archive is torn"
    ):
        load_where(tmp_path, None)
    write(tmp_path, "other", State.DONE)
    assert load_where(tmp_path, None).excluded == (f"{run.run_id}: failed, the archive is torn",)


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
    with pytest.raises(RecordError, match="contains no records for which 'seed > 7' is true"):
        load_where(tmp_path, "seed > 7")
    with pytest.raises(
        RecordError, match=r"--where: 'sed > 7' is not a valid query: .*columns: run_id"
    ):
        load_where(tmp_path, "sed > 7")


def test_runs_that_differ_in_more_than_family_depth_and_seed_are_not_mixed(tmp_path):
    expected = [
        write(tmp_path, f"{lr}-{seed}", State.DONE, seed=seed, optim={"lr": lr})
        for lr in (0.1, 0.01)
        for seed in (0, 1)
    ]
    parts = split_by_condition(load(tmp_path, expected))
    assert [(label, len(part.runs), len(part.curves)) for label, part in parts] == [
        ("learning rate 0.01", 2, 4),
        ("learning rate 0.1", 2, 4),
    ]


def test_plain_nets_stand_beside_each_of_several_shortcuts(tmp_path):
    expected = [write(tmp_path, "plain", State.DONE)]
    for shortcut in "AB":
        model = {"depth": 20, "shortcut": shortcut}
        expected.append(
            write(tmp_path, f"r-{shortcut}", State.DONE, family="residual", model=model)
        )
    parts = split_by_condition(load(tmp_path, expected))
    assert [(label, sorted(part.runs["run_id"])) for label, part in parts] == [
        ("shortcut A", ["plain", "r-A"]),
        ("shortcut B", ["plain", "r-B"]),
    ]


def test_missing_runs_stand_in_their_own_condition(tmp_path):
    done = [
        write(tmp_path, f"s{seed}", State.DONE, seed=seed, optim={"lr": 0.01}) for seed in (0, 1)
    ]
    missing = [{"run_id": f"m{seed}", "family": "plain", "config": {**CONFIG, "seed": seed, "optim": {"lr": 0.1}}}
               for seed in (0, 1)]  # fmt: skip
    parts = split_by_condition(load(tmp_path, done + missing))
    assert [(label, part.runs["state"].unique().tolist()) for label, part in parts] == [
        ("learning rate 0.01", ["done"]),
        ("learning rate 0.1", ["missing"]),
    ]


def test_every_run_stands_in_a_part_whatever_it_differs_in(frame_of):
    """A plain net has any shortcut, but its learning rate is none of the residual nets'."""
    frame = frame_of(
        {"plain": {20: [1.0]}, "residual": {20: [1.0, 2.0]}}, **{"config.optim.lr": 0.1}
    )
    residual = frame.runs["family"] == "residual"
    frame.runs.loc[residual, "config.model.shortcut"] = ["A", "B"]
    frame.runs.loc[~residual, "config.optim.lr"] = 0.01
    parts = split_by_condition(frame)
    assert len(parts) == 3
    assert set(frame.runs["run_id"]) == {run for _, part in parts for run in part.runs["run_id"]}


def test_a_null_is_a_value_like_others(frame_of):
    frame = frame_of({"plain": {20: [1.0, 2.0]}}, **{"config.data.size": None})
    frame.runs["config.data.size"] = [None, 32]
    assert sorted(label for label, _ in split_by_condition(frame)) == [
        "image size 32",
        "original image size",
    ]


def test_curves_hold_who_and_three_columns_of_numbers_whatever_else_the_rows_have(tmp_path):
    expected = [
        write(tmp_path, "a", State.DONE),
        write(tmp_path, "b", errors=(), seed=1),
        {"run_id": "absent"},
    ]
    frame = load(tmp_path, expected)
    assert frame.curves.dtypes[["iteration", "training_error", "test/error"]].tolist() == [
        int,
        float,
        float,
    ]
    assert frame.curves[["run_id", "seed", "state"]].to_numpy().tolist() == [["a", 0, "done"]] * 2
    assert len(frame.curves.columns) == 8
    running = load(tmp_path, expected, "running")
    assert running.curves["training_error"].isna().tolist() == [True, True]
    assert load(tmp_path, []).curves.empty


# a record whose numbers all differ, so that none can pass for another
CENSUS = {"parameters": 1234, "multiply_adds": 5678, "activations": 91}
LAST = {
    "iteration": 120, "lr": 0.013, "train/running_error": 21.5, "train/running_loss": 0.62,
    "train/augmented_error": 17.25, "train/augmented_loss": 0.51, "train/clean_error": 12.75, "train/clean_loss": 0.43,
    "test/error": 33.125, "test/loss": 0.94,
}  # fmt: skip
KINDS = {"clean": 12.75, "augmented": 17.25, "running": 21.5}


def write_distinct(root, outcome, rows=3, with_start=False):
    """Three evaluations, of which the last is LAST; those before are 1 and 2 higher in everything."""
    record = Record(root, "distinct")
    config = {
        "model": {"depth": 26, "shortcut": "B"}, "seed": 7, "data": {"name": "digits"},
        "schedule": {"iterations": 120, "milestones": [40], "evaluate_every": 40},
    }  # fmt: skip
    data = {"name": "digits", "classes": 10, "train": 800, "test": 250, "commonest": 96}
    description = {
        "run_id": "distinct", "family": "residual", "config": config, "data": data, "census": CENSUS
    }  # fmt: skip
    fingerprint = record.write_metadata(description)
    versions = {"torch": "2.0"}
    record.append(
        ATTEMPTS_FILE,
        {
            "attempt": 1,
            "start": 10.0,
            "device": "cuda: X",
            "threads": 3,
            "commit": "abc",
            "versions": versions,
        },
    )
    before = [
        {key: value + 3 - number for key, value in LAST.items()} | {"iteration": 40 * number}
        for number in (1, 2)
    ]
    start = {
        key: value + 30 for key, value in LAST.items() if "running" not in key and key != "lr"
    } | {"iteration": 0}
    for row in [*([start] if with_start else []), *[*before, LAST][:rows]]:
        record.append(METRICS_FILE, row)
    end = {} if outcome is None else {"outcome": str(outcome)}
    if outcome is State.DIVERGED:
        end |= {"iteration": 97, "reason": "the loss is not finite"}
    record.append(ATTEMPTS_FILE, {"attempt": 1, "end": 15.0, "seconds": 4.5, **end})
    if outcome is not None:
        record.finish(
            build_manifest(
                outcome, 120, {RUN_FILE: fingerprint}, record.valid_prefix(METRICS_FILE), []
            )
        )
    return {"run_id": "distinct"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_of_a_run_holds_what_its_name_says(tmp_path, kind):
    row = load(tmp_path, [write_distinct(tmp_path, State.DONE, with_start=True)], kind).runs.iloc[0]
    for key, value in {**LAST, **CENSUS}.items():
        assert row[key] == value, key
    assert row["training_error"] == KINDS[kind]
    at_start = {"clean": 42.75, "augmented": 47.25, "running": math.nan}[kind]
    assert row["training_error_at_start"] == pytest.approx(at_start, nan_ok=True)
    who = {
        "run_id": "distinct",
        "family": "residual",
        "depth": 26,
        "seed": 7,
        "shortcut": "B",
        "state": "done",
    }
    told = {
        "device": "cuda: X",
        "commit": "abc",
        "versions": {"torch": "2.0"},
        "seconds": 4.5,
        "attempts": 1,
        "threads": "3",
    }
    scale = {
        "chance": 88.0,
        "test_step": 0.4,
        "data": "digits",
        "config.schedule.milestones": "[40]",
    }
    assert {key: row[key] for key in {**who, **told, **scale}} == {**who, **told, **scale}
    assert not row["untrained"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_of_a_curve_holds_what_its_name_says(tmp_path, kind):
    curves = load(tmp_path, [write_distinct(tmp_path, State.DONE)], kind).curves
    last = KINDS[kind]
    assert curves["iteration"].tolist() == [40, 80, 120]
    assert curves["training_error"].tolist() == [last + 2, last + 1, last]
    assert curves["test/error"].tolist() == [35.125, 34.125, 33.125]
    assert curves[
        ["run_id", "family", "depth", "seed", "state"]
    ].drop_duplicates().to_numpy().tolist() == [["distinct", "residual", 26, 7, "done"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_diverged_run_is_at_chance_whatever_its_last_row_says(tmp_path, kind):
    frame = load(tmp_path, [write_distinct(tmp_path, State.DIVERGED, rows=2)], kind)
    row = frame.runs.iloc[0]
    assert (
        row[["training_error", "train/clean_error", "test/error", "chance"]].tolist() == [88.0] * 4
    )
    assert (row["state"], row["ended_at"], row["reason"]) == (
        "diverged",
        97,
        "the loss is not finite",
    )
    assert row["untrained"]
    assert frame.curves["training_error"].tolist() == [KINDS[kind] + 2, KINDS[kind] + 1, 88.0]
    assert frame.curves["test/error"].tolist() == [35.125, 34.125, 88.0]


def test_an_unfinished_run_has_no_result_but_its_curve(tmp_path):
    frame = load(tmp_path, [write_distinct(tmp_path, None, rows=2)])
    row = frame.runs.iloc[0]
    assert (row["state"], row["iteration"], row["parameters"]) == ("partial", 80, 1234)
    for key in ("training_error", "train/clean_error", "test/error"):
        assert math.isnan(row[key]), key
    assert not row["untrained"]
    assert frame.curves["training_error"].tolist() == [14.75, 13.75]


@pytest.mark.parametrize(("error", "expected"), [(86.0, True), (85.9, False)])
def test_a_run_is_untrained_within_two_points_of_chance(tmp_path, error, expected):
    """Chance is 88 %, that of the commonest class."""
    images = {"train": 800, "commonest": 96}
    frame = load(tmp_path, [write(tmp_path, "a", State.DONE, errors=(90.0, error), images=images)])
    assert bool(frame.runs.loc[0, "untrained"]) is expected
    assert is_untrained(frame.runs) is expected


def test_chance_is_that_of_the_commonest_class(tmp_path):
    """Older records do not say how large that is: it is known of digits, and of others the classes count as equal."""
    digits = {**CONFIG["data"], "content": "digits-1500-297"}
    folder = {"name": "image_folder", "content": "sha256:0123"}
    expected = [
        write(
            tmp_path, "new", State.DIVERGED, images={"train": 1000, "commonest": 600}, data=digits
        ),
        write(tmp_path, "old-digits", State.DIVERGED, images={"train": 1500}, data=digits),
        write(tmp_path, "old-folder", State.DIVERGED, images={"train": 1000}, data=folder),
    ]
    runs = load(tmp_path, expected).runs.set_index("run_id")
    assert runs["chance"].to_dict() == pytest.approx(
        {"new": 40.0, "old-digits": 89.8, "old-folder": 90.0}
    )
    for column in ("training_error", "test/error"):
        assert runs[column].tolist() == runs["chance"].tolist()


def test_the_commonest_digit_is_counted(compose_config):
    from degradation.data.datasets import load_dataset

    labels = load_dataset(compose_config("data=digits").data).train.labels
    assert np.bincount(labels).max() / len(labels) == error_scale.DIGITS_COMMONEST


STREAM = {"train_evaluated": 500}
SCHEDULE = {"iterations": 130, "evaluate_every": 40}


@pytest.mark.parametrize(
    ("kind", "images", "config", "step"),
    [
        ("clean", {"train": 800}, {}, 0.125),
        ("augmented", {"train": 800}, {}, 0.125),
        ("clean", {}, {}, math.nan),
        ("clean", {"train": 800}, {"data": {"name": "imagenet", "stream": STREAM}}, 0.2),
        ("augmented", {"train": 400}, {"data": {"name": "imagenet", "stream": STREAM}}, 0.25),
        ("clean", {"train": 800}, {"data": {"name": "imagenet", "stream": {}}}, math.nan),
        ("running", {"train": 800}, {"optim": {"batch_size": 50}}, 0.05),
        ("running", {"train": 800}, {"optim": {"batch_size": 50}, "schedule": SCHEDULE}, 0.2),
        ("running", {"train": 800}, {}, math.nan),
    ],
)
def test_the_step_of_the_training_error(tmp_path, kind, images, config, step):
    """100 points over the images that it is measured on; running: those since the last evaluation, 40 or 10 batches."""
    frame = load(tmp_path, [write(tmp_path, "a", State.DONE, images=images, **config)], kind)
    assert frame.runs.loc[0, "error_step"] == pytest.approx(step, nan_ok=True)


def test_the_step_of_the_test_error(tmp_path):
    expected = [
        write(tmp_path, "a", State.DONE, images={"train": 800, "test": 400}), write(tmp_path, "b", State.DONE, seed=1)
    ]  # fmt: skip
    steps = load(tmp_path, expected).runs["test_step"].tolist()
    assert steps == pytest.approx([0.25, math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("images", "key"),
    [
        ({"train": 0}, "train"),
        ({"train": "800"}, "train"),
        ({"test": 0}, "test"),
        ({"test": True}, "test"),
        ({"train": 800, "commonest": 0}, "commonest"),
        ({"train": 800, "commonest": 801}, "commonest"),
        ({"train": 800, "commonest": 80.0}, "commonest"),
        ({"commonest": 80}, "commonest"),
    ],
)
def test_numbers_of_images_that_cannot_be_are_refused(tmp_path, images, key):
    frame = load(tmp_path, [write(tmp_path, "a", State.DONE, images=images)])
    assert frame.runs.empty
    assert frame.excluded[0].endswith(f"data.{key} is wrong")
