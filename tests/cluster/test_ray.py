"""The ray launcher on a real cluster of two nodes; needs the extra `ray`."""

import signal

import pytest

from degradation.cli import RUNS_FAILED_STATUS
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, OUTCOME
from tests.cluster.short_sweeps import (
    assert_equal_records,
    list_records,
    read_errors,
    start_sweep,
    wait_until,
)

Cluster = pytest.importorskip("ray.cluster_utils").Cluster

pytestmark = pytest.mark.cluster
GRID = ["model=plain,residual", "model.depth=8,20", "seed=0,1"]


@pytest.fixture
def cluster():
    """A head that runs no jobs, and two nodes of one core each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster, nodes
    cluster.shutdown()


def test_killed_node_costs_one_attempt(cluster, tmp_path):
    cluster, nodes = cluster
    address = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
    pool = tmp_path / "pool"
    assert start_sweep(pool, *GRID).wait() == 0

    folder = tmp_path / "sweep"
    first = start_sweep(folder, *GRID, *address)
    records = list_records(folder, *GRID)
    # wait until both nodes train
    wait_until(lambda: sum(bool(record.valid_prefix(METRICS_FILE)) for record in records) >= 2)
    cluster.remove_node(nodes[0], allow_graceful=False)
    output = read_errors(first)
    assert first.returncode == RUNS_FAILED_STATUS, output
    assert "8 to run on Ray (2 CPUs, 0 GPUs)" in output
    assert output.count(" failed: ") == 1
    assert "its process was lost" in output
    assert "7 done, 1 failed" in output

    second = start_sweep(folder, *GRID, *address)
    output = read_errors(second)
    assert second.returncode == 0, output
    assert "7 of 8 runs have nothing left to do; 1 to run on Ray (1 CPUs, 0 GPUs)" in output

    assert_equal_records(records, list_records(pool, *GRID))
    for record in records:
        outcomes = [row[OUTCOME] for row in record.valid_prefix(ATTEMPTS_FILE) if OUTCOME in row]
        assert outcomes == ["done"]  # no run was trained twice


def test_ctrl_c_saves_every_checkpoint(cluster, tmp_path):
    cluster, _ = cluster
    folder = tmp_path / "sweep"
    few = ["model.depth=20", "seed=0,1", "schedule.iterations=2000"]
    address = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
    first = start_sweep(folder, *few, *address)
    records = list_records(folder, *few)
    wait_until(lambda: all(record.valid_prefix(METRICS_FILE) for record in records))
    first.send_signal(signal.SIGINT)
    output = read_errors(first)
    assert first.returncode == 128 + signal.SIGINT, output
    assert "stopping 2 runs" in output
    for record in records:
        assert record.valid_prefix(ATTEMPTS_FILE)[-1][OUTCOME] == "interrupted"
        assert not record.is_locked()


def test_missing_cluster_is_one_line(tmp_path):
    sweep = start_sweep(
        tmp_path / "sweep", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"
    )
    output = read_errors(sweep)
    assert sweep.returncode == 1
    assert output.startswith("hydra.launcher.address: '127.0.0.1:1': ")
    assert output.count("\n") == 1, output
