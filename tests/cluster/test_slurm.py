"""The slurm launcher on a real one-node cluster: killed, timed-out and queued jobs."""

import contextlib
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from degradation.cli import RUNS_FAILED_STATUS
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, OUTCOME, State
from tests.cluster.short_sweeps import (
    assert_equal_records,
    list_records,
    read_errors,
    start_sweep,
    wait_until,
)
from tests.support.one_node_slurm import ClusterError, cluster, install

pytestmark = pytest.mark.cluster
GRID = ["model=plain,residual", "model.depth=8,14,20,110"]
# One minute is SLURM's shortest limit; its warning comes 10 s before it, or up to 30 s earlier.
SLURM = ["hydra/launcher=slurm", "hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=10"]


@pytest.fixture(scope="module")
def slurm():
    try:
        install()
    except ClusterError as error:
        pytest.skip(str(error))
    with cluster(cores=2) as environment:
        yield environment


def hold_until_out_of_time(record):
    """Suspend the run's process until SLURM has sent its warning, however fast this machine is."""
    attempts = wait_until(
        lambda: record.valid_prefix(METRICS_FILE) and record.valid_prefix(ATTEMPTS_FILE)
    )
    if len(attempts) > 1:  # on a busy machine, the limit came before the first evaluation
        return
    process, warning = attempts[0]["process"], 1 << (signal.SIGUSR2 - 1)
    os.kill(process, signal.SIGSTOP)

    def is_warned():
        has_ended = len(record.valid_prefix(ATTEMPTS_FILE)) > 1
        return has_ended or read_pending_signals(process) & warning

    wait_until(is_warned)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


def read_pending_signals(process):
    """Return the mask of the signals that are pending for a process."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:  # the process has ended
        return 0
    return int(re.search(r"^ShdPnd:\s*(\w+)", status, re.MULTILINE)[1], 16)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """The records of the same sweep, undisturbed, run by the pool launcher."""
    folder = tmp_path_factory.mktemp("pool")
    assert start_sweep(folder, *GRID).wait() == 0
    return list_records(folder, *GRID)


def count_resumptions(record, folder):
    """Return how often a timed-out run was requeued; each time, it resumed from a checkpoint."""
    rows = record.valid_prefix(ATTEMPTS_FILE)
    outcomes = [row[OUTCOME] for row in rows if OUTCOME in row]
    assert outcomes == ["interrupted"] * (len(outcomes) - 1) + ["done"]
    log = (folder / f"multirun/{record.run_id}.log").read_text()
    iterations = list(map(int, re.findall(r"resumes from iteration (\d+)", log)))
    assert len(iterations) == len(outcomes) - 1
    assert iterations == sorted(set(iterations))
    return len(iterations)


def test_killed_and_timed_out_jobs(slurm, pool, tmp_path):
    folder = tmp_path / "sweep"
    records = {record.run_id: record for record in list_records(folder, *GRID)}
    (victim,) = [records[run_id] for run_id in records if run_id.startswith("residual-d110")]
    (limited,) = [records[run_id] for run_id in records if run_id.startswith("plain-d110")]
    first = start_sweep(folder, *GRID, *SLURM, environment=slurm)
    waiting = ThreadPoolExecutor(1).submit(hold_until_out_of_time, limited)
    wait_until(lambda: victim.valid_prefix(METRICS_FILE))  # it is training
    number = (folder / f"multirun/{victim.run_id}.log").resolve().parent.name
    subprocess.run(["scancel", "--signal=KILL", number], env=slurm, check=True)
    waiting.result()
    output = read_errors(first)
    assert first.returncode == RUNS_FAILED_STATUS, output
    assert "8 submitted" in output
    assert output.count(" failed: ") == 1
    assert f"{victim.run_id} failed: job {number} was ended by SLURM or by a signal" in output
    assert "7 done, 1 failed" in output
    assert count_resumptions(limited, folder) >= 1
    assert victim.state() is State.PARTIAL

    second = start_sweep(folder, *GRID, *SLURM, environment=slurm)
    output = read_errors(second)
    assert second.returncode == 0, output
    assert "7 of 8 runs have nothing left to do; 1 submitted" in output
    assert output.count(": job ") == 1
    assert f"{victim.run_id}: job " in output

    third = start_sweep(folder, *GRID, *SLURM, environment=slurm)
    output = read_errors(third)
    assert third.returncode == 0, output
    assert "submitted" not in output
    assert "8 done before" in output

    assert_equal_records(list_records(folder, *GRID), pool)


def test_same_command_waits_for_queued_jobs_again(slurm, tmp_path):
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=8,14,20"]
    first = start_sweep(
        folder, *few, *SLURM, "hydra.launcher.array_parallelism=1", environment=slurm
    )
    logs = folder / "multirun"
    wait_until(lambda: len(list(logs.glob("*.log"))) == 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = start_sweep(folder, *few, *SLURM, environment=slurm)
    output = read_errors(second)
    assert second.returncode == 0, output
    assert "0 submitted" in output
    assert "3 runs: 3 done" in output
    assert len(list((logs / ".submitit").glob("[0-9]*_*"))) == 3


def test_ctrl_c_leaves_the_jobs_running(slurm, tmp_path):
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=8,14"]
    first = start_sweep(folder, *few, *SLURM, environment=slurm)
    logs = folder / "multirun"
    wait_until(lambda: len(list(logs.glob("*.log"))) == 2)
    first.send_signal(signal.SIGINT)
    output = read_errors(first)
    assert first.returncode == 128 + signal.SIGINT, output
    assert "the submitted jobs continue" in output
    second = start_sweep(folder, *few, *SLURM, environment=slurm)
    assert second.wait() == 0


def test_missing_slurm_is_one_line(tmp_path):
    environment = os.environ | {"PATH": str(tmp_path)}
    environment.pop("SLURM_CONF", None)
    first = start_sweep(tmp_path / "sweep", "model.depth=8", *SLURM, environment=environment)
    output = read_errors(first)
    assert first.returncode == 1
    assert output.startswith("hydra/launcher=slurm: ")
    assert output.count("\n") == 1
