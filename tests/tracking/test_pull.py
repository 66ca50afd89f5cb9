"""A pull restores what was mirrored, and refuses what somebody planted on the server.

The real client talks to a stand-in server.
"""

import contextlib
import json
import runpy
import shutil
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.query import load_where
from degradation.config import ConfigError
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
from degradation.sweep.runs import expand_runs, locate_run
from degradation.tracking import pulled_record, wandb_process
from degradation.tracking.pull import ProjectListing, connect
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
from tests.support.archives import RUN_IDS, write_archive
from tests.support.wandb_server import ENTITY, PROJECT, finished_run, format_row


@pytest.fixture(scope="module")
def trained_root(compose_config, tiny_overrides, tmp_path_factory):
    """Train a tiny run without W&B once, and return its record root."""
    root = tmp_path_factory.mktemp("trained") / "runs"
    config = replace(compose_config(*tiny_overrides, "probes=none"), record_root=str(root))
    assert train(config) is State.DONE
    return root


@pytest.fixture
def trained(tiny, trained_root):
    """Return the configuration of a tiny run that was trained without W&B."""
    config = tiny("probes=none")
    shutil.copytree(trained_root, config.record_root)
    return config


def find_record(config):
    return locate_run(config).record


def as_sent(value):
    """Return the value as a server returns it that does not distinguish 1.0 from 1."""
    if isinstance(value, dict):
        return {key: as_sent(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_sent(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_sent(config):
    """Return what the mirror sends of a record: its configuration, and rows without None."""
    mirrored = read_training_run(config, find_record(config))
    rows = [
        {key: value for key, value in row.items() if value is not None} for row in mirrored.rows
    ]
    return as_sent(mirrored.init_arguments["config"]), as_sent(rows)


def plant(server, config, token="000000", **changes):
    """Store the run of a record on the server, as the mirror leaves it, and return it."""
    init_arguments = read_training_run(config, find_record(config)).init_arguments
    metadata, rows = read_sent(config)
    name, group = init_arguments["name"], init_arguments["group"]
    run = finished_run(name, group, metadata, dict(enumerate(map(format_row, rows))))
    planted = replace(run, **changes)
    server.runs[ENTITY, PROJECT, f"{name}-{token}"] = planted
    return planted


def pull(config, root, group=None):
    """Pull all runs; return the run id, the message, and whether it is complete, of each."""
    config = deepcopy(config)
    config.tracking.mode = "online"
    with connect(config.tracking, Path(root)) as project:
        listing = project.list_runs(group)
        results = list(listing.rejected)
        for run_id, copies in listing.copies.items():
            results.append(project.pull(run_id, copies))
    return [(result.run_id, result.message, result.is_complete) for result in results]


def read_files(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def run_pull(*arguments):
    script = Path(__file__).parents[2] / "experiments" / "pull.py"
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )


# --- rows and configuration


def test_rows_and_metadata_are_restored_byte_for_byte(trained):
    record = find_record(trained)
    metadata, rows = read_sent(trained)
    assert restore_metadata(record.run_id, metadata) == read_contents(record).metadata
    probed = {
        "iteration": 6,
        "probes/responses": {"path": "media/table/x"},
        "_step": 6,
        "_runtime": 1.5,
    }
    restored = restore_metrics(read_contents(record).metadata["config"], [probed, *rows])
    assert json.dumps(restored, sort_keys=True) == json.dumps(
        record.valid_prefix(METRICS_FILE), sort_keys=True
    )


def test_loss_that_was_not_finite_is_none_again(trained):
    metadata, rows = read_sent(trained)
    del rows[0][CLEAN_LOSS]
    restored = restore_metrics(metadata["config"], rows)
    assert restored[0][CLEAN_LOSS] is None
    assert [row[CLEAN_LOSS] for row in restored[1:]] == [row[CLEAN_LOSS] for row in rows[1:]]


def test_constructed_network_has_a_row_without_lr(tiny):
    config = tiny("model=constructed", "model.depth=14", "model.grown_from=8", "probes=none")
    train(config)
    metadata, rows = read_sent(config)
    record = find_record(config)
    metadata = restore_metadata(record.run_id, metadata)
    assert metadata == read_contents(record).metadata
    assert restore_metrics(metadata["config"], rows) == record.valid_prefix(METRICS_FILE)
    assert rows[0]["iteration"] == 0
    assert "lr" not in rows[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.reverse(), "instead of iteration 4"),
        (lambda rows: rows.pop(1), "iteration 12 instead of iteration 8"),
        (lambda rows: rows.append(rows[-1] | {"iteration": 16}), "16 instead of no further row"),
        (lambda rows: rows.insert(1, rows[0]), "iteration 4 instead of iteration 8"),
        (
            lambda rows: rows[1].update({"test/error": float("nan")}),
            "iteration 8: test/error is not a number: nan",
        ),
        (
            lambda rows: rows[1].update({"test/loss": "NaN"}),
            "iteration 8: test/loss is not a number",
        ),
        (
            lambda rows: rows[1].update({"train/clean_loss": 10**400}),
            "train/clean_loss is not a number",
        ),
        (
            lambda rows: rows[1].update({"train/clean_error": True}),
            "train/clean_error is not a number",
        ),
        (lambda rows: rows[1].update({"test/error": 101.0}), "iteration 8: test/error is invalid"),
        (lambda rows: rows[1].update({"iteration": "8"}), "instead of iteration 8"),
        (lambda rows: rows[1].update({"<b>evil</b>": 1.0}), "is unexpected"),
        (
            lambda rows: rows[1].update({"schedule/plateaus": 1}),
            "'schedule/plateaus' is unexpected",
        ),
        (lambda rows: rows[1].pop("test/error"), "iteration 8: test/error is missing"),
        (lambda rows: rows[1].pop("lr"), "iteration 8: lr is missing"),
    ],
)
def test_rows_that_do_not_match_the_config_are_refused(trained, change, message):
    metadata, rows = read_sent(trained)
    change(rows)
    with pytest.raises(InvalidPull, match=message):
        restore_metrics(metadata["config"], rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda metadata: metadata["config"]["optim"].update(lr=0.3),
        lambda metadata: metadata["config"].update(seed=1),
        lambda metadata: metadata.update(run_id="../x"),
        lambda metadata: metadata.update(
            family="residual" if metadata["family"] == "plain" else "plain"
        ),
        lambda metadata: metadata.update(config=None),
        lambda metadata: metadata.update(extra=1),
        lambda metadata: metadata.pop("census"),
        lambda metadata: metadata["census"].update(parameters=float("inf")),
        lambda metadata: metadata["data"].update(name="<script>"),
        lambda metadata: metadata["data"].update(train=-1),
        lambda metadata: metadata["data"].update(checksum=None),
        lambda metadata: metadata.update(numerics_version="1"),
        lambda metadata: metadata.update(parent="../../x"),
    ],
)
def test_metadata_that_does_not_match_the_id_is_refused(trained, change):
    metadata, _ = read_sent(trained)
    change(metadata)
    with pytest.raises(InvalidPull):
        restore_metadata(find_record(trained).run_id, metadata)


