"""A plan: what is left, how long it takes at a rate that was measured or given, what it leaves on the disk."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from degradation.config import CONF
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, SECONDS, State
from degradation.run import train
from degradation.sweep.cost import PASSES, Measured, makespan, measured, plan, rate_of
from degradation.sweep.jobs import locate_run

RESNET_20 = 40_551_040  # multiply-adds; He et al. 2015 give none for CIFAR: counted layer by layer in the census's tests


def test_what_is_left_at_a_given_rate(compose_config, tmp_path):
    """64,000 updates of 128 pictures, three passes each."""
    config = compose_config(
        "experiment=paper", "model.depth=20", f"record_root={tmp_path}", "seed=0"
    )
    (one,) = plan([locate_run(config)], [], 1e12)
    assert (one.state, one.left, one.multiply_adds) == (State.MISSING, 64_000, RESNET_20)
    assert one.work == 64_000 * 128 * RESNET_20 * PASSES
    assert one.seconds == one.work / 1e12


@pytest.fixture
def done(tiny):
    config = tiny("probes=none")
    assert train(config) is State.DONE
    return config


def test_the_rate_of_a_run_that_is_done_is_that_of_a_like_device_only(done):
    record = locate_run(done).record
    seconds = record.valid_prefix(ATTEMPTS_FILE)[-1][SECONDS]
    (one,) = measured(record.root, "cpu", done)
    multiply_adds = record.read_metadata()["census"]["multiply_adds"]
    assert one == Measured(multiply_adds, 12 * 32 * multiply_adds * PASSES / seconds)
    assert measured(record.root, "cuda", done) == []
    assert measured(record.root, "cpu", replace(done, threads=2)) == []
    assert (
        measured(record.root, "cpu", replace(done, precision=replace(done.precision, dtype="bf16")))
        == []
    )
    # the same run once more would take as long
    (again,) = plan([locate_run(replace(done, seed=1))], [one], 1.0)
    assert again.seconds == pytest.approx(seconds)


def test_a_run_that_was_resumed_or_is_planted_tells_no_rate(done):
    record = locate_run(done).record
    record.append(ATTEMPTS_FILE, {"attempt": 2, "start": 0.0})
    assert measured(record.root, "cpu", done) == []
    record.rewrite_rows(ATTEMPTS_FILE, [{"attempt": 1}, {"attempt": 1, "outcome": "done"}])
    assert measured(record.root, "cpu", done) == []


def test_what_is_done_costs_nothing_and_a_partial_run_its_rest(done, tiny):
    partial = tiny("probes=none", "seed=1")
    record = locate_run(partial).record
    record.write_metadata({"run_id": record.run_id})
    record.append(ATTEMPTS_FILE, {"attempt": 1, "start": 0.0})
    record.append(METRICS_FILE, {"iteration": 8})
    first, second = plan([locate_run(done), locate_run(partial)], [], 1e9)
    assert (first.state, first.left, first.seconds) == (State.DONE, 0, 0.0)
    assert (second.state, second.left) == (State.PARTIAL, 4)


def test_the_disk_space_is_what_a_run_leaves(done):
    run = locate_run(done)
    (one,) = plan([run], [], 1e9)
    left = sum(path.stat().st_size for path in run.record.folder.rglob("*") if path.suffix == ".pt")
    assert one.bytes == pytest.approx(left, rel=0.05)


def test_the_nearest_networks_give_the_rate():
    rates = [Measured(100, 1.0), Measured(100, 3.0), Measured(100, 8.0), Measured(1000, 50.0)]
    assert rate_of(90, rates) == 3.0
    assert rate_of(900, rates) == 50.0
    assert rate_of(90, []) is None


def test_devices_share_the_runs_the_longest_first():
    assert makespan([1, 2, 3, 4], 1) == 10
    assert makespan([1, 2, 3, 4], 2) == 5
    assert makespan([1, 2, 3, 4], 8) == 4
    assert makespan([], 2) == 0


@pytest.mark.slow
def test_the_command_tells_it(tmp_path):
    def told(*words):
        script = CONF.parent / "experiments/plan.py"
        done = subprocess.run(
            [sys.executable, str(script), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    status, text = told("experiment=paper", "--device=cuda", "--devices=8", "--rate=500")
    assert status == 0
    assert "paper: 50 runs (50 missing)" in text
    assert "left: 3,200,000 of 3,200,000 iterations" in text
    assert "rate: 5e+11 multiply-adds a second, as given" in text
    alone, together = map(
        float, re.search(r"hours: ([\d.]+) of one device; ([\d.]+) on 8 at once", text).groups()
    )
    assert alone / 8 <= together < alone / 7
    assert list(tmp_path.iterdir()) == []
    for words, line in (
        (["--devices=0"], "--devices: 0 is not allowed; allowed: more than 0"),
        (
            ["--device=tpu"],
            "--device: no record in runs is of 'tpu'; allowed: cpu, mps, cuda, or give --rate",
        ),
    ):
        status, text = told("experiment=quick", *words)
        assert status == 1
        assert text.startswith(line)
        assert text.count("\n") == 1
