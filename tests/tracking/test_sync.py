"""W&B has what the record has, whatever happened.

The real client and wandb-core talk to a stand-in server.
"""

import importlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from degradation import recorded_training
from degradation.records.schema import METRICS_FILE, PROBES_FILE, State
from degradation.run import train
from degradation.run_probes import run_probes
from degradation.signals import Interrupted
from degradation.sweep.runs import locate_run
from degradation.tracking import wandb_process
from degradation.tracking.sync import connect
from degradation.tracking.wandb_process import WandbError
from degradation.tracking.wandb_rows import read_training_run, read_wandb_runs
from tests.support.wandb_server import KEY


@pytest.fixture
def online(tiny, server):
    """A function that returns the configuration of a tiny run that is mirrored online."""
    return lambda *overrides: tiny("tracking=online", "tracking.init_timeout=4", *overrides)


def find_record(config):
    return locate_run(config).record


def sync(config):
    """Return the message of each W&B run of the record, and whether it is complete."""
    with connect(config.tracking, Path(config.record_root)) as server:
        results = server.sync(config, find_record(config))
        return [(result.message, result.is_complete) for result in results]


def read_server_rows(server, expected, **where):
    """Return the rows that the server has of a W&B run, each table read from its uploaded file."""
    run = server.run(expected.init_arguments["id"], **where)
    rows = []
    for row in run.rows():
        values = {key: value for key, value in row.items() if not key.startswith("_")}
        for key, value in values.items():
            if isinstance(value, dict):
                table = json.loads(run.files[value["path"]])
                values[key] = dict(
                    zip(table["columns"], map(list, zip(*table["data"], strict=True)), strict=True)
                )
        rows.append(values)
    return rows


def merge_steps(expected):
    """Return the rows that the server should have: all rows of an iteration are one."""
    steps = {}
    for row in expected.rows:
        steps.setdefault(row["iteration"], {}).update(
            {key: value for key, value in row.items() if value is not None}
        )
    return list(steps.values())


def assert_complete(server, config, **where):
    record = find_record(config)
    for expected in read_wandb_runs(config, record):
        assert read_server_rows(server, expected, **where) == merge_steps(expected)
        state = server.run(expected.init_arguments["id"], **where).state
        assert state == ("failed" if expected.exit_code else "finished")


def call_at(iteration, action):
    """Return a replacement of report_progress that acts after an iteration."""
    return lambda done, _: action() if done == iteration else None


@pytest.mark.slow
def test_online_run_is_complete_and_leaves_no_files(online, server, tmp_path, monkeypatch):
    importlib.import_module("wandb")  # it removes its files only when the process ends
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    hooks = (
        sys.exit,
        sys.excepthook,
        [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)],
    )
    config = online()
    train(config)
    assert_complete(server, config)
    record = find_record(config)
    assert (
        len(read_training_run(config, record).rows)
        == len(record.valid_prefix(METRICS_FILE)) + len(record.valid_prefix(PROBES_FILE))
        == 11
    )
    sent = len(server.sent())
    assert sync(config) == [("already complete", True)]
    assert len(server.sent()) == sent
    assert (
        sys.exit,
        sys.excepthook,
        [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)],
    ) == hooks
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "home").exists()
    assert not list(record.root.rglob(".tmp-*"))
    assert str(tmp_path).encode() not in b"".join(server.bodies)


def kill_core():
    core = wandb_process._find_core()
    core.kill()
    core.wait()


@pytest.mark.slow
def test_sync_sends_what_a_killed_wandb_core_lost(online, server, monkeypatch, caplog):
    monkeypatch.setattr(recorded_training, "report_progress", call_at(6, kill_core))
    config = online()
    assert train(config) is State.DONE
    assert caplog.text.count("W&B") == 1
    record = find_record(config)
    assert len(record.valid_prefix(METRICS_FILE)) == 3
    ((message, is_complete),) = sync(config)
    assert is_complete
    assert len(merge_steps(read_training_run(config, record))) == 5
    assert message in [f"sent {count} of 5 rows" for count in range(1, 6)]
    assert_complete(server, config)


