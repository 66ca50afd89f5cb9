"""The ray launcher on a real cluster of two nodes, of which one is killed in the middle. Needs the extra `ray`."""

import signal

import pytest

from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, OUTCOME
from tests.cluster.short_sweeps import assert_equal, records, start, told, until

Cluster = pytest.importorskip("ray.cluster_utils").Cluster

pytestmark = pytest.mark.cluster
GRID = ["model=plain,residual", "model.depth=8,20", "seed=0,1"]


@pytest.fixture
def cluster():
    """A head, which runs nothing, and two nodes of one core each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster, nodes
    cluster.shutdown()


def test_a_node_is_killed_in_the_middle_and_the_same_command_ends_every_run(cluster, tmp_path):
    cluster, nodes = cluster
    address = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
    pool = tmp_path / "pool"
    assert start(pool, *GRID).wait() == 0

    folder = tmp_path / "sweep"
    first = start(folder, *GRID, *address)
    trained = records(folder, *GRID)
    until(
        lambda: sum(bool(record.valid_prefix(METRICS_FILE)) for record in trained) >= 2
    )  # both nodes are at it
    cluster.remove_node(nodes[0], allow_graceful=False)
    lines = told(first)
    assert first.returncode == 1, lines
    assert "8 to run on Ray (2 CPUs, 0 GPUs)" in lines
    assert lines.count(" failed: ") == 1
    assert "its process was lost" in lines
    assert "7 done, 1 failed" in lines

    second = start(folder, *GRID, *address)
    lines = told(second)
    assert second.returncode == 0, lines
    assert "7 of 8 runs have nothing left to do; 1 to run on Ray (1 CPUs, 0 GPUs)" in lines

    assert_equal(trained, records(pool, *GRID))
    for record in trained:
        ends = [row[OUTCOME] for row in record.valid_prefix(ATTEMPTS_FILE) if OUTCOME in row]
        assert ends == ["done"]  # none was trained twice


def test_ctrl_c_saves_every_checkpoint(cluster, tmp_path):
    cluster, _ = cluster
    folder = tmp_path / "sweep"
    few = ["model.depth=20", "seed=0,1", "schedule.iterations=2000"]
    address = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
    first = start(folder, *few, *address)
    begun = records(folder, *few)
    until(lambda: all(record.valid_prefix(METRICS_FILE) for record in begun))
    first.send_signal(signal.SIGINT)
    lines = told(first)
    assert first.returncode == 128 + signal.SIGINT, lines
    assert "stopping 2 runs" in lines
    for record in begun:
        assert record.valid_prefix(ATTEMPTS_FILE)[-1][OUTCOME] == "interrupted"
        assert not record.is_locked()


def test_without_a_cluster_it_is_one_line(tmp_path):
    first = start(tmp_path / "sweep", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1")
    lines = told(first)
    assert first.returncode == 1
    assert lines.startswith("hydra.launcher.address: '127.0.0.1:1': ")
    assert lines.count("\n") == 1, lines
