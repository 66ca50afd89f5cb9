"""A check in a process of its own: whatever happens to that process, there is a comparison."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch

from degradation.graph_check import comparison, subprocesses
from degradation.graph_check.check import build_check
from degradation.graph_check.result import GraphComparison
from degradation.graph_check.subprocesses import compare_each

CPU = torch.device("cpu")
# Answers as the argument says: for each check a line to print, or an exit status to end with.
SCRIPT = """
import json, os, pickle, signal, sys
checks = sys.stdin.buffer.read()
for answer in json.loads(sys.argv[1]):
    if answer == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if answer == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if answer == "half":
        print('{"network":', end="", flush=True)
        break
    if answer == "hang":
        signal.pause()
    if isinstance(answer, int):
        print("Traceback", file=sys.stderr)
        print("RuntimeError: illegal memory access", file=sys.stderr)
        sys.exit(answer)
    print(json.dumps(answer), flush=True)
"""
EQUAL = GraphComparison(
    "plain-8", "fp32", is_training_equal=True, is_resume_equal=True, is_evaluation_equal=True
)


@pytest.fixture
def tiny_check(compose_config):
    return build_check(compose_config("model=plain", "model.depth=8"), 1, 4, 10)


@pytest.fixture
def answer_with(monkeypatch):
    """Return a function that replaces the process by one that gives these answers."""

    def replace_process(*answers):
        values = [asdict(item) if isinstance(item, GraphComparison) else item for item in answers]
        command = (sys.executable, "-I", "-S", "-c", SCRIPT, json.dumps(values))
        monkeypatch.setattr(subprocesses, "COMMAND", command)

    return replace_process


def test_process_whose_parent_has_ended_ends():
    """Although its stdin is open, and nothing arrives there."""
    command = (*subprocesses.COMMAND, str(os.getpid() + 1))  # not the number of its parent
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait() == 1


def test_answers_arrive_in_order(answer_with, tiny_check):
    answer_with(EQUAL, replace(EQUAL, network="plain-14"))
    comparisons = list(compare_each([tiny_check] * 2, CPU))
    assert comparisons == [EQUAL, replace(EQUAL, network="plain-14")]


@pytest.mark.parametrize(
    ("ending", "problem"),
    [
        (3, "ended with exit status 3 (RuntimeError: illegal memory access)"),
        ("segfault", "ended with exit status -11"),
        ("kill", "was killed, or did not answer within 120 s"),
        ("half", "ended with exit status 0"),
    ],
)
def test_process_that_dies_is_a_transient_problem(answer_with, tiny_check, ending, problem):
    answer_with(ending)
    (result,) = compare_each([tiny_check], CPU)
    assert result.problem == f"the process that checks captured steps {problem}"
    assert result.is_transient
    assert result.network == "plain-8"


def test_process_that_hangs_is_killed(answer_with, tiny_check, monkeypatch):
    monkeypatch.setattr(subprocesses, "ANSWER_TIMEOUT_S", 0.2)
    answer_with("hang")
    (result,) = compare_each([tiny_check], CPU)
    assert result.problem.endswith("did not answer within 0.2 s")


def test_other_checks_get_a_new_process(answer_with, tiny_check):
    failed = replace(EQUAL, problem="not permitted")
    answer_with(failed, EQUAL)
    assert list(compare_each([tiny_check] * 2, CPU)) == [failed, failed]


def test_reserved_gpu_is_checked_in_this_process(answer_with, tiny_check, monkeypatch):
    compared = []

    def compare(check, device):
        compared.append((check, device))
        return EQUAL

    monkeypatch.setattr(comparison, "compare_steps", compare)
    answer_with({"unavailable": "CUDA error: all CUDA-capable devices are busy or unavailable"})
    assert list(compare_each([tiny_check], CPU)) == [EQUAL]
    assert compared == [(tiny_check, CPU)]


def test_gpu_without_memory_is_not_tried_in_this_process(answer_with, tiny_check, monkeypatch):
    monkeypatch.setattr(comparison, "compare_steps", lambda *_: pytest.fail("tried"))
    answer_with({"unavailable": "CUDA error: out of memory"})
    (result,) = compare_each([tiny_check], CPU)
    assert result.problem.endswith("cannot use the GPU (CUDA error: out of memory)")
    assert result.is_transient


def test_process_ends_if_nobody_waits_for_its_answers(answer_with, tiny_check):
    answer_with(EQUAL, "hang")
    comparisons = compare_each([tiny_check] * 2, CPU)
    assert next(comparisons) == EQUAL
    comparisons.close()  # returns although the process hangs


@pytest.mark.slow
def test_process_itself_answers(tiny_check):
    small = replace(tiny_check, config=replace(tiny_check.config, threads=1))
    (result,) = compare_each([small], CPU)
    assert result.problem == "a training step was never captured"  # a CPU has no graphs
    (result,) = compare_each([small], torch.device("cuda"))
    assert not result.is_equal