@pytest.mark.slow
def test_resumed_run_has_each_row_once(online, server, monkeypatch):
    stop = call_at(9, lambda: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(recorded_training, "report_progress", stop)
    config = online()
    with pytest.raises(Interrupted):
        train(config)
    run = server.run(read_training_run(config, find_record(config)).init_arguments["id"])
    before = dict(run.lines)
    assert run.state == "failed"
    # The step of iteration 8 was not sent, since it may have been incomplete.
    assert [row["iteration"] for row in run.rows()] == [0, 4, 6]
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    train(config)
    assert_complete(server, config)
    assert {number: run.lines[number] for number in before} == before


@pytest.mark.slow
def test_offline_run_is_sent_once_and_its_folder_removed(tiny, server):
    config = tiny("tracking=offline")
    train(config)
    folders = find_record(config).root / "wandb"
    assert len(list(folders.glob("offline-run-*"))) == 1
    assert server.requests == []
    assert sync(config) == [("sent 5 of 5 rows", True)]
    assert_complete(server, config)
    assert not list(folders.glob("offline-run-*"))
    sent = len(server.sent())
    assert sync(config) == [("already complete", True)]
    assert len(server.sent()) == sent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "iteration", "probes"),
    [
        *itertools.product(["401", "403", "500", "silent", "gone"], [0, 6], ["probes=why"]),
        ("403", 6, "probes=none"),
        ("gone", 0, "probes=none"),
    ],
)
def test_failing_server_costs_one_warning_and_no_row(
    online, server, monkeypatch, caplog, trouble, iteration, probes
):
    """It fails before or in the middle of the training; a sync then sends the rest."""
    monkeypatch.setattr(wandb_process, "GRACE_S", 1.0)

    def fail():
        if trouble == "gone":
            server.absent.set()
        elif trouble == "silent":
            server.silent.set()
        else:
            server.refuse = int(trouble)

    if iteration == 0:
        fail()
    monkeypatch.setattr(recorded_training, "report_progress", call_at(iteration, fail))
    config = online(probes, "tracking.init_timeout=2")
    assert train(config) is State.DONE
    levels = [record.levelname for record in caplog.records if "W&B" in record.message]
    assert levels.count("WARNING") == 1
    assert find_record(config).outcome() is State.DONE
    assert len(find_record(config).valid_prefix(METRICS_FILE)) == 3
    assert all(run.state != "finished" for run in server.runs.values())
    server.refuse = None
    server.silent.clear()
    server.absent.clear()
    ((_, is_complete),) = sync(config)
    assert is_complete
    assert_complete(server, config)


