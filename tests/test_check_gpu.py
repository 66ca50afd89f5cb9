"""`make check-gpu`: its table, its conclusion and its exit status, with made-up comparisons."""

import runpy
import sys
from dataclasses import replace

import pytest

from degradation.config import CONF
from degradation.graph_check import subprocesses
from degradation.graph_check.result import GraphComparison
from degradation.training import device

EQUAL = GraphComparison(
    network="plain-20",
    precision="fp32",
    is_training_equal=True,
    is_resume_equal=True,
    is_evaluation_equal=True,
    eager_memory=3 * 2**20,
    captured_memory=5 * 2**20,
    eager_rate=1000.0,
    captured_rate=2500.0,
)


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A made-up GPU without TF32, and the checks that the script has made; all are equal."""
    checks, results = [], {}

    def compare(requested, _device):
        checks.extend(requested)
        for check in requested:
            names = check.network, check.config.precision.dtype
            equal = replace(EQUAL, network=names[0], precision=names[1])
            yield replace(equal, **results.get(names, {}))

    def supports(_device, precision):
        if precision.dtype == "tf32":
            raise device.ConfigError("precision.dtype: not here")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(device, "count_gpus", lambda: (1, (), None))
    monkeypatch.setattr(device, "check_precision", supports)
    monkeypatch.setattr(subprocesses, "compare_each", compare)
    monkeypatch.setattr(
        "degradation.graph_check.stored_results.describe_gpu", lambda _: {"gpu": "X"}
    )
    return checks, results


def run_script(monkeypatch, capsys, *overrides):
    """Return the exit status, the lines of stdout, and stderr."""
    monkeypatch.setattr(sys, "argv", ["check_gpu.py", *overrides])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(CONF.parent / "experiments/check_gpu.py"), run_name="__main__")
    output = capsys.readouterr()
    return ending.value.code, output.out.splitlines(), output.err


def test_all_equal_is_exit_status_0(gpu, monkeypatch, capsys):
    checks, _ = gpu
    status, lines, _ = run_script(monkeypatch, capsys)
    assert status == 0
    assert lines[0] == "gpu X"
    assert lines[2].split() == [
        "plain-20",
        "fp32",
        "equal",
        "equal",
        "equal",
        "3",
        "5",
        "1,000",
        "2,500",
        "2.50",
    ]
    assert lines[-1] == "all 8 checks passed: runs use captured steps"
    assert [check.network for check in checks[:4]] == [
        "plain-20",
        "plain-110",
        "residual-20",
        "residual-110",
    ]
    assert {check.config.precision.dtype for check in checks} == {"fp32", "bf16"}
    assert {(check.channels, check.side, check.classes) for check in checks} == {(3, 32, 10)}


def test_differences_and_problems_are_lines_and_exit_status_1(gpu, monkeypatch, capsys):
    _, results = gpu
    results["residual-110", "bf16"] = {"is_evaluation_equal": False}
    results["plain-20", "fp32"] = {"problem": "a step cannot be captured", "eager_rate": None}
    status, lines, _ = run_script(monkeypatch, capsys)
    assert status == 1
    assert lines[2].split()[2:5] == ["-", "-", "-"]
    assert lines[-4].split()[:5] == ["residual-110", "bf16", "equal", "equal", "DIFFERENT"]
    assert lines[-3] == "plain-20 fp32: a step cannot be captured"
    assert lines[-2].endswith("residual-110 in bf16 give different numbers in an evaluation")
    assert lines[-1].startswith("2 of 8 checks failed: runs of these networks")


def test_check_that_could_not_be_made_is_no_failure_of_the_steps(gpu, monkeypatch, capsys):
    _, results = gpu
    memory = {"problem": "too little free memory on the GPU", "is_transient": True}
    results["plain-110", "fp32"] = memory
    status, lines, _ = run_script(monkeypatch, capsys)
    assert status == 1
    assert lines[-2] == "plain-110 fp32: too little free memory on the GPU"
    assert lines[-1].startswith("1 of 8 checks could not be made now: runs of these networks")


@pytest.mark.slow
def test_rounding_is_called_close(gpu, monkeypatch, capsys):
    checks, results = gpu
    results["plain-20", "fp32"] = {"tolerance": 0.01, "difference": 1e-5}
    status, lines, _ = run_script(monkeypatch, capsys, "precision.deterministic=false")
    assert status == 0
    assert lines[2].split()[2:5] == ["close", "close", "close"]
    assert lines[-2].startswith("close: two eager trainings differ too; weights differ by 1e-05")
    assert not any(check.config.precision.deterministic for check in checks)


def test_what_is_checked_anyway_cannot_be_chosen(gpu, monkeypatch, capsys):
    status, _, error = run_script(monkeypatch, capsys, "model.depth=56")
    assert status == 1
    assert error == "model.depth=56: is not allowed, since all of these are checked\n"


def test_no_gpu_is_one_line_that_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(device, "count_gpus", lambda: (0, (), "the driver is too old"))
    status, lines, error = run_script(monkeypatch, capsys)
    assert (status, lines) == (1, [])
    assert error.count("\n") == 1
    assert error.startswith("device: PyTorch finds no CUDA GPU (the driver is too old), so there")
    assert "install its driver" in error
