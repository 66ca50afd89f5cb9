"""Several processes that train one run: the same numbers as one process has, and one record."""

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from degradation.config import CONF
from degradation.data.datasets import load_dataset
from degradation.data.random_streams import Shard
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, OUTCOME, REASON, State
from degradation.run import train
from degradation.sweep.jobs import expand_runs
from degradation.training import serialization
from degradation.training.distributed import SINGLE, init_distributed
from degradation.training.trainer import Trainer

TRAIN = str(CONF.parent / "experiments" / "train.py")


def torchrun(script, *words, processes=2):
    """Its exit status and what it printed."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    done = subprocess.run(
        [*command, script, *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def losses_in_float64(config, group):
    """Of every iteration the mean loss and this process's labels; and what the network is in the end."""
    training = Trainer(config, load_dataset(config.data), torch.device("cpu"))
    training.network.double()
    training.join(group)
    batches, labels, losses = training.batches, [], []

    def in_float64():
        for pictures, wanted in batches:
            labels.append(wanted)
            yield pictures.double(), wanted

    training.batches = in_float64()
    for _ in range(config.schedule.iterations):
        training.running_loss = torch.zeros((), dtype=torch.float64)
        training.step()
        losses.append(training.running_loss)
    return {
        "losses": torch.stack(losses),
        "labels": torch.stack(labels),
        "weights": serialization.copy_weights(training.network),
    }


@pytest.mark.slow
@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_two_processes_equal_one_with_two_bn_parts(
    tiny, tiny_overrides, tmp_path, shortcut
):
    words = [
        "model.bn_parts=2",
        "schedule.iterations=50",
        f"model.shortcut={shortcut}",
        "optim.lr=0.1",
    ]
    expected = losses_in_float64(tiny(*words), SINGLE)
    status, told = torchrun(__file__, "losses", tmp_path, *tiny_overrides, *words)
    assert status == 0, told
    first, second = (serialization.load((tmp_path / f"{rank}.pt").read_bytes()) for rank in (0, 1))
    assert torch.equal(torch.cat([first["labels"], second["labels"]], 1), expected["labels"])
    assert len(expected["losses"]) == 50
    assert expected["losses"][-1] < 0.9 * expected["losses"][0]
    for found in (first, second):
        torch.testing.assert_close(found["losses"], expected["losses"], rtol=0, atol=1e-9)
        for name, tensor in expected["weights"].items():
            torch.testing.assert_close(found["weights"][name], tensor, rtol=0, atol=1e-9)


@pytest.fixture
def shared(tiny, tiny_overrides, tmp_path):
    """The words of a run that two processes can train, its record, and the rows of one process."""
    words = [*tiny_overrides, "model.bn_parts=2", f"record_root={tmp_path / 'two'}"]
    (run,) = expand_runs(words)
    alone = tiny("model.bn_parts=2")
    assert train(alone) is State.DONE
    (alone,) = expand_runs([*words[:-1], f"record_root={alone.record_root}"])
    return words, run.record, alone.record.valid_prefix(METRICS_FILE)


def assert_trained(record, expected):
    assert record.outcome(verify_contents=True) is State.DONE
    rows = record.valid_prefix(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [4, 8, 12]
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(
            other, rel=1e-3, abs=0.2
        )  # a picture of 1,437 may fall on the other side
    starts = [row["attempt"] for row in record.valid_prefix(ATTEMPTS_FILE) if "start" in row]
    assert starts == list(range(1, len(starts) + 1))


@pytest.mark.slow
def test_two_processes_write_one_record_once(shared):
    words, record, expected = shared
    status, told = torchrun(TRAIN, *words)
    assert status == 0, told
    assert_trained(record, expected)
    assert record.valid_prefix(ATTEMPTS_FILE)[0]["processes"] == 2
    before = record.read(ATTEMPTS_FILE)
    status, told = torchrun(TRAIN, *words)
    assert status == 0, told
    assert told.count("already done") == 1
    assert record.read(ATTEMPTS_FILE) == before


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_run_resumes_after_one_process_is_killed(shared, victim):
    words, record, expected = shared
    status, told = torchrun(__file__, "strike", victim, "SIGKILL", *words)
    assert status != 0
    end = record.valid_prefix(ATTEMPTS_FILE)[-1]
    if victim == 1:  # the first one writes the record, so nobody tells of its own end
        assert record.state() is State.FAILED
        assert end[OUTCOME] == State.FAILED
        assert end["iteration"] == 5
        assert end[REASON]
    else:
        assert record.state() is State.PARTIAL
    status, told = torchrun(TRAIN, *words)
    assert status == 0, told
    assert "resumes from iteration 4" in told
    assert_trained(record, expected)


@pytest.mark.slow
def test_all_processes_stop_at_the_same_iteration(shared):
    words, record, expected = shared
    status, told = torchrun(__file__, "strike", 1, "SIGTERM", *words)
    assert status != 0
    end = record.valid_prefix(ATTEMPTS_FILE)[-1]
    assert (end[OUTCOME], end["iteration"]) == ("interrupted", 6)
    status, told = torchrun(TRAIN, *words)
    assert status == 0, told
    assert "resumes from iteration 6" in told
    assert_trained(record, expected)


@pytest.mark.slow
def test_impossible_process_counts_are_refused(tiny_overrides, tmp_path):
    for words, line in (
        (["seed=0"], "model.bn_parts: 1 is not allowed with 2 processes"),
        (["-m", "seed=0,1"], "torchrun: a sweep is not allowed under it"),
    ):
        status, told = torchrun(TRAIN, *words, *tiny_overrides, f"record_root={tmp_path / 'runs'}")
        assert status != 0
        assert line in told
        assert not (tmp_path / "runs").exists()


def test_shards_partition_a_batch_in_order():
    batch = torch.arange(24)
    for count in (1, 2, 3, 8):
        shares = [Shard(rank, count) for rank in range(count)]
        assert torch.equal(torch.cat([share.select(batch) for share in shares]), batch)
        assert all(sum(share.has_batch(number) for share in shares) == 1 for number in range(9))


def losses(folder, *words):
    (run,) = expand_runs(list(words))
    with init_distributed(run.config) as group:
        found = losses_in_float64(run.config, group)
        Path(folder, f"{group.shard.rank}.pt").write_bytes(serialization.dump(found))


def strike(victim, kind, *words):
    """train.py, but one process gets a signal before its sixth update."""
    step = Trainer.step

    def struck(training):
        if training.iteration == 5 and os.environ["RANK"] == victim:
            os.kill(os.getpid(), signal.Signals[kind])
        step(training)

    Trainer.step = struck
    sys.argv = [TRAIN, *words]
    runpy.run_path(TRAIN, run_name="__main__")


if __name__ == "__main__":
    {"losses": losses, "strike": strike}[sys.argv[1]](*sys.argv[2:])
