"""Records as tables for users: columns, queries, what is excluded, and errors."""

import math

import pandas as pd
import pytest

from analysis.key_columns import drop_prefix, restore_prefix
from analysis.plot.selection import check_columns
from analysis.query import load_where
from analysis.tables import load_curves, load_probes, load_runs, read_curve, to_frame
from degradation.config import ConfigError
from degradation.errors import UserError
from degradation.records.record import Record
from degradation.records.schema import METRICS_FILE, RUN_FILE, State
from tests.support.conditions import list_labels
from tests.support.records import CONFIG, DISTINCT_LAST_ROW, write_distinct_record, write_record


def write_widths(root):
    """Write a run of each of two widths, one unfinished run, and one without a configuration."""
    for width in (4, 8):
        model = {**CONFIG["model"], "width": width}
        write_record(root, f"w{width}", State.DONE, errors=(30.0, width), model=model)
    write_record(root, "unfinished", errors=(), seed=3)
    write_record(root, "empty", errors=())
    Record(root, "empty").path(RUN_FILE).unlink()


def test_keys_have_their_own_names(tmp_path):
    write_record(tmp_path, "a", State.DONE, optim={"lr": 0.25})
    runs = load_runs(tmp_path)
    row = runs.iloc[0]
    assert row["optim.lr"] == 0.25
    assert row["model.depth"] == row["depth"] == 20
    assert row["schedule.milestones"] == "[40]"
    assert [column for column in runs if column.startswith("config.")] == []
    assert runs.columns.is_unique
    assert row["training_error"] == row["train/clean_error"] == 10.0


def test_every_cell_can_be_compared(tmp_path):
    write_distinct_record(tmp_path, State.DONE)
    write_record(tmp_path, "without", errors=())
    runs = load_runs(tmp_path)
    assert len(runs.drop_duplicates()) == 2
    assert runs["versions"].tolist()[1] == "torch 2.0"


def test_query_takes_both_names_of_a_key(tmp_path):
    write_widths(tmp_path)
    with pytest.warns(UserWarning, match="cannot be used"):
        short = load_runs(tmp_path, "`model.width` == 8")
    assert short["run_id"].tolist() == ["w8"]
    assert load_where(tmp_path, "`model.width` == 8").runs["run_id"].tolist() == ["w8"]
    assert load_where(tmp_path, "`config.model.width` == 8").runs["run_id"].tolist() == ["w8"]


def test_no_run_disappears(tmp_path):
    write_widths(tmp_path)
    with pytest.warns(UserWarning, match=r"^1 record or part .*, such as empty: .* lists all$"):
        runs = load_runs(tmp_path)
    states = dict(zip(runs["run_id"], runs["state"], strict=True))
    assert states == {"w4": "done", "w8": "done", "unfinished": "partial"}
    (line,) = runs.attrs["excluded"]
    assert line.startswith("empty: ")
    assert runs[runs["depth"] < 30].attrs["excluded"] == (line,)


def test_training_error_can_be_chosen(tmp_path):
    write_distinct_record(tmp_path, State.DONE)
    runs = load_runs(tmp_path, training_error="running")
    assert runs.loc[0, "training_error"] == DISTINCT_LAST_ROW["train/running_error"]
    assert runs.attrs["error_kind"] == "running"
    message = "training_error: 'best' is not allowed; allowed: clean, augmented, running"
    with pytest.raises(ConfigError, match=message):
        load_runs(tmp_path, training_error="best")


def test_curves_have_every_metric(tmp_path):
    write_distinct_record(tmp_path, State.DONE)
    curves = load_curves(tmp_path, keys=["parameters"])
    assert curves["iteration"].tolist() == [40, 80, 120]
    last = curves.iloc[-1]
    for name, value in DISTINCT_LAST_ROW.items():
        assert last[name] == value, name
    assert last["training_error"] == DISTINCT_LAST_ROW["train/clean_error"]
    assert set(curves["model.shortcut"]) == {"B"}
    pd.testing.assert_frame_equal(
        curves.drop(columns="parameters"), read_curve(tmp_path, "distinct")
    )


def test_curve_of_a_diverged_run_continues_at_chance(tmp_path):
    write_distinct_record(tmp_path, State.DIVERGED, rows=2)
    curves = load_curves(tmp_path)
    assert curves["iteration"].tolist() == [40, 80, 120]
    last = curves.iloc[-1]
    assert last["training_error"] == last["test/error"] == last["chance"]
    assert math.isnan(last["lr"])


def test_curves_of_runs_without_rows_are_empty(tmp_path):
    write_record(tmp_path, "a", errors=())
    curves = load_curves(tmp_path)
    assert curves.empty
    assert {"run_id", "iteration", "train/clean_loss", "lr", "chance"} <= set(curves)