def test_nested_parents_are_refused(trained):
    """The sent configuration is walked before its hash is compared with the id."""
    metadata, _ = read_sent(trained)
    parents = {"seed": 1}
    for _ in range(500):
        parents = {"parent": parents}
    metadata["config"]["parent"] = parents
    with pytest.raises(InvalidPull, match=r"config\.parent\.parent is invalid"):
        restore_metadata(find_record(trained).run_id, metadata)


def test_wrong_family_is_refused_though_the_hash_matches(trained):
    metadata, _ = read_sent(trained)
    false_id = find_record(trained).run_id.replace("residual", "plain")
    with pytest.raises(InvalidPull, match="which does not match the run id"):
        restore_metadata(false_id, metadata | {"run_id": false_id, "family": "plain"})


# --- records


def test_record_is_stored_completed_and_never_overwritten(trained, tmp_path):
    contents = read_contents(find_record(trained))
    root, run_id = tmp_path / "pulled", find_record(trained).run_id
    beginning = RunContents(contents.metadata, contents.metrics[:1], None)
    assert store(root, run_id, beginning, "e/p") == ("pulled, unfinished, 1 row", True)
    assert Record(root, run_id).state() is State.PARTIAL
    assert store(root, run_id, contents, "e/p") == ("completed, done, 3 rows (previously 1)", True)
    assert Record(root, run_id).final_outcome() is State.DONE
    before = read_files(root)
    assert store(root, run_id, contents, "e/p") == ("exists already, done, 3 rows", True)
    other = deepcopy(contents)
    other.metrics[1]["test/error"] = 1.5
    message, is_stored = store(root, run_id, other, "e/p")
    assert not is_stored
    assert (
        "exists and differs; not overwritten: metrics.jsonl: iteration 8: test/error is 1.5 in W&B"
        in message
    )
    assert not store(root, run_id, beginning, "e/p")[1]
    assert read_files(root) == before
    Record(root, run_id).path(METRICS_FILE).write_bytes(b"damaged\n")
    assert "exists and is corrupt; not overwritten" in store(root, run_id, contents, "e/p")[0]
    Record(root, run_id).path(DONE_FILE).unlink()
    assert "1 corrupt or truncated lines" in store(root, run_id, contents, "e/p")[0]


