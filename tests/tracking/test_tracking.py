"""W&B mirrors the record row for row, after a resume too, and never disturbs the training."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import wandb
from PIL import Image

from degradation import recorded_training
from degradation.config import Tracking
from degradation.records.locks import is_held
from degradation.records.schema import LOCK_FILE, METRICS_FILE, PROBES_FILE, State
from degradation.run import train
from degradation.signals import Interrupted
from degradation.sweep.runs import locate_run
from degradation.tracking import wandb_process
from degradation.tracking.mirror import mirror, mirror_analysis
from degradation.tracking.wandb_process import wandb_session

WANDB = Path(sys.executable).with_name("wandb")
OFFLINE = Tracking("offline", "resnet-degradation", None, 20.0, False)


def inspect(folder):
    """Return the records of an offline W&B run, read by W&B's own command."""
    process = subprocess.run(
        [WANDB, "leet", "inspect", "--json", folder], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


def read_back(folder):
    """Return the rows of an offline W&B run."""
    rows = []
    for record in inspect(folder):
        if record["type"] == "history":
            assert record["history"]["step"]["num"] == record["history"]["item"]["iteration"]
            item = record["history"]["item"]
            rows.append({key: value for key, value in item.items() if not key.startswith("_")})
    return rows


def split(rows):
    """Return the rows of metrics, and (iteration, probe) of each table, in their order."""
    probes, metrics = [], []
    for row in rows:
        tables = [key for key in row if key.startswith("probes/") and key.endswith("._type")]
        probes += [
            (row["iteration"], key.removeprefix("probes/").removesuffix("._type"))
            for key in sorted(tables)
        ]
        metric = {key: value for key, value in row.items() if not key.startswith("probes/")}
        metrics += [metric] if len(metric) > 1 else []
    return metrics, probes


def split_record(record):
    """Return what `split` returns if W&B has everything that the record has."""
    return record.valid_prefix(METRICS_FILE), [
        (row["iteration"], row["probe"]) for row in record.valid_prefix(PROBES_FILE)
    ]


def offline_runs(root):
    return sorted((root / "wandb").glob("offline-run-*"))


@pytest.mark.slow
def test_wandb_reads_back_every_row_of_the_record(tiny):
    config = tiny("tracking=offline", "name=mine")
    train(config)
    record = locate_run(config).record
    (folder,) = offline_runs(record.root)
    assert len(record.valid_prefix(METRICS_FILE)) == 3
    assert len(record.valid_prefix(PROBES_FILE)) == 2 * 4
    assert split(read_back(folder)) == split_record(record)
    row = record.valid_prefix(PROBES_FILE)[0]
    (path,) = folder.rglob("media/table/probes/gradient_flow_0_*.table.json")
    table = json.loads(path.read_text())
    assert (
        dict(zip(table["columns"], map(list, zip(*table["data"], strict=True)), strict=True))
        == row["table"]
    )
    records = inspect(folder)
    (run,) = [entry["run"] for entry in records if entry["type"] == "run"]
    assert run["run_id"].startswith(record.run_id + "-")
    assert (run["run_group"], run["job_type"]) == ("mine", "train")
    assert set(run["tags"]) == {"residual", "depth-8", "digits"}
    # Pitfall 3: the summary of a run is the last value, never the best, and everything is plotted
    # against the iteration.
    metrics = [entry["metric"] for entry in records if entry["type"] == "metric"]
    assert {metric.get("name") or metric["glob_name"] for metric in metrics} == {
        "lr",
        "train/*",
        "test/*",
        "validation/*",
        "schedule/*",
    }
    for metric in metrics:
        assert metric["step_metric"] == "iteration"
        assert metric["summary"] == {"last": True}


@pytest.mark.slow
def test_resumed_run_is_replayed_into_the_newest_segment(tiny, monkeypatch):
    config = tiny("tracking=offline")
    monkeypatch.setattr(
        recorded_training,
        "report_progress",
        lambda at, _: at == 9 and signal.raise_signal(signal.SIGTERM),
    )
    with pytest.raises(Interrupted):
        train(config)
    monkeypatch.undo()
    record = locate_run(config).record
    assert len(offline_runs(record.root)) == 1
    train(config)
    # The superseded segment is removed, so a sync sends each row once.
    (newest,) = offline_runs(record.root)
    assert split(read_back(newest)) == split_record(record)


def test_nothing_private_is_sent_by_default(tiny, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    config = tiny("tracking=offline")
    train(config)
    root = locate_run(config).record.root
    (folder,) = offline_runs(root)
    assert not list(folder.rglob("requirements.txt"))
    assert not list(folder.rglob("wandb-metadata.json"))
    records = inspect(folder)
    # `wandb sync` needs the paths of the tables on this machine. tests/tracking/test_sync.py sees
    # what is sent.
    text = json.dumps([record for record in records if record["type"] != "artifact"])
    assert "a" * 40 not in json.dumps(records)
    assert str(Path.cwd()) not in text
    assert str(root) not in text
    (run,) = [record["run"] for record in records if record["type"] == "run"]
    assert run["host"] == "anonymous"
    assert not {record["type"] for record in records} & {
        "stats",
        "output",
        "output_raw",
        "environment",
    }


class BrokenRun:
    starting_step, dir = 0, "files"

    def __init__(self):
        self.calls = 0

    def define_metric(self, *_, **__):
        pass

    def log(self, *_, **__):
        self.calls += 1
        raise ConnectionResetError("wandb-core is gone")

    def finish(self, **_):
        raise ConnectionResetError("wandb-core is gone")


def test_broken_wandb_is_reported_once_and_training_continues(tiny, monkeypatch, caplog):
    broken = BrokenRun()
    monkeypatch.setattr(wandb, "init", lambda **_: broken)
    config = tiny("tracking=offline")
    assert train(config) is State.DONE
    assert broken.calls == 1
    assert caplog.text.count("W&B stopped mirroring") == 1
    assert len(locate_run(config).record.valid_prefix(METRICS_FILE)) == 3


def test_missing_folder_is_reported_once_and_training_continues(tiny, caplog):
    config = tiny("tracking=offline")
    record = locate_run(config).record
    record.root.mkdir()
    (record.root / "wandb").write_text("in the way")
    assert train(config) is State.DONE
    assert caplog.text.count("W&B") == 1
    assert len(record.valid_prefix(METRICS_FILE)) == 3


def test_unwritable_root_token_is_reported_once(tiny, caplog):
    config = tiny("tracking=offline")
    record = locate_run(config).record
    (record.root / ".mark").mkdir(parents=True)
    assert train(config) is State.DONE
    assert caplog.text.count("W&B cannot be started") == 1
    assert len(record.valid_prefix(METRICS_FILE)) == 3


def test_wandb_that_cannot_be_imported_is_reported_once(tiny, monkeypatch, caplog):
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "wandb.sdk", None)  # an incomplete installation
    config = tiny("tracking=offline")
    assert train(config) is State.DONE
    line = "W&B cannot be started (wandb cannot be imported (ModuleNotFoundError: "
    assert caplog.text.count(line) == caplog.text.count("W&B") == 1
    assert len(locate_run(config).record.valid_prefix(METRICS_FILE)) == 3


@pytest.fixture
def no_wandb(monkeypatch):
    """Replace what starts wandb in a session by nothing."""
    monkeypatch.setattr(wandb_process, "import_wandb", lambda: None)
    monkeypatch.setattr(wandb_process.WandbProcess, "open", lambda self: None)
    monkeypatch.setattr(wandb_process.WandbProcess, "close", lambda self: None)


@pytest.mark.usefixtures("no_wandb")
def test_session_keeps_a_new_folder_that_is_not_locked_yet(tmp_path):
    new, stale = tmp_path / ".tmp-new", tmp_path / ".tmp-stale"
    new.mkdir()
    stale.mkdir()
    os.utime(stale, (0, 0))
    with wandb_session(tmp_path / ".tmp-own", 1.0):
        assert sorted(tmp_path.iterdir()) == [new, tmp_path / ".tmp-own"]


@pytest.mark.usefixtures("no_wandb")
def test_session_waits_while_another_process_tests_its_lock(tmp_path, monkeypatch):
    own = tmp_path / ".tmp-own"
    own.mkdir()
    monkeypatch.setattr(wandb_process, "_remove_stale", lambda scratch: None)
    with open(own / LOCK_FILE, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        release = threading.Timer(0.2, fcntl.flock, (file, fcntl.LOCK_UN))
        release.start()
        with wandb_session(own, 1.0):
            assert is_held(own / LOCK_FILE)
        release.join()


def test_full_disk_under_an_offline_run_is_reported(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    with mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, []) as send:
        send({"iteration": 0, "lr": 0.1})
    assert caplog.text.count("W&B") == 1
    assert "the disk is full" in caplog.text


def test_iteration_is_sent_as_one_step_or_not_at_all(tmp_path, monkeypatch):
    logged = []

    class Run(BrokenRun):
        starting_step = 4

        def log(self, row, step, commit):
            logged.append((step, row, commit))

        def finish(self, exit_code):
            logged.append(exit_code)

    monkeypatch.setattr(wandb, "init", lambda **_: Run())
    earlier = [{"iteration": 0, "a": 1}, {"iteration": 4, "a": 2}]

    def training():
        with mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, earlier) as send:
            send({"iteration": 4, "b": 3, "c": None})
            send({"iteration": 8, "a": 4})
            raise ValueError("training")

    with pytest.raises(ValueError, match="training"):
        training()
    assert logged == [(4, {"iteration": 4, "a": 2, "b": 3}, True), 1]


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("raised", [SystemExit(3), ConnectionResetError("gone"), GeneratorExit()])
def test_only_ctrl_c_reaches_the_training_from_wandb(tmp_path, monkeypatch, raised):
    def init(**_):
        sys.exit = sys.excepthook = None
        raise raised

    hooks = sys.exit, sys.excepthook
    monkeypatch.setattr(wandb, "init", init)
    with mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, []) as send:
        send({"iteration": 0})
    raised = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, []):
        pass
    assert (sys.exit, sys.excepthook) == hooks