@pytest.mark.slow
def test_wrong_key_is_reported_and_loses_nothing(online, server, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    config = online()
    assert train(config) is State.DONE
    assert caplog.text.count("W&B") == 1
    with pytest.raises(WandbError, match="not logged in"):
        sync(config)
    assert server.runs == {}
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert sync(config) == [("sent 5 of 5 rows", True)]
    assert_complete(server, config)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_key_is_in_no_file_and_entity_and_project_are_used(online, server, capfd, mode):
    config = online("tracking.entity=a team", "tracking.project=elsewhere", f"tracking.mode={mode}")
    train(config)
    root = find_record(config).root
    written = [(path, path.read_bytes()) for path in root.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path, _ in written) == (mode == "offline")
    assert sync(config) == [("already complete" if mode == "online" else "sent 5 of 5 rows", True)]
    assert_complete(server, config, entity="a team", project="elsewhere")
    written += [(path, path.read_bytes()) for path in root.rglob("*") if path.is_file()]
    assert not [path for path, content in written if KEY.encode() in content]
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_sync_sends_later_probes_as_a_run_of_their_own(online, server, monkeypatch):
    config = online()
    train(config)
    config.tracking.mode = "disabled"
    run_probes(config)  # as if it had been killed before it was mirrored
    config.tracking.mode = "online"
    before = len(server.runs)
    (training, probes) = sync(config)
    assert training == ("already complete", True)
    assert probes == ("sent 4 of 4 rows", True)
    assert len(server.runs) == before + 1
    assert_complete(server, config)
    assert sync(config) == [("already complete", True)] * 2


@pytest.mark.slow
def test_probe_command_sends_what_sync_would_send(online, server):
    config = online()
    train(config)
    run_probes(config)
    assert_complete(server, config)
    assert sync(config) == [("already complete", True)] * 2


def tiny_arguments(config):
    """Return the command-line overrides that expand to this run."""
    return [
        "model.depth=8",
        "model.width=4",
        "optim.batch_size=32",
        "schedule.iterations=12",
        "schedule.milestones=[6]",
        "schedule.evaluate_every=4",
        "schedule.snapshots=[6]",
        "device=cpu",
        f"record_root={config.record_root}",
    ]


def run_sync(*arguments):
    script = Path(__file__).parents[2] / "experiments" / "sync.py"
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_sync_command_prints_one_line_per_run_or_problem(tiny, server, monkeypatch):
    config = tiny("tracking=offline")
    train(config)
    record = find_record(config)
    with record.lock():
        process = run_sync(*tiny_arguments(config), "seed=0,1")
    assert process.returncode == 1
    assert process.stdout.splitlines() == [
        f"{record.run_id:<34} another process holds the lock (training, explain.py or sync.py);"
        " sync it again when it has finished",
        f"1 of 2 runs have no record in {config.record_root}",
        "1 W&B runs: 0 complete on the server, 1 incomplete",
    ]
    process = run_sync(*tiny_arguments(config), "seed=0,1")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines() == [
        f"{record.run_id:<34} sent 5 of 5 rows",
        f"1 of 2 runs have no record in {config.record_root}",
        "1 W&B runs: 1 complete on the server, 0 incomplete",
    ]
    without_records = run_sync(*tiny_arguments(config), "seed=7")
    assert without_records.returncode == 1
    assert without_records.stdout.startswith("1 of 1 runs have no record in ")
    assert run_sync("model.dpth=8").returncode == 1
    assert run_sync(*tiny_arguments(config), "tracking=disabled").stderr.startswith(
        "W&B: tracking.mode: 'disabled'"
    )
    server.absent.set()
    unreachable = run_sync(*tiny_arguments(config), "tracking.init_timeout=2")
    monkeypatch.delenv("WANDB_API_KEY")
    without_key = run_sync(*tiny_arguments(config))
    for refused in (unreachable, without_key):
        assert (refused.returncode, refused.stdout) == (1, "")
        assert len(refused.stderr.splitlines()) == 1
    assert without_key.stderr.startswith("W&B: no API key")


@pytest.mark.slow
def test_no_wandb_core_outlives_a_killed_job(server, tmp_path):
    """The server answers in one case and is silent in the other."""
    script = (
        "import sys; from pathlib import Path\n"
        "from degradation.config import Tracking\n"
        "from degradation.tracking import wandb_process\n"
        "from degradation.tracking.mirror import mirror\n"
        "tracking = Tracking('online', 'p', None, 5.0, False)\n"
        "with mirror(tracking, Path(sys.argv[1]), lambda: {'id': 'x'}, []) as send:\n"
        "    send({'iteration': 0, 'lr': 0.1})\n"
        "    send({'iteration': 1, 'lr': 0.1})\n"
        "    print(wandb_process._find_core().pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    for silent in (False, True):
        job = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "runs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        core = os.pidfd_open(int(job.stdout.readline()))
        if silent:
            server.silent.set()
        job.kill()
        job.communicate()
        ended, _, _ = select.select([core], [], [], 120)
        os.close(core)
        assert ended


@pytest.mark.slow
def test_pool_sweep_leaves_no_temporary_file(tiny, server, tmp_path, monkeypatch):
    config = tiny("tracking=online")
    script = Path(__file__).parents[2] / "experiments" / "train.py"
    sweep = [
        "seed=0,1",
        "hydra/launcher=pool",
        "tracking=online",
        f"hydra.sweep.dir={tmp_path / 'logs'}",
    ]
    with tempfile.TemporaryDirectory() as temporary:  # a short path, for sockets
        monkeypatch.setenv("TMPDIR", temporary)
        process = subprocess.run(
            [sys.executable, script, "-m", *tiny_arguments(config), *sweep],
            capture_output=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        assert os.listdir(temporary) == []
    assert sorted(run.state for run in server.runs.values()) == ["finished", "finished"]
    assert not (tmp_path / "home").exists()
    assert not list(Path(config.record_root).rglob(".tmp-*"))


@pytest.mark.slow
def test_hanging_wandb_core_is_killed(online, server, monkeypatch, caplog):
    monkeypatch.setattr(wandb_process, "GRACE_S", 1.0)
    cores = []

    def hang():
        cores.append(wandb_process._find_core())
        os.kill(cores[0].pid, signal.SIGSTOP)

    monkeypatch.setattr(recorded_training, "report_progress", call_at(6, hang))
    config = online("tracking.init_timeout=2")
    assert train(config) is State.DONE
    assert caplog.text.count("W&B stopped mirroring") == 1
    assert cores[0].returncode == -signal.SIGKILL
    ((_, is_complete),) = sync(config)
    assert is_complete
    assert_complete(server, config)


@pytest.mark.slow
def test_tables_with_lost_files_are_sent_again(online, server):
    """wandb sends a row before the files of its tables."""
    server.refuse, server.refusing = 403, "CreateRunFiles"
    config = online()
    train(config)
    wandb_id = read_training_run(config, find_record(config)).init_arguments["id"]
    assert len(server.run(wandb_id).lines) == 5
    assert server.run(wandb_id).files == {}
    server.refuse = None
    assert sync(config) == [("sent 0 of 5 rows and 8 tables", True)]
    assert_complete(server, config)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["lr", "train/clean_error"])
def test_another_training_in_wandb_is_not_called_complete(online, server, key):
    """As if the run had been trained again by other code after the first training was sent."""
    config = online()
    train(config)
    config.tracking.mode = "disabled"
    run_probes(config)
    config.tracking.mode = "online"
    wandb_id = read_training_run(config, find_record(config)).init_arguments["id"]
    lines = server.run(wandb_id).lines
    last = json.loads(lines[len(lines) - 1])
    assert last[key] > -1
    lines[len(lines) - 1] = json.dumps({**last, key: -1})
    sent = len(server.sent())
    expected = (
        f"not sent: W&B has another training of this run ({key} differs at iteration"
        f" {last['iteration']}); tracking.project=NAME sends this one to another project"
    )
    assert sync(config) == [(expected, False)]
    assert len(server.sent()) == sent
    messages = [message for message, _ in sync(online("tracking.project=another"))]
    assert messages == ["sent 5 of 5 rows", "sent 4 of 4 rows"]