def test_locked_record_is_not_called_corrupt(trained, tmp_path):
    contents = read_contents(find_record(trained))
    root, run_id = tmp_path / "pulled", find_record(trained).run_id
    store(root, run_id, RunContents(contents.metadata, contents.metrics[:1], None), "e/p")
    with Record(root, run_id).lock():
        message, is_stored = store(root, run_id, contents, "e/p")
    assert not is_stored
    assert message == (
        f"exists and is unfinished; not completed: {root / run_id}: another process holds the lock"
        " (training, explain.py or sync.py); pull again later"
    )


def test_record_appears_whole_or_not_at_all(trained, tmp_path, monkeypatch):
    def fail_full(*_):
        raise OSError(28, "No space left on device")

    record = find_record(trained)
    monkeypatch.setattr(pulled_record.Record, "finish", fail_full)
    with pytest.raises(OSError, match="No space"):
        store(tmp_path / "pulled", record.run_id, read_contents(record), "e/p")
    assert list_run_ids(tmp_path / "pulled") == []


def test_link_in_place_of_a_record_is_not_followed(trained, tmp_path):
    record = find_record(trained)
    (tmp_path / "pulled").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pulled" / record.run_id).symlink_to(tmp_path / "elsewhere")
    assert not store(tmp_path / "pulled", record.run_id, read_contents(record), "e/p")[1]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_pull_into_a_root_of_trained_runs_is_refused(trained, tmp_path):
    with pytest.raises(RecordError, match="which was trained"):
        check_pull_root(Path(trained.record_root))
    contents = read_contents(find_record(trained))
    find_record(trained).path(WEIGHTS_FILE).unlink()
    with pytest.raises(RecordError, match="which was trained"):
        check_pull_root(Path(trained.record_root))
    store(tmp_path / "pulled", find_record(trained).run_id, contents, "e/p")
    check_pull_root(tmp_path / "pulled")


def test_pulled_run_is_compared_with_an_archive(tmp_path):
    folder, archive = write_archive(tmp_path)
    contents = read_contents(Record(folder, RUN_IDS[0]))
    assert compare_with_record(archive, RUN_IDS[0], contents) == f"equal to the one in {archive}"
    assert compare_with_record(archive, "other", contents) == f"not in {archive}"


def test_difference_names_its_row_and_key(trained):
    contents = read_contents(find_record(trained))
    assert find_difference(contents, deepcopy(contents)) is None
    fewer = RunContents(contents.metadata, contents.metrics[:2], contents.outcome)
    assert (
        find_difference(contents, fewer)
        == "metrics.jsonl: W&B lacks the rows starting at iteration 12"
    )
    assert (
        find_difference(fewer, contents)
        == "metrics.jsonl: the record lacks the rows starting at iteration 12"
    )
    assert (
        find_difference(contents, replace(contents, outcome=None))
        == "the run is unfinished in W&B, done in the record"
    )
    census = contents.metadata | {"census": {}}
    assert (
        find_difference(contents, replace(contents, metadata=census)) == "run.json: census differs"
    )
    other = deepcopy(contents)
    other.metrics[1][CLEAN_LOSS] = None
    assert f"iteration 8: {CLEAN_LOSS} is null in W&B" in find_difference(contents, other)
    root = Path(find_record(trained).root)
    assert (
        compare_with_record(root, find_record(trained).run_id, contents)
        == f"equal to the one in {root}"
    )
    assert compare_with_record(root, "x", contents) == f"not in {root}"


# --- with the real client


def load_figure_data(root):
    """Return what figures and claims use: curves, and runs without clocks, devices and code."""
    frame = load_where(root, None)
    assert frame.excluded == ()
    machine = ["device", "threads", "torch", "versions", "commit", "code"]
    clock = ["attempts", "seconds", "end_time"]
    return frame.runs.drop(columns=[*machine, *clock]), frame.curves