def test_online_falls_back_to_offline_with_a_warning(tmp_path, monkeypatch, caplog):
    modes = []

    def init(**arguments):
        modes.append(arguments["mode"])
        if arguments["mode"] == "online":
            raise wandb.errors.CommError("no route to host")
        return BrokenRun()

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    online = Tracking("online", "p", None, 1.0, False)
    with mirror(online, tmp_path, lambda: {"id": "x"}, []):
        pass
    assert modes == ["online", "offline"]
    assert "W&B (online) does not answer: no route to host" in caplog.text


def test_online_without_a_key_does_not_start_wandb(tmp_path, monkeypatch, caplog):
    modes = []
    monkeypatch.setattr(
        wandb, "init", lambda **arguments: modes.append(arguments["mode"]) or BrokenRun()
    )
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with mirror(Tracking("online", "p", None, 1.0, False), tmp_path, lambda: {"id": "x"}, []):
        pass
    assert modes == ["offline"]
    assert "no API key" in caplog.text


@pytest.mark.parametrize(("key", "mode"), [("a" * 40, "online"), (None, "offline")])
def test_auto_is_online_only_with_a_key(tmp_path, monkeypatch, key, mode):
    modes = []
    monkeypatch.setattr(
        wandb, "init", lambda **arguments: modes.append(arguments["mode"]) or BrokenRun()
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    else:
        monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with mirror(Tracking("auto", "p", None, 1.0, False), tmp_path, lambda: {"id": "x"}, []):
        pass
    assert modes == [mode]


def test_disabled_never_starts_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("W&B was started"))
    with mirror(
        Tracking("disabled", "p", None, 1.0, False),
        tmp_path,
        lambda: pytest.fail("init arguments were built"),
        [],
    ) as send:
        send({"iteration": 1})