def test_corrupt_rows_are_excluded_once(tmp_path):
    write_distinct_record(tmp_path, None)
    with Record(tmp_path, "distinct").path(METRICS_FILE).open("a") as file:
        file.write('{"iteration": 999')
    with pytest.warns(UserWarning, match=r"metrics\.jsonl, 1 of 4 lines"):
        curves = load_curves(tmp_path)
    assert curves["iteration"].max() == 120
    assert len(curves.attrs["excluded"]) == 1


def test_unknown_probe_lists_the_available_ones(tmp_path):
    write_record(tmp_path, "a", State.DONE)
    message = "name: 'gradient' is not a probe of the selected runs; allowed: none; "
    with pytest.raises(UserError, match=message):
        load_probes(tmp_path, "gradient")


@pytest.mark.parametrize("key", ["optim.learning_rate", "config.seed"])
def test_unknown_key_is_one_line(tmp_path, key):
    write_record(tmp_path, "a", State.DONE)
    with pytest.raises(UserError, match=f"^keys: '{key}' is not a column of the runs; allowed: "):
        load_curves(tmp_path, keys=[key])


def test_frame_of_the_table_is_the_report_s(tmp_path):
    write_widths(tmp_path)
    frame = load_where(tmp_path, None)
    restored = restore_prefix(drop_prefix(frame.runs))
    pd.testing.assert_frame_equal(restored[list(frame.runs)], frame.runs)
    assert set(restored) == set(frame.runs)


def test_users_own_columns_are_no_keys(tmp_path):
    write_widths(tmp_path)
    frame = load_where(tmp_path, None)
    runs = drop_prefix(frame.runs)
    own = {"gap.points": range(len(runs)), "optim.rate.relative": 0.5, "device.note": "warm"}
    restored = restore_prefix(runs.assign(**own))
    assert set(restored) == set(frame.runs) | set(own)


def test_key_of_other_code_stays_a_key(tmp_path):
    for value in (1, 2):
        write_record(tmp_path, f"r{value}", State.DONE, optim={"lr": 0.1, "lookahead": value})
    runs = load_runs(tmp_path)
    assert runs["config.optim.lookahead"].tolist() == [1, 2]
    labels = list_labels(to_frame(runs))
    assert labels == ["lookahead 1", "lookahead 2"]
    assert load_runs(tmp_path, "`optim.lookahead` == 2")["run_id"].tolist() == ["r2"]


def test_table_that_is_no_table_of_runs_is_refused(tmp_path):
    write_record(tmp_path, "a", State.DONE)
    runs = load_runs(tmp_path)
    with pytest.raises(UserError, match="runs: lacks the columns depth, chance; allowed: "):
        to_frame(runs.drop(columns=["depth", "chance"]))
    with pytest.raises(UserError, match="runs: has no rows; allowed: at least one run"):
        to_frame(runs[runs["depth"] > 100])


@pytest.mark.parametrize("table", [None, 5, [{"run_id": "a"}], {"run_id": ["a"]}])
def test_anything_but_a_table_is_refused(table):
    kind = type(table).__name__
    message = f"^runs: {kind} is not allowed; allowed: the table that load_runs returns$"
    with pytest.raises(UserError, match=message):
        to_frame(table)
    with pytest.raises(UserError, match=f"^the table: {kind} is not allowed; "):
        check_columns(table, ["run_id"])


@pytest.mark.parametrize("column", ["shortcut", "schedule.milestones", "optim.lr"])
def test_runs_without_their_settings_are_refused(tmp_path, column):
    """Runs of other settings, which the column alone tells apart, would be averaged."""
    write_record(tmp_path, "a", State.DONE, optim={"lr": 0.1})
    runs = load_runs(tmp_path)
    with pytest.raises(UserError, match=f"^runs: lacks the columns {column}; allowed: "):
        to_frame(runs.drop(columns=column)[lambda rows: rows["seed"] < 9])
    few = runs[["run_id", "family", "depth", "seed", "state", "data", "training_error", "chance"]]
    with pytest.raises(UserError, match=r"^runs: lacks the columns shortcut, .* more; allowed: "):
        to_frame(few)


def test_ids_tell_a_dropped_setting_without_attributes(tmp_path):
    write_widths(tmp_path)
    with pytest.warns(UserWarning, match="cannot be used"):
        runs = load_runs(tmp_path)
    runs.attrs.clear()  # as after pandas.read_csv
    assert len(to_frame(pd.concat([runs, runs])).runs) == 2 * len(runs)
    with pytest.raises(UserError, match=r"^runs: w4 and w8 have equal keys, but are different"):
        to_frame(runs.drop(columns="model.width"))


@pytest.mark.parametrize("kind", ["augmented", "running"])
def test_joined_tables_keep_the_kind_of_error(tmp_path, kind):
    write_distinct_record(tmp_path, State.DONE)
    runs = load_runs(tmp_path, training_error=kind)
    longer = runs.assign(**{"run_id": "other", "seed": 7, "model.options.n": 1})
    longer.attrs["keys"] = (*runs.attrs["keys"], "model.options.n")
    joined = pd.concat([runs, longer])
    assert joined.attrs == {}
    assert to_frame(joined).error_kind == kind
