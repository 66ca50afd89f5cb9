"""W&B has what the record has, whatever happened: the real client and wandb-core against a stand-in server."""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from degradation import run as run_module
from degradation.records.schema import METRICS_FILE, PROBES_FILE, State
from degradation.run import train
from degradation.run_probes import run_probes
from degradation.signals import Interrupted
from degradation.sweep.jobs import locate_run
from degradation.tracking import wandb_process as session_module
from degradation.tracking.sync import connect
from degradation.tracking.wandb_process import WandbError
from degradation.tracking.wandb_rows import read_training_run, read_wandb_runs
from tests.support.wandb_server import KEY


@pytest.fixture
def online(tiny, server):
    """overrides -> Config of a tiny run that is mirrored online."""
    return lambda *overrides: tiny("tracking=online", "tracking.init_timeout=4", *overrides)


def record_of(config):
    return locate_run(config).record


def sync(config):
    """What becomes of each W&B run of the record."""
    with connect(config.tracking, Path(config.record_root)) as server:
        return [(synced.message, synced.is_complete) for synced in server.sync(config, record_of(config))]


def stored(server, mirrored, **where):
    """The rows that the server has of a W&B run; each table as the file that was uploaded of it."""
    run = server.run(mirrored.init_arguments["id"], **where)
    rows = []
    for row in run.rows():
        shown = {key: value for key, value in row.items() if not key.startswith("_")}
        for key, value in shown.items():
            if isinstance(value, dict):
                table = json.loads(run.files[value["path"]])
                shown[key] = dict(
                    zip(table["columns"], map(list, zip(*table["data"], strict=True)), strict=True)
                )
        rows.append(shown)
    return rows


def steps_of(mirrored):
    """The rows that it should have: those of one iteration are one."""
    steps = {}
    for row in mirrored.rows:
        steps.setdefault(row["iteration"], {}).update(
            {key: v for key, v in row.items() if v is not None}
        )
    return list(steps.values())


def assert_whole(server, config, **where):
    record = record_of(config)
    for mirrored in read_wandb_runs(config, record):
        assert stored(server, mirrored, **where) == steps_of(mirrored)
        assert server.run(mirrored.init_arguments["id"], **where).state == (
            "failed" if mirrored.exit_code else "finished"
        )


def at(iteration, what):
    """In place of report_progress: do something after that iteration."""
    return lambda done, _: what() if done == iteration else None


def test_online_w_and_b_has_what_the_record_has_and_nothing_is_left_to_send(
    online, server, tmp_path, monkeypatch
):
    importlib.import_module("wandb")  # what that makes, it removes at the process's end
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    hooks = (
        sys.exit,
        sys.excepthook,
        [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)],
    )
    config = online()
    train(config)
    assert_whole(server, config)
    record = record_of(config)
    assert (
        len(read_training_run(config, record).rows)
        == len(record.valid_prefix(METRICS_FILE)) + len(record.valid_prefix(PROBES_FILE))
        == 11
    )
    sent = len(server.sent())
    assert sync(config) == [("complete already", True)]
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
    core = session_module._find_core()
    core.kill()
    core.wait()


def test_where_wandb_core_is_killed_training_goes_on_and_sync_sends_the_rest(
    online, server, monkeypatch, caplog
):
    monkeypatch.setattr(run_module, "report_progress", at(6, kill_core))
    config = online()
    assert train(config) is State.DONE
    assert caplog.text.count("W&B") == 1
    record = record_of(config)
    assert len(record.valid_prefix(METRICS_FILE)) == 3
    ((told, whole),) = sync(config)
    assert whole
    had = len(steps_of(read_training_run(config, record))) - int(told.split()[1])
    assert told == f"sent {5 - had} of 5 rows"
    assert_whole(server, config)


