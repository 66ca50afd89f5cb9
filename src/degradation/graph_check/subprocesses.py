"""Compare captured with eager steps in a process of its own.

A graph that is wrong may read memory that it does not own, after which no kernel of its process
runs any more. So the process that trains does not try graphs out itself.
"""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from degradation.graph_check.check import Check
from degradation.graph_check.comparison import Comparison, compare_steps

COMMAND = (sys.executable, "-m", "degradation.graph_check")
ANSWER_TIMEOUT_S = 120  # for one comparison, and for importing torch, maybe from a network disk
UNAVAILABLE = "unavailable"  # the key of an answer: why the process cannot use the device


def compare_each(checks: Sequence[Check], device: torch.device) -> Iterator[Comparison]:
    """Yield the comparison of each check, in order; a process that dies spoils one of them only."""
    remaining = list(checks)
    while remaining:
        for comparison in _compare_until_failure(tuple(remaining), device):
            yield comparison
            remaining.pop(0)


def _compare_until_failure(checks: Sequence[Check], device: torch.device) -> Iterator[Comparison]:
    """Yield comparisons of one process, up to the first that has a problem: at least one."""
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        errors = _collect_errors(process)
        _send(process, pickle.dumps((list(checks), str(device))))
        for check in checks:
            answer = _receive(process)
            if UNAVAILABLE in answer:
                # a GPU may be reserved for the first process that uses it, which this one is
                yield compare_steps(check, device)
                break
            if not answer:
                process.kill()
                yield _describe_death(check, process.wait(), errors)
                break
            comparison = Comparison(**answer)
            yield comparison
            if comparison.problem is not None:
                break  # the next one gets a new process, since this one may be unusable
        process.kill()


def _collect_errors(process: subprocess.Popen[bytes]) -> list[str]:
    """Return a list that a thread fills with the lines of the process's stderr."""
    lines: list[str] = []
    stderr = process.stderr
    assert stderr is not None

    def read() -> None:
        lines.extend(line.decode(errors="replace").strip() for line in stderr)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _send(process: subprocess.Popen[bytes], content: bytes) -> None:
    """Write to the process's stdin; if it has died, its missing answer shows that."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(content)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _receive(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the process's next answer; empty if it ends, or does not answer in time."""
    assert process.stdout is not None
    timer = threading.Timer(ANSWER_TIMEOUT_S, process.kill)
    timer.start()
    try:
        answer = json.loads(process.stdout.readline())
    except ValueError:
        return {}
    finally:
        timer.cancel()
    return answer if isinstance(answer, dict) else {}


def _describe_death(check: Check, status: int, errors: list[str]) -> Comparison:
    reason = f": {errors[-1]}" if errors else ""
    problem = f"the process that checks captured steps ended with exit status {status}{reason}"
    return Comparison(check.network, check.config.precision.dtype, problem, is_transient=True)


def main() -> None:
    """Compare the pickled (checks, device) that arrive on stdin; print one line of JSON for each.

    Ends after the first problem.
    """
    # what libraries print must not be taken for an answer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    checks, name = pickle.load(sys.stdin.buffer)
    device = torch.device(name)
    try:
        torch.ones(1, device=device).sum().item()
    except Exception as error:
        print(json.dumps({UNAVAILABLE: str(error)}), file=answers, flush=True)
        return
    for check in checks:
        comparison = compare_steps(check, device)
        print(json.dumps(asdict(comparison)), file=answers, flush=True)
        if comparison.problem is not None:
            return