def assert_same_files(root, local):
    """Every pulled record has the bytes and the outcome of the local one."""
    for run_id in list_run_ids(root):
        pulled, trained_record = Record(root, run_id), Record(local, run_id)
        assert pulled.path(RUN_FILE).read_bytes() == trained_record.path(RUN_FILE).read_bytes()
        if trained_record.path(METRICS_FILE).exists():
            rows = trained_record.path(METRICS_FILE).read_bytes()
            assert pulled.path(METRICS_FILE).read_bytes() == rows
        assert pulled.final_outcome() is trained_record.outcome()


def write_summary(records, reports):
    """Run report.py on a record root, and return the bytes of summary.csv."""
    script = Path(__file__).parents[2] / "experiments" / "report.py"
    arguments = ["--records", records, "--reports", reports, "--name", records.name]
    process = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return (reports / records.name / "summary.csv").read_bytes()


@pytest.mark.slow
def test_pulled_runs_give_the_same_figures(tiny, server, tmp_path):
    runs = [("model=plain", "seed=0"), ("model=plain", "seed=1"), ("model=residual", "seed=0")]
    configs = [tiny("tracking=online", *run) for run in runs]
    configs.append(tiny("tracking=online", "model=plain", "optim.lr=1e30", "probes=none"))
    outcomes = [train(config) for config in configs]
    assert outcomes == [State.DONE] * 3 + [State.DIVERGED]
    server.max_page = 2
    local, root = Path(configs[0].record_root), tmp_path / "pulled"
    results = pull(configs[0], root)
    assert [is_complete for *_, is_complete in results] == [True] * 4
    assert list_run_ids(root) == list_run_ids(local)
    assert_same_files(root, local)
    (runs_here, curves_here), (runs_there, curves_there) = (
        load_figure_data(local),
        load_figure_data(root),
    )
    ended = ["ended_at"]  # W&B does not know at which iteration a run diverged
    pd.testing.assert_frame_equal(
        runs_here.drop(columns=ended), runs_there.drop(columns=ended), check_like=True
    )
    pd.testing.assert_frame_equal(curves_here, curves_there)
    before = read_files(root)
    assert all("exists already" in message for _, message, _ in pull(configs[0], root))
    assert read_files(root) == before
    summaries = [write_summary(records, tmp_path / "reports") for records in (local, root)]
    assert summaries[0] == summaries[1]


@pytest.mark.slow
def test_planted_runs_and_other_groups_are_not_pulled(trained, server, tmp_path):
    record, root = find_record(trained), tmp_path / "pulled"
    good = plant(server, trained)
    assert pull(trained, root, "another") == []
    assert pull(trained, root, trained.name) == [(record.run_id, "pulled, done, 3 rows", True)]
    plant(server, trained, "00why0", job_type="explain")
    for name in ("../x", f"../{record.run_id}", "<script>alert(1)</script>", "a\nb", "", None):
        server.runs[ENTITY, PROJECT, f"evil-{name!r}"] = replace(good, display_name=name)
    false_id = record.run_id.replace("-s0-", "-s1-")
    server.runs[ENTITY, PROJECT, f"{false_id}-000000"] = replace(good, display_name=false_id)
    broken = record.run_id.replace("-s0-", "-s2-")
    server.runs[ENTITY, PROJECT, f"{broken}-000000"] = replace(
        good, display_name=broken, config="[1"
    )
    before = read_files(root)
    results = pull(trained, root)
    assert [(name, message) for name, message, is_complete in results if is_complete] == [
        (record.run_id, "exists already, done, 3 rows")
    ]
    assert len(results) == 9
    assert all(
        "rejected" in message or "not pulled" in message
        for _, message, is_complete in results
        if not is_complete
    )
    assert all("\n" not in name + message for name, message, _ in results)
    assert read_files(root) == before
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "pulled"}