@pytest.mark.slow
def test_a_resumed_run_has_each_row_once(online, server, monkeypatch):
    stop = at(9, lambda: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(run_module, "report_progress", stop)
    config = online()
    with pytest.raises(Interrupted):
        train(config)
    run = server.run(read_training_run(config, record_of(config)).init_arguments["id"])
    before = dict(run.lines)
    assert run.state == "failed"
    assert [row["iteration"] for row in run.rows()] == [
        0,
        4,
        6,
    ]  # that of 8 may not have been whole
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    train(config)
    assert_whole(server, config)
    assert {number: run.lines[number] for number in before} == before


@pytest.mark.slow
def test_what_was_mirrored_offline_is_sent_once_and_its_folder_goes(tiny, server):
    config = tiny("tracking=offline")
    train(config)
    folders = record_of(config).root / "wandb"
    assert len(list(folders.glob("offline-run-*"))) == 1
    assert server.requests == []
    assert sync(config) == [("sent 5 of 5 rows", True)]
    assert_whole(server, config)
    assert not list(folders.glob("offline-run-*"))
    sent = len(server.sent())
    assert sync(config) == [("complete already", True)]
    assert len(server.sent()) == sent


@pytest.mark.slow
@pytest.mark.parametrize("iteration", [0, 6])
@pytest.mark.parametrize("trouble", ["401", "403", "500", "silent", "gone"])
@pytest.mark.parametrize("probes", ["probes=why", "probes=none"])
def test_a_server_in_trouble_costs_one_warning_and_no_row(
    online, server, monkeypatch, caplog, trouble, iteration, probes
):
    """From before the training, or from its middle, to its end; afterwards sync sends what is missing."""
    monkeypatch.setattr(session_module, "GRACE_S", 1.0)

    def begin():
        if trouble == "gone":
            server.absent.set()
        elif trouble == "silent":
            server.silent.set()
        else:
            server.refuse = int(trouble)

    if iteration == 0:
        begin()
    monkeypatch.setattr(run_module, "report_progress", at(iteration, begin))
    config = online(probes, "tracking.init_timeout=2")
    assert train(config) is State.DONE
    assert [record.levelname for record in caplog.records if "W&B" in record.message].count(
        "WARNING"
    ) == 1
    assert record_of(config).outcome() is State.DONE
    assert len(record_of(config).valid_prefix(METRICS_FILE)) == 3
    assert all(run.state != "finished" for run in server.runs.values())
    server.refuse = None
    server.silent.clear()
    server.absent.clear()
    ((_, whole),) = sync(config)
    assert whole
    assert_whole(server, config)


@pytest.mark.slow
def test_a_wrong_key_is_told_by_training_and_by_sync_and_loses_nothing(
    online, server, monkeypatch, caplog
):
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    config = online()
    assert train(config) is State.DONE
    assert caplog.text.count("W&B") == 1
    with pytest.raises(WandbError, match="not logged in"):
        sync(config)
    assert server.runs == {}
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert sync(config) == [("sent 5 of 5 rows", True)]
    assert_whole(server, config)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_entity_and_project_are_where_it_goes_and_the_key_stays_out_of_every_file(
    online, server, capfd, mode
):
    config = online("tracking.entity=a team", "tracking.project=elsewhere", f"tracking.mode={mode}")
    train(config)
    root = record_of(config).root
    written = [(path, path.read_bytes()) for path in root.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path, _ in written) == (mode == "offline")
    assert sync(config) == [("complete already" if mode == "online" else "sent 5 of 5 rows", True)]
    assert_whole(server, config, entity="a team", project="elsewhere")
    written += [(path, path.read_bytes()) for path in root.rglob("*") if path.is_file()]
    assert not [path for path, content in written if KEY.encode() in content]
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_probes_taken_afterwards_are_a_run_of_their_own_even_if_a_kill_came_before_it_was_mirrored(
    online, server, monkeypatch
):
    config = online()
    train(config)
    config.tracking.mode = "disabled"
    run_probes(config)  # as if it had been killed between the last row and W&B
    config.tracking.mode = "online"
    before = len(server.runs)
    (training, why) = sync(config)
    assert training == ("complete already", True)
    assert why == ("sent 4 of 4 rows", True)
    assert len(server.runs) == before + 1
    assert_whole(server, config)
    assert sync(config) == [("complete already", True)] * 2


@pytest.mark.slow
def test_explain_sends_what_sync_would_send(online, server):
    config = online()
    train(config)
    run_probes(config)
    assert_whole(server, config)
    assert sync(config) == [("complete already", True)] * 2


def words(config):
    return [
        "model.depth=8", "model.width=4", "optim.batch_size=32", "schedule.iterations=12", "schedule.milestones=[6]",
        "schedule.evaluate_every=4", "schedule.snapshots=[6]", "device=cpu", f"record_root={config.record_root}",
    ]  # fmt: skip


def run_sync(*given):
    script = Path(__file__).parents[2] / "experiments" / "sync.py"
    return subprocess.run(
        [sys.executable, script, *given], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_command_tells_a_line_a_run_and_what_is_in_the_way(tiny, server, monkeypatch):
    config = tiny("tracking=offline")
    train(config)
    record = record_of(config)
    with record.lock():
        told = run_sync(*words(config), "seed=0,1")
    assert told.returncode == 1
    assert told.stdout.splitlines() == [
        f"{record.run_id:<34} is being trained; sync it again when it has finished",
        "1 W&B runs: 0 complete on the server, 1 not",
    ]
    told = run_sync(*words(config), "seed=0,1")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        f"{record.run_id:<34} sent 5 of 5 rows",
        "1 W&B runs: 1 complete on the server, 0 not",
    ]
    assert run_sync("model.dpth=8").returncode == 1
    assert run_sync(*words(config), "tracking=disabled").stderr.startswith(
        "W&B: tracking.mode: 'disabled'"
    )
    server.absent.set()
    gone = run_sync(*words(config), "tracking.init_timeout=2")
    monkeypatch.delenv("WANDB_API_KEY")
    keyless = run_sync(*words(config))
    for refused in (gone, keyless):
        assert (refused.returncode, refused.stdout) == (1, "")
        assert len(refused.stderr.splitlines()) == 1
    assert keyless.stderr.startswith("W&B: no API key")


@pytest.mark.slow
def test_no_wandb_core_outlives_a_job_that_is_killed(server, tmp_path):
    """Neither where the server answers, nor where it is silent."""
    script = (
        "import sys; from pathlib import Path\n"
        "from degradation.config import Tracking\n"
        "from degradation.tracking import session\n"
        "from degradation.tracking.mirror import mirror\n"
        "with mirror(Tracking('online', 'p', None, 5.0, False), Path(sys.argv[1]), lambda: {'id': 'x'}, []) as send:\n"
        "    send({'iteration': 0, 'lr': 0.1})\n"
        "    send({'iteration': 1, 'lr': 0.1})\n"
        "    print(session._find_core().pid, flush=True)\n"
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
def test_a_sweep_of_the_pool_leaves_no_temporary_file(tiny, server, tmp_path, monkeypatch):
    config = tiny("tracking=online")
    script = Path(__file__).parents[2] / "experiments" / "train.py"
    sweep = [
        "seed=0,1",
        "hydra/launcher=pool",
        "tracking=online",
        f"hydra.sweep.dir={tmp_path / 'logs'}",
    ]
    with tempfile.TemporaryDirectory() as temporary:  # of a short name: sockets lie in it
        monkeypatch.setenv("TMPDIR", temporary)
        told = subprocess.run(
            [sys.executable, script, "-m", *words(config), *sweep], capture_output=True, check=False
        )
        assert told.returncode == 0, told.stderr
        assert os.listdir(temporary) == []
    assert sorted(run.state for run in server.runs.values()) == ["finished", "finished"]
    assert not (tmp_path / "home").exists()
    assert not list(Path(config.record_root).rglob(".tmp-*"))


@pytest.mark.slow
def test_a_wandb_core_that_hangs_is_ended_after_a_while(online, server, monkeypatch, caplog):
    monkeypatch.setattr(session_module, "GRACE_S", 1.0)
    cores = []

    def hang():
        cores.append(session_module._find_core())
        os.kill(cores[0].pid, signal.SIGSTOP)

    monkeypatch.setattr(run_module, "report_progress", at(6, hang))
    config = online("tracking.init_timeout=2")
    assert train(config) is State.DONE
    assert caplog.text.count("W&B stopped mirroring") == 1
    assert cores[0].returncode == -signal.SIGKILL
    ((_, whole),) = sync(config)
    assert whole
    assert_whole(server, config)


@pytest.mark.slow
def test_tables_whose_files_were_lost_are_sent_again(online, server):
    """The row that points at a table goes before the table's file does."""
    server.refuse, server.refusing = 403, "CreateRunFiles"
    config = online()
    train(config)
    mirrored = read_training_run(config, record_of(config))
    assert len(server.run(mirrored.init_arguments["id"]).lines) == 5
    assert server.run(mirrored.init_arguments["id"]).files == {}
    server.refuse = None
    assert sync(config) == [("sent 0 of 5 rows", True)]
    assert_whole(server, config)
