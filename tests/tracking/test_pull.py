"""What W&B has comes back as it was, by the real client from a stand-in server; what is planted there is refused."""

import contextlib
import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.frame import load_where
from degradation.metrics import CLEAN_LOSS
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import (
    ATTEMPTS_FILE,
    DONE_FILE,
    METRICS_FILE,
    RUN_FILE,
    WEIGHTS_FILE,
    RecordError,
    State,
)
from degradation.run import train
from degradation.sweep.jobs import locate_run
from degradation.tracking import pulled_record as kept_module
from degradation.tracking import wandb_process as session_module
from degradation.tracking.pull import connect
from degradation.tracking.pull_validation import InvalidPull, restore_metadata, restore_metrics
from degradation.tracking.pulled_record import (
    RunContents,
    check_pull_root,
    compare_with_record,
    find_difference,
    read_contents,
    store,
)
from degradation.tracking.wandb_process import WandbError
from degradation.tracking.wandb_rows import read_training_run
from tests.support.wandb_server import ENTITY, PROJECT, finished_run, line_of


@pytest.fixture
def trained(tiny):
    """A tiny run that was trained and mirrored nowhere."""
    config = tiny("probes=none")
    assert train(config) is State.DONE
    return config


def record_of(config):
    return locate_run(config).record


