"""The slurm launcher on a real SLURM of one node: killed and timed-out jobs, and the same records as the pool's."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from degradation.config import CONF
from degradation.grid import expand
from degradation.records.schema import ATTEMPTS, METRICS, OUTCOME, WEIGHTS, State
from degradation.training import checkpoint
from tests.cluster.one_node_slurm import ClusterError, cluster, install

pytestmark = pytest.mark.cluster
TRAIN = str(CONF.parent / "experiments/train.py")
# eight short runs
SWEEP = [
    "model=plain,residual", "model.depth=8,14,20,110", "model.width=4", "optim.batch_size=32",
    "schedule.iterations=300",
    "schedule.milestones=[150]", "schedule.evaluate_every=20", "schedule.snapshots=[150]", "probes=none",
    "tracking=disabled", "device=cpu",
]  # fmt: skip
# a minute is the shortest limit that SLURM has; the warning comes so long before it, or up to half a minute earlier
SLURM = ["hydra/launcher=slurm", "hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=10"]


@pytest.fixture(scope="module")
def slurm():
    try:
        install()
    except ClusterError as problem:
        pytest.skip(str(problem))
    with cluster(cores=2) as environment:
        yield environment


def command(folder, *words):
    return [sys.executable, TRAIN, "-m", *SWEEP, f"record_root={folder / 'runs'}", *words]


def start(folder, environment, *words):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        command(folder, *words), cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def until(holds):
    """Poll; the test's own time limit is the runner's."""
    while not (found := holds()):
        time.sleep(0.2)
    return found


def until_out_of_time(record):
    """The run stands still, however fast this machine is, until SLURM has told it that its time is over."""
    (start,) = until(lambda: record.rows(METRICS) and record.rows(ATTEMPTS))
    process, told = start["process"], 1 << (signal.SIGUSR2 - 1)
    os.kill(process, signal.SIGSTOP)
    until(lambda: pending(process) & told or len(record.rows(ATTEMPTS)) > 1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


def pending(process):
    """The signals that a process has been sent and has not handled."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:  # it is over
        return 0
    return int(re.search(r"^ShdPnd:\s*(\w+)", status, re.MULTILINE)[1], 16)


def records(folder):
    return [run.record for run in expand([*SWEEP, f"record_root={folder / 'runs'}"])]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """The same sweep, undisturbed, on this machine's own slots."""
    folder = tmp_path_factory.mktemp("pool")
    subprocess.run(command(folder), cwd=folder, check=True)
    return records(folder)


def test_a_sweep_of_which_a_job_is_killed_and_one_reaches_its_time_limit(slurm, pool, tmp_path):
    folder = tmp_path / "sweep"
    victim, limited = (
        next(record for record in records(folder) if record.run_id.startswith(f"{family}-d110"))
        for family in ("residual", "plain")
    )
    first = start(folder, slurm, *SLURM)
    waiting = ThreadPoolExecutor(1).submit(until_out_of_time, limited)
    until(lambda: victim.rows(METRICS))  # it has been trained for a while
    number = (folder / f"multirun/{victim.run_id}.log").resolve().parent.name
    subprocess.run(["scancel", "--signal=KILL", number], env=slurm, check=True)
    waiting.result()
    told = first.communicate()[1]
    assert first.returncode == 1, told
    assert "8 submitted" in told
    assert told.count("failed: ") == 1
    assert f"failed: {victim.run_id}: job {number} was ended by SLURM or a signal" in told
    assert "7 done, 1 failed" in told
    # requeued by itself, once or more, and each time from its checkpoint
    ends = [row[OUTCOME] for row in limited.rows(ATTEMPTS) if OUTCOME in row]
    assert len(ends) >= 2
    assert ends == ["interrupted"] * (len(ends) - 1) + ["done"]
    log = (folder / f"multirun/{limited.run_id}.log").read_text()
    reached = list(map(int, re.findall(r"goes on from iteration (\d+)", log)))
    assert len(reached) == len(ends) - 1
    assert reached == sorted(set(reached))
    assert victim.state() is State.PARTIAL

    second = start(folder, slurm, *SLURM)
    told = second.communicate()[1]
    assert second.returncode == 0, told
    assert "7 of 8 are settled already; 1 submitted" in told
    assert told.count(": job ") == 1
    assert f"{victim.run_id}: job " in told

    third = start(folder, slurm, *SLURM)
    told = third.communicate()[1]
    assert third.returncode == 0, told
    assert "submitted" not in told
    assert "8 done before" in told

    for record, expected in zip(records(folder), pool, strict=True):
        assert record.outcome(every_byte=True) is State.DONE
        assert record.read(METRICS) == expected.read(METRICS)
        one, other = (checkpoint.load(each.read(WEIGHTS)) for each in (record, expected))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_waiting_process_may_die_and_the_same_command_waits_for_its_jobs(slurm, tmp_path):
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=8,14,20"]
    first = start(folder, slurm, *few, *SLURM, "hydra.launcher.array_parallelism=1")
    logs = folder / "multirun"
    until(lambda: len(list(logs.glob("*.log"))) == 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = start(folder, slurm, *few, *SLURM)
    told = second.communicate()[1]
    assert second.returncode == 0, told
    assert "0 submitted" in told
    assert "3 runs: 3 done" in told
    assert len(list((logs / ".submitit").glob("[0-9]*_*"))) == 3


def test_ctrl_c_ends_the_waiting_only(slurm, tmp_path):
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=8,14"]
    first = start(folder, slurm, *few, *SLURM)
    logs = folder / "multirun"
    until(lambda: len(list(logs.glob("*.log"))) == 2)
    first.send_signal(signal.SIGINT)
    told = first.communicate()[1]
    assert first.returncode == 128 + signal.SIGINT, told
    assert "the jobs that were submitted go on" in told
    second = start(folder, slurm, *few, *SLURM)
    assert second.wait() == 0


def test_a_warning_before_the_job_has_begun_is_no_warning(tmp_path):
    first = start(tmp_path / "sweep", os.environ, *SLURM[:2], "hydra.launcher.signal_delay_s=45")
    told = first.communicate()[1]
    assert first.returncode == 1
    assert told.startswith("hydra.launcher.signal_delay_s: 45 is not allowed; allowed: 1 to 29 ")
    assert told.count("\n") == 1


def test_without_slurm_it_is_one_line(tmp_path):
    environment = os.environ | {"PATH": str(tmp_path)}
    environment.pop("SLURM_CONF", None)
    first = start(tmp_path / "sweep", environment, "model=residual", "model.depth=8", *SLURM)
    told = first.communicate()[1]
    assert first.returncode == 1
    assert told.startswith("hydra/launcher=slurm: ")
    assert told.count("\n") == 1
