"""W&B mirrors the record: row for row, replayed after a resume, and never in training's way."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import wandb

from degradation import run as run_module
from degradation.config import Tracking
from degradation.grid import grid_run
from degradation.records.schema import METRICS, State
from degradation.run import Interrupted, train
from degradation.tracking.mirror import mirror

WANDB = Path(sys.executable).with_name("wandb")
OFFLINE = Tracking("offline", "resnet-degradation", None, 20.0, False)


def read_back(folder):
    """The rows of an offline W&B run, by W&B's own reader."""
    told = subprocess.run([WANDB, "leet", "inspect", "--json", folder], capture_output=True, text=True, check=True)
    rows = []
    for line in told.stdout.splitlines():
        record = json.loads(line)
        if record["type"] == "history":
            assert record["history"]["step"]["num"] == record["history"]["item"]["iteration"]
            rows.append({key: value for key, value in record["history"]["item"].items() if not key.startswith("_")})
    return rows


def offline_runs(root):
    return sorted((root / "wandb").glob("offline-run-*"))


def test_what_wandb_reads_back_equals_the_record_row_for_row(tiny):
    config = tiny("tracking=offline", "name=mine")
    train(config)
    record = grid_run(config).record
    (folder,) = offline_runs(record.root)
    rows = record.rows(METRICS)
    assert len(rows) == 3
    assert read_back(folder) == rows
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.suffix == ".wandb")
    assert record.run_id.encode() in content
    assert b"mine" in content


def test_a_resumed_run_is_replayed_whole_into_the_newest_segment(tiny, monkeypatch):
    config = tiny("tracking=offline")
    monkeypatch.setattr(run_module, "report_progress", lambda at, _: at == 9 and signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Interrupted):
        train(config)
    monkeypatch.undo()
    record = grid_run(config).record
    first = offline_runs(record.root)
    # W&B names segments by the second; the first is set apart so that both exist whatever the clock says
    shutil.move(first[0], record.root / "first-segment")
    train(config)
    (newest,) = offline_runs(record.root)
    assert read_back(newest) == record.rows(METRICS)


def test_nothing_private_is_sent_by_default(tiny, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    config = tiny("tracking=offline")
    train(config)
    root = grid_run(config).record.root
    (folder,) = offline_runs(root)
    assert not list(folder.rglob("requirements.txt"))
    assert not list(folder.rglob("wandb-metadata.json"))
    told = subprocess.run([WANDB, "leet", "inspect", "--json", folder], capture_output=True, text=True, check=True)
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert "a" * 40 not in told.stdout
    assert str(Path.cwd()) not in told.stdout
    assert str(root) not in told.stdout
    (run,) = (record["run"] for record in records if record["type"] == "run")
    assert run["host"] == "anonymous"
    assert not {record["type"] for record in records} & {"stats", "output", "output_raw", "environment"}


class BrokenRun:
    def __init__(self):
        self.calls = 0

    def define_metric(self, *_, **__):
        pass

    def log(self, *_, **__):
        self.calls += 1
        raise ConnectionResetError("wandb-core is gone")

    def finish(self, **_):
        raise ConnectionResetError("wandb-core is gone")


def test_a_broken_wandb_is_told_once_and_training_goes_on(tiny, monkeypatch, caplog):
    broken = BrokenRun()
    monkeypatch.setattr(wandb, "init", lambda **_: broken)
    config = tiny("tracking=offline")
    assert train(config) is State.DONE
    assert broken.calls == 1
    assert caplog.text.count("W&B stopped mirroring") == 1
    assert len(grid_run(config).record.rows(METRICS)) == 3


def test_online_falls_back_to_offline_and_says_so(tmp_path, monkeypatch, caplog):
    modes = []

    def init(**given):
        modes.append(given["mode"])
        if given["mode"] == "online":
            raise wandb.errors.CommError("no route to host")
        return BrokenRun()

    monkeypatch.setattr(wandb, "init", init)
    online = Tracking("online", "p", None, 1.0, False)
    with mirror(online, tmp_path, {}, []):
        pass
    assert modes == ["online", "offline"]
    assert "W&B (online) does not answer: no route to host" in caplog.text


@pytest.mark.parametrize(("key", "mode"), [("a" * 40, "online"), (None, "offline")])
def test_auto_is_online_only_where_a_key_is_set(tmp_path, monkeypatch, key, mode):
    modes = []
    monkeypatch.setattr(wandb, "init", lambda **given: modes.append(given["mode"]) or BrokenRun())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    else:
        monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with mirror(Tracking("auto", "p", None, 1.0, False), tmp_path, {}, []):
        pass
    assert modes == [mode]


def test_disabled_never_imports_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(wandb, "init", lambda **_: pytest.fail("W&B was started"))
    with mirror(Tracking("disabled", "p", None, 1.0, False), tmp_path, {}, []) as send:
        send({"iteration": 1})


def test_an_exception_inside_marks_the_wandb_run_as_failed(tmp_path, monkeypatch):
    codes = []

    class Run(BrokenRun):
        def finish(self, exit_code):
            codes.append(exit_code)

    monkeypatch.setattr(wandb, "init", lambda **_: Run())
    with mirror(OFFLINE, tmp_path, {}, []):
        pass
    with pytest.raises(ValueError, match="training"), mirror(OFFLINE, tmp_path, {}, []):
        raise ValueError("training")
    assert codes == [0, 1]