def as_sent(value):
    """As JSON comes back from a server that knows no difference between 1.0 and 1."""
    if isinstance(value, dict):
        return {key: as_sent(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_sent(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def sent_of(config):
    """What the mirror sends of a record: its configuration, and rows without None."""
    mirrored = read_training_run(config, record_of(config))
    rows = [
        {key: value for key, value in row.items() if value is not None} for row in mirrored.rows
    ]
    return as_sent(mirrored.init_arguments["config"]), as_sent(rows)


def planted(server, config, mark="000000", **changes):
    """The run of a record as the server has it after the mirror has ended; returns it."""
    identity = read_training_run(config, record_of(config)).init_arguments
    description, rows = sent_of(config)
    run = finished_run(
        identity["name"], identity["group"], description, dict(enumerate(map(line_of, rows)))
    )
    server.runs[ENTITY, PROJECT, f"{identity['name']}-{mark}"] = replace(run, **changes)
    return server.runs[ENTITY, PROJECT, f"{identity['name']}-{mark}"]


def pull(config, root, group=None):
    """What becomes of each run: (run id, line, is it whole)."""
    config = deepcopy(config)
    config.tracking.mode = "online"
    with connect(config.tracking, Path(root)) as project:
        listing = project.list_runs(group)
        found = [*listing.refused, *(project.pull(*one) for one in listing.copies.items())]
    return [(one.run_id, one.message, one.is_complete) for one in found]


def content(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def run_pull(*given):
    script = Path(__file__).parents[2] / "experiments" / "pull.py"
    return subprocess.run(
        [sys.executable, script, *given], capture_output=True, text=True, check=False
    )


# --- what is in the rows


def test_rows_and_configuration_come_back_as_they_were_byte_for_byte(trained):
    record = record_of(trained)
    description, rows = sent_of(trained)
    assert restore_metadata(record.run_id, description) == read_contents(record).metadata
    probed = {
        "iteration": 6,
        "probes/responses": {"path": "media/table/x"},
        "_step": 6,
        "_runtime": 1.5,
    }
    back = restore_metrics(read_contents(record).metadata["config"], [probed, *rows])
    assert json.dumps(back, sort_keys=True) == json.dumps(
        record.valid_prefix(METRICS_FILE), sort_keys=True
    )


def test_a_loss_that_was_not_finite_is_none_again(trained):
    description, rows = sent_of(trained)
    del rows[0][CLEAN_LOSS]
    back = restore_metrics(description["config"], rows)
    assert back[0][CLEAN_LOSS] is None
    assert [row[CLEAN_LOSS] for row in back[1:]] == [row[CLEAN_LOSS] for row in rows[1:]]


def test_a_constructed_network_has_a_row_before_it_has_an_lr(tiny):
    config = tiny("model=constructed", "model.depth=14", "model.grown_from=8", "probes=none")
    train(config)
    description, rows = sent_of(config)
    record = record_of(config)
    description = restore_metadata(record.run_id, description)
    assert description == read_contents(record).metadata
    assert restore_metrics(description["config"], rows) == record.valid_prefix(METRICS_FILE)
    assert rows[0]["iteration"] == 0
    assert "lr" not in rows[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows.reverse(), "where that of 4 belongs"),
        (lambda rows: rows.pop(1), "iteration 12 where that of 8 belongs"),
        (lambda rows: rows.append(rows[-1] | {"iteration": 16}), "16 where no row belongs"),
        (lambda rows: rows.insert(1, rows[0]), "iteration 4 where that of 8 belongs"),
        (
            lambda rows: rows[1].update({"test/error": float("nan")}),
            "iteration 8: test/error is no number: nan",
        ),
        (lambda rows: rows[1].update({"test/loss": "NaN"}), "iteration 8: test/loss is no number"),
        (
            lambda rows: rows[1].update({"train/clean_loss": 10**400}),
            "train/clean_loss is no number",
        ),
        (
            lambda rows: rows[1].update({"train/clean_error": True}),
            "train/clean_error is no number",
        ),
        (lambda rows: rows[1].update({"test/error": 101.0}), "iteration 8: test/error is wrong"),
        (lambda rows: rows[1].update({"iteration": "8"}), "where that of 8 belongs"),
        (lambda rows: rows[1].update({"<b>evil</b>": 1.0}), "does not belong there"),
        (
            lambda rows: rows[1].update({"schedule/plateaus": 1}),
            "'schedule/plateaus' does not belong there",
        ),
        (lambda rows: rows[1].pop("test/error"), "iteration 8: test/error is missing"),
        (lambda rows: rows[1].pop("lr"), "iteration 8: lr is missing"),
    ],
)
def test_rows_that_are_not_those_of_the_configuration_are_refused(trained, change, told):
    description, rows = sent_of(trained)
    change(rows)
    with pytest.raises(InvalidPull, match=told):
        restore_metrics(description["config"], rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["config"]["optim"].update(lr=0.3),
        lambda it: it["config"].update(seed=1),
        lambda it: it.update(run_id="../x"),
        lambda it: it.update(family="residual" if it["family"] == "plain" else "plain"),
        lambda it: it.update(config=None),
        lambda it: it.update(extra=1),
        lambda it: it.pop("census"),
        lambda it: it["census"].update(parameters=float("inf")),
        lambda it: it["data"].update(name="<script>"),
        lambda it: it["data"].update(train=-1),
        lambda it: it["data"].update(checksum=None),
        lambda it: it.update(numerics_version="1"),
        lambda it: it.update(parent="../../x"),
    ],
)
def test_a_configuration_that_is_not_that_of_the_id_is_refused(trained, change):
    description, _ = sent_of(trained)
    change(description)
    with pytest.raises(InvalidPull):
        restore_metadata(record_of(trained).run_id, description)


def test_a_family_that_the_configuration_does_not_have_is_refused_though_its_hash_fits(trained):
    description, _ = sent_of(trained)
    liar = record_of(trained).run_id.replace("residual", "plain")
    with pytest.raises(InvalidPull, match="not the one that the run's id is made of"):
        restore_metadata(liar, description | {"run_id": liar, "family": "plain"})


# --- what is in the folder


def test_what_is_kept_is_told_once_completed_later_and_never_overwritten(trained, tmp_path):
    whole = read_contents(record_of(trained))
    root, run_id = tmp_path / "pulled", record_of(trained).run_id
    begun = RunContents(whole.metadata, whole.metrics[:1], None)
    assert store(root, run_id, begun, "e/p") == ("pulled, unfinished, 1 rows", True)
    assert Record(root, run_id).state() is State.PARTIAL
    assert store(root, run_id, whole, "e/p") == ("completed, done, 3 rows (previously 1)", True)
    assert Record(root, run_id).final_outcome() is State.DONE
    before = content(root)
    assert store(root, run_id, whole, "e/p") == ("exists already, done, 3 rows", True)
    other = deepcopy(whole)
    other.metrics[1]["test/error"] = 1.5
    told, kept = store(root, run_id, other, "e/p")
    assert not kept
    assert (
        "exists and differs; not overwritten: metrics.jsonl: iteration 8: test/error is 1.5 in W&B"
        in told
    )
    assert not store(root, run_id, begun, "e/p")[1]
    assert content(root) == before
    Record(root, run_id).path(METRICS_FILE).write_bytes(b"damaged\n")
    assert "exists and is corrupt; not overwritten" in store(root, run_id, whole, "e/p")[0]
    Record(root, run_id).path(DONE_FILE).unlink()
    assert "1 truncated or corrupt lines" in store(root, run_id, whole, "e/p")[0]


def test_a_record_is_there_whole_or_not_at_all(trained, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    record = record_of(trained)
    monkeypatch.setattr(kept_module.Record, "finish", full)
    with pytest.raises(OSError, match="No space"):
        store(tmp_path / "pulled", record.run_id, read_contents(record), "e/p")
    assert list_run_ids(tmp_path / "pulled") == []


def test_a_link_in_place_of_a_record_is_not_followed(trained, tmp_path):
    record = record_of(trained)
    (tmp_path / "pulled").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pulled" / record.run_id).symlink_to(tmp_path / "elsewhere")
    assert not store(tmp_path / "pulled", record.run_id, read_contents(record), "e/p")[1]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_nothing_is_pulled_into_a_root_of_trained_runs(trained, tmp_path):
    with pytest.raises(RecordError, match="which was trained"):
        check_pull_root(Path(trained.record_root))
    contents = read_contents(record_of(trained))
    record_of(trained).path(WEIGHTS_FILE).unlink()
    with pytest.raises(RecordError, match="which was trained"):
        check_pull_root(Path(trained.record_root))
    store(tmp_path / "pulled", record_of(trained).run_id, contents, "e/p")
    check_pull_root(tmp_path / "pulled")


def test_a_difference_is_told_with_its_row_and_key(trained):
    whole = read_contents(record_of(trained))
    assert find_difference(whole, deepcopy(whole)) is None
    fewer = RunContents(whole.metadata, whole.metrics[:2], whole.outcome)
    assert find_difference(whole, fewer) == "metrics.jsonl: W&B lacks the rows from iteration 12 on"
    assert (
        find_difference(fewer, whole)
        == "metrics.jsonl: the record lacks the rows from iteration 12 on"
    )
    assert (
        find_difference(whole, replace(whole, outcome=None))
        == "the run is unfinished in W&B, done in the record"
    )
    census = whole.metadata | {"census": {}}
    assert find_difference(whole, replace(whole, metadata=census)) == "run.json: census differs"
    other = deepcopy(whole)
    other.metrics[1][CLEAN_LOSS] = None
    assert f"iteration 8: {CLEAN_LOSS} is None in W&B" in find_difference(whole, other)
    root = Path(record_of(trained).root)
    assert (
        compare_with_record(root, record_of(trained).run_id, whole) == f"equal to the one in {root}"
    )
    assert compare_with_record(root, "x", whole) == f"not in {root}"


# --- with the real client


def figures_of(root):
    """What figures and claims are drawn from: runs without what a clock or a device says, and curves."""
    frame = load_where(root, None)
    assert frame.excluded == ()
    clocks = ["device", "threads", "commit", "versions", "attempts", "seconds"]
    return frame.runs.drop(columns=clocks), frame.curves


@pytest.mark.slow
def test_runs_that_were_trained_online_come_back_and_the_figures_are_the_same(
    tiny, server, tmp_path
):
    runs = [("model=plain", "seed=0"), ("model=plain", "seed=1"), ("model=residual", "seed=0")]
    configs = [tiny("tracking=online", *run) for run in runs]
    configs.append(tiny("tracking=online", "model=plain", "optim.lr=1e30", "probes=none"))
    outcomes = [train(config) for config in configs]
    assert outcomes == [State.DONE] * 3 + [State.DIVERGED]
    server.most_a_page = 2
    local, root = Path(configs[0].record_root), tmp_path / "pulled"
    found = pull(configs[0], root)
    assert [whole for *_, whole in found] == [True] * 4
    assert list_run_ids(root) == list_run_ids(local)
    for run_id in list_run_ids(root):
        assert (
            Record(root, run_id).path(RUN_FILE).read_bytes()
            == Record(local, run_id).path(RUN_FILE).read_bytes()
        )
        if Record(local, run_id).path(METRICS_FILE).exists():
            assert (
                Record(root, run_id).path(METRICS_FILE).read_bytes()
                == Record(local, run_id).path(METRICS_FILE).read_bytes()
            )
        assert Record(root, run_id).final_outcome() is Record(local, run_id).outcome()
    (runs_here, curves_here), (runs_there, curves_there) = figures_of(local), figures_of(root)
    ended = ["ended_at"]  # where it diverged W&B does not know
    pd.testing.assert_frame_equal(
        runs_here.drop(columns=ended), runs_there.drop(columns=ended), check_like=True
    )
    pd.testing.assert_frame_equal(curves_here, curves_there)
    before = content(root)
    assert all("exists already" in told for _, told, _ in pull(configs[0], root))
    assert content(root) == before
    report = Path(__file__).parents[2] / "experiments" / "report.py"
    for records in (local, root):
        words = [
            report,
            "--records",
            records,
            "--reports",
            tmp_path / "reports",
            "--name",
            records.name,
        ]
        told = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
    written = [
        (tmp_path / "reports" / name / "summary.csv").read_bytes()
        for name in (local.name, "pulled")
    ]
    assert written[0] == written[1]


@pytest.mark.slow
def test_only_runs_of_ours_and_of_the_group_are_pulled_and_what_is_planted_stays_out(
    trained, server, tmp_path
):
    record, root = record_of(trained), tmp_path / "pulled"
    good = planted(server, trained)
    assert pull(trained, root, "another") == []
    assert pull(trained, root, trained.name) == [(record.run_id, "pulled, done, 3 rows", True)]
    planted(server, trained, "00why0", job_type="explain")
    for name in ("../x", f"../{record.run_id}", "<script>alert(1)</script>", "a\nb", "", None):
        server.runs[ENTITY, PROJECT, f"evil-{name!r}"] = replace(good, display_name=name)
    liar = record.run_id.replace("-s0-", "-s1-")
    server.runs[ENTITY, PROJECT, f"{liar}-000000"] = replace(good, display_name=liar)
    broken = record.run_id.replace("-s0-", "-s2-")
    server.runs[ENTITY, PROJECT, f"{broken}-000000"] = replace(
        good, display_name=broken, config="[1"
    )
    before = content(root)
    found = pull(trained, root)
    assert [(name, told) for name, told, whole in found if whole] == [
        (record.run_id, "exists already, done, 3 rows")
    ]
    assert len(found) == 9
    assert all("refused" in told or "not pulled" in told for _, told, whole in found if not whole)
    assert all("\n" not in name + told for name, told, _ in found)
    assert content(root) == before
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "pulled"}


@pytest.mark.slow
def test_of_several_copies_the_finished_one_is_taken_and_a_difference_is_told(
    trained, server, tmp_path
):
    run_id = record_of(trained).run_id
    whole = planted(server, trained, "bbbbbb")
    short = {number: whole.lines[number] for number in (0, 1)}
    planted(server, trained, "aaaaaa", state="crashed", lines=short)
    assert pull(trained, tmp_path / "one") == [(run_id, "pulled, done, 3 rows", True)]
    planted(server, trained, "cccccc")
    assert pull(trained, tmp_path / "one") == [(run_id, "exists already, done, 3 rows", True)]
    row = json.loads(whole.lines[1])
    planted(
        server, trained, "dddddd", lines=whole.lines | {1: json.dumps(row | {"test/error": 1.5})}
    )
    ((_, told, kept),) = pull(trained, tmp_path / "one")
    assert (told.startswith("exists already, done"), kept) == (True, False)
    assert (
        f"{run_id}-dddddd differs and is excluded: metrics.jsonl: iteration 8: test/error is 1.5"
        in told
    )
    for mark in ("bbbbbb", "cccccc", "dddddd"):
        del server.runs[ENTITY, PROJECT, f"{run_id}-{mark}"]
    assert pull(trained, tmp_path / "two") == [(run_id, "pulled, unfinished, 2 rows", True)]
    planted(server, trained, "aaaaaa")
    assert pull(trained, tmp_path / "two") == [
        (run_id, "completed, done, 3 rows (previously 2)", True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["^Runs$", "^Run$", "RunHistoryKeys", "HistoryPage", ""])
def test_a_server_that_fails_in_the_middle_leaves_nothing_half_written(
    trained, server, tmp_path, monkeypatch, operation
):
    monkeypatch.setattr(session_module, "GRACE_S", 1.0)
    trained.tracking.init_timeout = 2.0
    planted(server, trained)
    server.refuse, server.refusing = 403, operation
    root, told = tmp_path / "pulled", []
    with contextlib.suppress(WandbError):
        told = pull(trained, root)
    assert not any(whole for *_, whole in told)
    assert list_run_ids(root) == []
    server.refuse = None
    assert [whole for *_, whole in pull(trained, root)] == [True]


@pytest.mark.slow
def test_the_command_tells_a_line_a_run_where_it_differs_and_what_is_in_the_way(
    trained, server, tmp_path, monkeypatch
):
    run_id, local, root = record_of(trained).run_id, trained.record_root, tmp_path / "pulled"
    planted(server, trained)
    words = [f"record_root={local}", "--into", str(root), "tracking.init_timeout=2"]
    told = run_pull(*words)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        f"{run_id:<34} pulled, done, 3 rows; equal to the one in {local}",
        f"1 runs: 1 complete in {root}, 0 not; compared with {local}: 1 equal, 0 different or corrupt, 0 missing",
    ]
    record = record_of(trained)
    record.path(DONE_FILE).unlink()
    record.rewrite_rows(METRICS_FILE, record.valid_prefix(METRICS_FILE)[:1])
    told = run_pull(*words)
    assert told.returncode == 0
    assert (
        f"differs from the one in {local}: metrics.jsonl: the record lacks the rows from iteration 8 on"
        in told.stdout
    )
    assert run_pull(*words, "--compare", str(tmp_path / "nowhere")).stdout.endswith(
        "0 different or corrupt, 1 missing\n"
    )
    refused = {
        "trained": run_pull(*words[:1], "--into", local),
        "nowhere": run_pull(*words, "tracking.project=nowhere"),
        "disabled": run_pull(*words, "tracking=disabled"),
        "dpth": run_pull("model.dpth=8"),
        "into": run_pull("--into"),
    }
    server.absent.set()
    refused["W&B"] = run_pull(*words)
    monkeypatch.delenv("WANDB_API_KEY")
    refused["no API key"] = run_pull(*words)
    for word, one in refused.items():
        assert (one.returncode, one.stdout, len(one.stderr.splitlines())) == (1, "", 1), one
        assert word in one.stderr
    assert (
        Record(root, run_id).valid_rows(ATTEMPTS_FILE)[0]["device"]
        == f"pulled from W&B: {ENTITY}/{PROJECT}"
    )
