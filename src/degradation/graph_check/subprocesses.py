"""Compare captured with eager steps in a process of its own.

A graph that is wrong may read memory that it does not own, after which no kernel of its process
runs any more. So the process that trains does not try graphs out itself.
"""

import contextlib
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, Any

import torch

from degradation.graph_check.check import Check
from degradation.graph_check.result import GraphComparison

COMMAND = (sys.executable, "-m", "degradation.graph_check")
ANSWER_TIMEOUT_S = 120  # for one comparison, and for importing torch, maybe from a network disk
PARENT_INTERVAL_S = 1.0  # how often the process looks whether its parent lives
GRACE_S = 10  # for a process to end that has closed its stdout
UNAVAILABLE = "unavailable"  # the key of an answer: why the process cannot use the device
RESERVED = "busy or unavailable"  # CUDA's words for a GPU that another process has for itself


def compare_each(checks: Sequence[Check], device: torch.device) -> Iterator[GraphComparison]:
    """Yield the comparison of each check, in order; a process that dies spoils one of them only."""
    remaining = list(checks)
    while remaining:
        for comparison in _compare_until_failure(tuple(remaining), device):
            yield comparison
            remaining.pop(0)


def _compare_until_failure(
    checks: Sequence[Check], device: torch.device
) -> Iterator[GraphComparison]:
    """Yield comparisons of one process, up to the first that has a problem: at least one."""
    pipe = subprocess.PIPE
    command = (*COMMAND, str(os.getpid()))
    # errors go to a file, since a pipe that nobody reads could fill up and stop the process
    with (
        tempfile.TemporaryFile() as errors,
        _ended(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors)) as process,
    ):
        _send(process, pickle.dumps((list(checks), str(device))))
        for check in checks:
            answer = _receive(process)
            if UNAVAILABLE in answer:
                yield _compare_without_a_process(check, device, answer[UNAVAILABLE])
                break
            if not answer:
                yield _describe_end(check, process, errors)
                break
            comparison = GraphComparison(**answer)
            yield comparison
            if comparison.problem is not None:
                break  # the next one gets a new process, since this one may be unusable


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process after the context: wait for it if nothing is left to do, else kill it.

    A GPU that is out of order can keep it from ending; then it is left behind.
    """
    try:
        yield process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)  # MPS prefers that its clients are not killed
    finally:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes


def _compare_without_a_process(check: Check, device: torch.device, reason: str) -> GraphComparison:
    """Return the comparison of a check whose process could not use the GPU.

    A GPU may be reserved for the first process that uses it, which this one is. For other reasons,
    such as too little memory, this process does not try a graph out.
    """
    if RESERVED in reason:
        from degradation.graph_check.comparison import compare_steps  # it imports the training

        return compare_steps(check, device)
    problem = f"the process that checks captured steps cannot use the GPU ({reason})"
    return GraphComparison(check.network, check.config.precision.dtype, problem, is_transient=True)


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
        line = process.stdout.readline()
    finally:
        timer.cancel()
    return json.loads(line) if line.endswith(b"\n") else {}


def _describe_end(
    check: Check, process: subprocess.Popen[bytes], errors: IO[bytes]
) -> GraphComparison:
    """Return the comparison of a process that has ended without an answer."""
    try:
        status: int | None = process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        status = None
    if status is None:
        reason = f"closed its output, and did not end within {GRACE_S} s"
    elif status == -signal.SIGKILL:
        reason = f"was killed, or did not answer within {ANSWER_TIMEOUT_S} s"
    else:
        reason = f"ended with exit status {status}"
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), None)
    problem = f"the process that checks captured steps {reason}"
    if last is not None:
        problem += f" ({last})"
    return GraphComparison(check.network, check.config.precision.dtype, problem, is_transient=True)


def _end_with_parent(parent: int) -> None:
    """End this process when its parent has ended, since nobody else would stop it."""
    while os.getppid() == parent:
        time.sleep(PARENT_INTERVAL_S)
    os._exit(1)


def main() -> None:
    """Compare the pickled (checks, device) that arrive on stdin; print one line of JSON for each.

    The argument of the command is the id of the parent, which may have ended already. Ends after
    the first problem.
    """
    threading.Thread(target=_end_with_parent, args=(int(sys.argv[1]),), daemon=True).start()
    from degradation.graph_check.comparison import compare_steps  # it imports the training

    # what libraries print must not be taken for an answer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    checks, name = pickle.load(sys.stdin.buffer)
    device = torch.device(name)
    try:
        torch.ones(1, device=device).sum().item()
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        print(json.dumps({UNAVAILABLE: reason}), file=answers, flush=True)
        return
    for check in checks:
        # a comparison collects garbage often, which takes long among all that is imported
        gc.freeze()
        comparison = compare_steps(check, device)
        print(json.dumps(asdict(comparison)), file=answers, flush=True)
        if comparison.problem is not None:
            return