@pytest.mark.slow
def test_finished_copy_is_pulled_and_differences_reported(trained, server, tmp_path):
    run_id = find_record(trained).run_id
    finished = plant(server, trained, "bbbbbb")
    short = {number: finished.lines[number] for number in (0, 1)}
    plant(server, trained, "aaaaaa", state="crashed", lines=short)
    assert pull(trained, tmp_path / "one") == [(run_id, "pulled, done, 3 rows", True)]
    plant(server, trained, "cccccc")
    assert pull(trained, tmp_path / "one") == [(run_id, "exists already, done, 3 rows", True)]
    row = json.loads(finished.lines[1])
    plant(
        server, trained, "dddddd", lines=finished.lines | {1: json.dumps(row | {"test/error": 1.5})}
    )
    ((_, message, is_complete),) = pull(trained, tmp_path / "one")
    assert (message.startswith("exists already, done"), is_complete) == (True, False)
    assert (
        f"{run_id}-dddddd differs and is excluded: metrics.jsonl: iteration 8: test/error is 1.5"
        in message
    )
    for token in ("bbbbbb", "cccccc", "dddddd"):
        del server.runs[ENTITY, PROJECT, f"{run_id}-{token}"]
    assert pull(trained, tmp_path / "two") == [(run_id, "pulled, unfinished, 2 rows", True)]
    plant(server, trained, "aaaaaa")
    assert pull(trained, tmp_path / "two") == [
        (run_id, "completed, done, 3 rows (previously 2)", True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["^Runs$", "^Run$", "RunHistoryKeys", "HistoryPage", ""])
def test_failing_server_leaves_no_partial_record(trained, server, tmp_path, monkeypatch, operation):
    monkeypatch.setattr(wandb_process, "GRACE_S", 1.0)
    trained.tracking.init_timeout = 2.0
    plant(server, trained)
    server.refuse, server.refusing = 403, operation
    root, results = tmp_path / "pulled", []
    with contextlib.suppress(WandbError):
        results = pull(trained, root)
    assert not any(is_complete for *_, is_complete in results)
    assert list_run_ids(root) == []
    server.refuse = None
    assert [is_complete for *_, is_complete in pull(trained, root)] == [True]


def test_runs_of_an_experiment_are_selected_by_their_ids():
    """A run that experiments share is in the W&B group of the one that sent it first."""
    script = Path(__file__).parents[2] / "experiments" / "pull.py"
    select = runpy.run_path(str(script))["list_selected_ids"]
    overrides = ["experiment=shortcuts_digits", "seed=0", "model.depth=20", "tracking=disabled"]
    runs = expand_runs(overrides)
    selected = select(overrides)
    assert selected == [run.run_id for run in runs]
    shared = {run.run_id for run in expand_runs(["experiment=quick"])} & {*selected}
    assert 0 < len(shared) < len(selected)
    listed = ProjectListing({run_id: [f"{run_id}-1"] for run_id in [*selected[1:], "other"]})
    chosen = listed.select(selected)
    assert list(chosen.copies) == selected[1:]
    assert [(each.run_id, each.is_complete) for each in chosen.rejected] == [(selected[0], False)]
    assert select(["tracking.entity=me", "record_root=x"]) is None
    with pytest.raises(ConfigError, match=r"^seed: selects runs of no experiment; allowed: exp"):
        select(["seed=0", "tracking.entity=me"])


@pytest.mark.slow
def test_pull_command_prints_one_line_per_run_or_problem(trained, server, tmp_path, monkeypatch):
    run_id, local, root = find_record(trained).run_id, trained.record_root, tmp_path / "pulled"
    plant(server, trained)
    arguments = [f"record_root={local}", "--into", str(root), "tracking.init_timeout=2"]
    process = run_pull(*arguments)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines() == [
        f"{run_id:<34} pulled, done, 3 rows; equal to the one in {local}",
        f"1 run: 1 complete in {root}, 0 incomplete; compared with {local}:"
        " 1 equal, 0 different or corrupt, 0 missing",
    ]
    record = find_record(trained)
    record.path(DONE_FILE).unlink()
    record.rewrite_rows(METRICS_FILE, record.valid_prefix(METRICS_FILE)[:1])
    process = run_pull(*arguments)
    assert process.returncode == 0
    difference = "metrics.jsonl: the record lacks the rows starting at iteration 8"
    assert f"differs from the one in {local}: {difference}" in process.stdout
    assert run_pull(*arguments, "--compare", str(tmp_path / "nowhere")).stdout.endswith(
        "0 different or corrupt, 1 missing\n"
    )
    refused = {
        "trained": run_pull(*arguments[:1], "--into", local),
        "nowhere": run_pull(*arguments, "tracking.project=nowhere"),
        "disabled": run_pull(*arguments, "tracking=disabled"),
        "dpth": run_pull("model.dpth=8"),
        "into": run_pull("--into"),
    }
    server.absent.set()
    refused["W&B"] = run_pull(*arguments)
    monkeypatch.delenv("WANDB_API_KEY")
    refused["no API key"] = run_pull(*arguments)
    for word, process in refused.items():
        assert (process.returncode, process.stdout) == (1, "")
        assert len(process.stderr.splitlines()) == 1
        assert word in process.stderr
    assert (
        Record(root, run_id).valid_rows(ATTEMPTS_FILE)[0]["device"]
        == f"pulled from W&B: {ENTITY}/{PROJECT}"
    )
