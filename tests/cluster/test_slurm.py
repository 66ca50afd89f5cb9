"""The slurm launcher on a real SLURM of one node: killed and timed-out jobs, and the same records as the pool's."""

import contextlib
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, OUTCOME, State
from tests.cluster.short_sweeps import assert_equal, records, start, told, until
from tests.support.one_node_slurm import ClusterError, cluster, install

pytestmark = pytest.mark.cluster
GRID = ["model=plain,residual", "model.depth=8,14,20,110"]
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


def until_out_of_time(record):
    """The run stands still, however fast this machine is, until SLURM has told it that its time is over."""
    (begun,) = until(
        lambda: record.valid_prefix(METRICS_FILE) and record.valid_prefix(ATTEMPTS_FILE)
    )
    process, warning = begun["process"], 1 << (signal.SIGUSR2 - 1)
    os.kill(process, signal.SIGSTOP)
    until(lambda: pending(process) & warning or len(record.valid_prefix(ATTEMPTS_FILE)) > 1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


def pending(process):
    """The signals that a process has been sent and has not handled."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:  # it is over
        return 0
    return int(re.search(r"^ShdPnd:\s*(\w+)", status, re.MULTILINE)[1], 16)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """The same sweep, undisturbed, on this machine's own slots."""
    folder = tmp_path_factory.mktemp("pool")
    assert start(folder, *GRID).wait() == 0
    return records(folder, *GRID)


def test_a_sweep_of_which_a_job_is_killed_and_one_reaches_its_time_limit(slurm, pool, tmp_path):
    folder = tmp_path / "sweep"
    victim, limited = (
        next(
            record
            for record in records(folder, *GRID)
            if record.run_id.startswith(f"{family}-d110")
        )
        for family in ("residual", "plain")
    )
    first = start(folder, *GRID, *SLURM, environment=slurm)
    waiting = ThreadPoolExecutor(1).submit(until_out_of_time, limited)
    until(lambda: victim.valid_prefix(METRICS_FILE))  # it has been trained for a while
    number = (folder / f"multirun/{victim.run_id}.log").resolve().parent.name
    subprocess.run(["scancel", "--signal=KILL", number], env=slurm, check=True)
    waiting.result()
    lines = told(first)
    assert first.returncode == 1, lines
    assert "8 submitted" in lines
    assert lines.count(" failed: ") == 1
    assert f"{victim.run_id} failed: job {number} was ended by SLURM or by a signal" in lines
    assert "7 done, 1 failed" in lines
    # requeued by itself, once or more, and each time from its checkpoint
    ends = [row[OUTCOME] for row in limited.valid_prefix(ATTEMPTS_FILE) if OUTCOME in row]
    assert len(ends) >= 2
    assert ends == ["interrupted"] * (len(ends) - 1) + ["done"]
    log = (folder / f"multirun/{limited.run_id}.log").read_text()
    reached = list(map(int, re.findall(r"resumes from iteration (\d+)", log)))
    assert len(reached) == len(ends) - 1
    assert reached == sorted(set(reached))
    assert victim.state() is State.PARTIAL

    second = start(folder, *GRID, *SLURM, environment=slurm)
    lines = told(second)
    assert second.returncode == 0, lines
    assert "7 of 8 runs have nothing left to do; 1 submitted" in lines
    assert lines.count(": job ") == 1
    assert f"{victim.run_id}: job " in lines

    third = start(folder, *GRID, *SLURM, environment=slurm)
    lines = told(third)
    assert third.returncode == 0, lines
    assert "submitted" not in lines
    assert "8 done before" in lines

    assert_equal(records(folder, *GRID), pool)


def test_the_waiting_process_may_die_and_the_same_command_waits_for_its_jobs(slurm, tmp_path):
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=8,14,20"]
    first = start(folder, *few, *SLURM, "hydra.launcher.array_parallelism=1", environment=slurm)
    logs = folder / "multirun"
    until(lambda: len(list(logs.glob("*.log"))) == 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = start(folder, *few, *SLURM, environment=slurm)
    lines = told(second)
    assert second.returncode == 0, lines
    assert "0 submitted" in lines
    assert "3 runs: 3 done" in lines
    assert len(list((logs / ".submitit").glob("[0-9]*_*"))) == 3


def test_ctrl_c_ends_the_waiting_only(slurm, tmp_path):
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=8,14"]
    first = start(folder, *few, *SLURM, environment=slurm)
    logs = folder / "multirun"
    until(lambda: len(list(logs.glob("*.log"))) == 2)
    first.send_signal(signal.SIGINT)
    lines = told(first)
    assert first.returncode == 128 + signal.SIGINT, lines
    assert "the submitted jobs continue" in lines
    second = start(folder, *few, *SLURM, environment=slurm)
    assert second.wait() == 0


def test_without_slurm_it_is_one_line(tmp_path):
    environment = os.environ | {"PATH": str(tmp_path)}
    environment.pop("SLURM_CONF", None)
    first = start(tmp_path / "sweep", "model.depth=8", *SLURM, environment=environment)
    lines = told(first)
    assert first.returncode == 1
    assert lines.startswith("hydra/launcher=slurm: ")
    assert lines.count("\n") == 1
