"""Several processes that train a run together give the numbers of one process, and one record."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from degradation.config import CONF, ConfigError
from degradation.data.datasets import load_dataset
from degradation.data.random_streams import Shard
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, OUTCOME, REASON, State
from degradation.run import train
from degradation.sweep.runs import expand_runs
from degradation.training import distributed, serialization
from degradation.training.distributed import SINGLE, WorkerGroup, init_distributed
from degradation.training.trainer import Trainer

TRAIN = str(CONF.parent / "experiments" / "train.py")


def torchrun(script, *arguments, processes=2):
    """Run a script by torchrun, and return its exit status and output."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    process = subprocess.run(
        [*command, script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return process.returncode, process.stdout + process.stderr


def losses_in_float64(config, group):
    """Return the loss and this process's labels of each iteration, and the final weights."""
    trainer = Trainer(config, load_dataset(config.data), torch.device("cpu"))
    trainer.network.double()
    trainer.join(group)
    compute_batch, all_labels, losses = trainer.loader.compute_batch, [], []

    def compute_in_float64(inputs):
        images, labels = compute_batch(inputs)
        all_labels.append(labels)
        return images.double(), labels

    trainer.loader.compute_batch = compute_in_float64
    for _ in range(config.schedule.iterations):
        trainer.sums.loss = torch.zeros((), dtype=torch.float64)
        trainer.step()
        losses.append(trainer.sums.loss)
    return {
        "losses": torch.stack(losses),
        "labels": torch.stack(all_labels),
        "weights": serialization.copy_weights(trainer.network),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [
        ["model.shortcut=A", "optim.lr=0.1"],
        ["model.shortcut=none", "optim=adam", "optim.lr=0.01"],
    ],
    ids=str,
)
def test_two_processes_equal_one_with_two_bn_parts(tiny, tiny_overrides, tmp_path, keys):
    overrides = ["model.bn_parts=2", "schedule.iterations=50", *keys]
    expected = losses_in_float64(tiny(*overrides), SINGLE)
    status, output = torchrun(__file__, "losses", tmp_path, *tiny_overrides, *overrides)
    assert status == 0, output
    first, second = (serialization.load((tmp_path / f"{rank}.pt").read_bytes()) for rank in (0, 1))
    assert torch.equal(torch.cat([first["labels"], second["labels"]], 1), expected["labels"])
    assert len(expected["losses"]) == 50
    assert expected["losses"][-1] < 0.9 * expected["losses"][0]
    for result in (first, second):
        torch.testing.assert_close(result["losses"], expected["losses"], rtol=0, atol=1e-9)
        for name, tensor in expected["weights"].items():
            torch.testing.assert_close(result["weights"][name], tensor, rtol=0, atol=1e-9)


@pytest.fixture
def shared(tiny, tiny_overrides, tmp_path):
    """Return the overrides of a run for two processes, its record, and one process's rows."""
    overrides = [*tiny_overrides, "model.bn_parts=2", f"record_root={tmp_path / 'two'}"]
    (run,) = expand_runs(overrides)
    config = tiny("model.bn_parts=2")
    assert train(config) is State.DONE
    (single,) = expand_runs([*overrides[:-1], f"record_root={config.record_root}"])
    return overrides, run.record, single.record.valid_prefix(METRICS_FILE)


def assert_trained(record, expected):
    assert record.outcome(verify_contents=True) is State.DONE
    rows = record.valid_prefix(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [4, 8, 12]
    for row, other in zip(rows, expected, strict=True):
        # one image of 1,437 may be classified differently
        assert row == pytest.approx(other, rel=1e-3, abs=0.2)
    starts = [row["attempt"] for row in record.valid_prefix(ATTEMPTS_FILE) if "start" in row]
    assert starts == list(range(1, len(starts) + 1))


@pytest.mark.slow
def test_two_processes_write_one_record_once(shared):
    overrides, record, expected = shared
    status, output = torchrun(TRAIN, *overrides)
    assert status == 0, output
    assert_trained(record, expected)
    assert record.valid_prefix(ATTEMPTS_FILE)[0]["processes"] == 2
    before = record.read(ATTEMPTS_FILE)
    status, output = torchrun(TRAIN, *overrides)
    assert status == 0, output
    assert output.count("already done") == 1
    assert record.read(ATTEMPTS_FILE) == before


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_run_resumes_after_one_process_is_killed(shared, victim):
    overrides, record, expected = shared
    status, output = torchrun(__file__, "inject_signal", victim, "SIGKILL", *overrides)
    assert status != 0
    end = record.valid_prefix(ATTEMPTS_FILE)[-1]
    if victim == 1:  # the main process survives, and records the end of the attempt
        assert record.state() is State.FAILED
        assert end[OUTCOME] == State.FAILED
        assert end["iteration"] == 5
        assert end[REASON]
    else:
        assert record.state() is State.PARTIAL
    status, output = torchrun(TRAIN, *overrides)
    assert status == 0, output
    assert "resumes from iteration 4" in output
    assert_trained(record, expected)


@pytest.mark.slow
def test_all_processes_stop_at_the_same_iteration(shared):
    overrides, record, expected = shared
    status, output = torchrun(__file__, "inject_signal", 1, "SIGTERM", *overrides)
    assert status != 0
    end = record.valid_prefix(ATTEMPTS_FILE)[-1]
    assert (end[OUTCOME], end["iteration"]) == ("interrupted", 6)
    status, output = torchrun(TRAIN, *overrides)
    assert status == 0, output
    assert "resumes from iteration 6" in output
    assert_trained(record, expected)


@pytest.mark.slow
def test_impossible_process_counts_are_refused(tiny_overrides, tmp_path):
    for overrides, line in (
        (["seed=0"], "model.bn_parts: 1 is not allowed with 2 processes"),
        (["-m", "seed=0,1"], "torchrun: a sweep cannot run under it"),
    ):
        status, output = torchrun(
            TRAIN, *overrides, *tiny_overrides, f"record_root={tmp_path / 'runs'}"
        )
        assert status != 0
        assert line in output
        assert not (tmp_path / "runs").exists()


def test_shards_partition_a_batch_in_order():
    batch = torch.arange(24)
    for count in (1, 2, 3, 8):
        shares = [Shard(rank, count) for rank in range(count)]
        assert torch.equal(torch.cat([share.select(batch) for share in shares]), batch)
        assert all(sum(share.has_batch(number) for share in shares) == 1 for number in range(9))


def build_norms(*momenta):
    return nn.Sequential(*[nn.BatchNorm2d(3, momentum=momentum) for momentum in momenta])


def test_each_layers_averages_decay_by_its_own_momentum(monkeypatch):
    """Both processes compute the same parts: the merged averages are those after both, in order."""
    parts = torch.randn(2, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    single, shared = build_norms(0.1, 0.3, 0.0), build_norms(0.1, 0.3, 0.0)
    for part in (*parts, *parts):
        single(part)

    def gather_equal(gathered, own):
        for tensor in gathered:
            tensor.copy_(own)

    monkeypatch.setattr(distributed.dist, "all_gather", gather_equal)
    with WorkerGroup(Shard(0, 2)).merged_batchnorm(shared, bn_parts=4):
        for part in parts:
            shared(part)
    for name, buffer in single.named_buffers():
        torch.testing.assert_close(shared.get_buffer(name), buffer)


def test_averages_without_a_momentum_are_refused():
    with pytest.raises(ConfigError, match=r"^model.network: a BN layer with momentum=None cannot"):
        WorkerGroup(Shard(0, 2)).wrap(build_norms(0.1, None), bn_parts=2)
    SINGLE.wrap(build_norms(0.1, None), bn_parts=2)


def losses(folder, *overrides):
    (run,) = expand_runs(list(overrides))
    with init_distributed(run.config) as group:
        result = losses_in_float64(run.config, group)
        Path(folder, f"{group.shard.rank}.pt").write_bytes(serialization.dump(result))


def inject_signal(victim, kind, *overrides):
    """Run train.py, but send one process a signal before its sixth update."""
    step = Trainer.step

    def step_and_signal(trainer):
        if trainer.iteration == 5 and os.environ["RANK"] == victim:
            os.kill(os.getpid(), signal.Signals[kind])
        step(trainer)

    Trainer.step = step_and_signal
    sys.argv = [TRAIN, *overrides]
    runpy.run_path(TRAIN, run_name="__main__")


if __name__ == "__main__":
    {"losses": losses, "inject_signal": inject_signal}[sys.argv[1]](*sys.argv[2:])