def test_exception_marks_the_wandb_run_as_failed(tmp_path, monkeypatch):
    codes = []

    class Run(BrokenRun):
        def finish(self, exit_code):
            codes.append(exit_code)

    monkeypatch.setattr(wandb, "init", lambda **_: Run())
    with mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, []):
        pass
    with (
        pytest.raises(ValueError, match="training"),
        mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, []),
    ):
        raise ValueError("training")
    assert codes == [0, 1]


def test_settings_keep_console_and_machine_private(tmp_path, monkeypatch):
    passed = {}
    monkeypatch.setattr(wandb, "init", lambda **arguments: passed.update(arguments) or BrokenRun())
    with mirror(OFFLINE, tmp_path, lambda: {"id": "x"}, []):
        pass
    settings = passed["settings"]
    assert settings.console == "off"
    assert settings.disable_git
    assert settings.x_disable_meta
    assert settings.x_disable_machine_info
    assert settings.x_disable_stats
    assert not settings.save_code
    assert settings.stop_fn() is None  # a button on W&B's page would send SIGINT


@pytest.mark.slow
def test_report_is_mirrored_as_an_analysis_run(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "figure.png")
    tables = {"summary": pd.DataFrame({"family": ["plain"], "error": [1.5]})}
    for _ in range(2):
        mirror_analysis(
            OFFLINE,
            tmp_path,
            "mine",
            tables,
            {"f": tmp_path / "figure.png"},
        )
    (folder,) = offline_runs(tmp_path)
    (row,) = [entry["history"]["item"] for entry in inspect(folder) if entry["type"] == "history"]
    assert row["summary._type"] == "table-file"
    assert row["f._type"] == "image-file"
    assert [path.name for path in folder.rglob("*.png")]
