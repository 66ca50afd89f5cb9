"""The ray launcher on a real cluster of two nodes, of which one is killed in the middle. Needs the extra `ray`."""

import signal
import subprocess
import sys
import time

import pytest
import torch

from degradation.config import CONF
from degradation.grid import expand
from degradation.records.schema import ATTEMPTS, METRICS, OUTCOME, WEIGHTS, State
from degradation.training import checkpoint

Cluster = pytest.importorskip("ray.cluster_utils").Cluster

pytestmark = pytest.mark.cluster
TRAIN = str(CONF.parent / "experiments/train.py")
SWEEP = [
    "model=plain,residual", "model.depth=8,20", "seed=0,1", "model.width=4", "optim.batch_size=32",
    "schedule.iterations=300", "schedule.milestones=[150]", "schedule.evaluate_every=20", "schedule.snapshots=[150]",
    "probes=none", "tracking=disabled", "device=cpu",
]  # fmt: skip


@pytest.fixture
def cluster():
    """A head, which runs nothing, and two nodes of one core each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster, nodes
    cluster.shutdown()


def command(folder, *words):
    return [sys.executable, TRAIN, "-m", *SWEEP, f"record_root={folder / 'runs'}", *words]


def start(folder, *words):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(command(folder, *words), cwd=folder, stderr=subprocess.PIPE, text=True)


def records(folder):
    return [run.record for run in expand([*SWEEP, f"record_root={folder / 'runs'}"])]


def test_a_node_is_killed_in_the_middle_and_the_same_command_ends_every_run(cluster, tmp_path):
    cluster, nodes = cluster
    address = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
    pool = tmp_path / "pool"
    pool.mkdir()
    subprocess.run(command(pool), cwd=pool, check=True)

    folder = tmp_path / "sweep"
    first = start(folder, *address)
    while sum(bool(record.rows(METRICS)) for record in records(folder)) < 2:  # both nodes are at it
        time.sleep(0.1)
    cluster.remove_node(nodes[0], allow_graceful=False)
    told = first.communicate()[1]
    assert first.returncode == 1, told
    assert "8 to run on Ray (2 CPUs, 0 GPUs)" in told
    assert told.count("failed: ") == 1
    assert "its process was lost" in told
    assert "7 done, 1 failed" in told

    second = start(folder, *address)
    told = second.communicate()[1]
    assert second.returncode == 0, told
    assert "7 of 8 are settled already; 1 to run on Ray (1 CPUs, 0 GPUs)" in told

    for record, expected in zip(records(folder), records(pool), strict=True):
        assert record.outcome(every_byte=True) is State.DONE
        assert record.read(METRICS) == expected.read(METRICS)
        one, other = (checkpoint.load(each.read(WEIGHTS)) for each in (record, expected))
        assert all(torch.equal(one[name], other[name]) for name in one)
        ends = [row[OUTCOME] for row in record.rows(ATTEMPTS) if OUTCOME in row]
        assert ends == ["done"]  # none was trained twice


def test_ctrl_c_saves_every_checkpoint(cluster, tmp_path):
    cluster, _ = cluster
    folder = tmp_path / "sweep"
    few = ["model=residual", "model.depth=20", "schedule.iterations=2000"]
    address = ["hydra/launcher=ray", f"hydra.launcher.address={cluster.address}"]
    first = start(folder, *few, *address)
    begun = [run.record for run in expand([*SWEEP, *few, f"record_root={folder / 'runs'}"])]
    while not all(record.rows(METRICS) for record in begun):
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    told = first.communicate()[1]
    assert first.returncode == 128 + signal.SIGINT, told
    assert "stopping 2 jobs" in told
    for record in begun:
        assert record.rows(ATTEMPTS)[-1][OUTCOME] == "interrupted"
        assert not record.locked()


def test_without_a_cluster_it_is_one_line(tmp_path):
    first = start(tmp_path / "sweep", "hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1")
    told = first.communicate()[1]
    assert first.returncode == 1
    assert told.startswith("hydra.launcher.address: '127.0.0.1:1': ")
    assert told.count("\n") == 1, told
