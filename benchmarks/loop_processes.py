"""Processes that each hold one loop, and advance it when they are told to.

Processes that are not told to do anything wait and use no core, so loops can be timed in turns.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.loops import ENVIRONMENTS, LoopSpec, build_loop
from degradation.cli import format_error, is_user_error
from degradation.errors import UserError

BUILT, ADVANCED, FAILED = "built", "advanced", "failed"
GRACE_S = 30.0  # for a process to end after its pipe is closed; PyTorch's takes seconds
ANSWER_TIMEOUT_S = 600.0  # for a stretch, or for building a loop; workers that hang send nothing
Message = tuple[str, Any]


class LoopFailed(UserError):
    """A loop could not be built, or failed while it was timed."""


class LoopProcess:
    """One process with one loop. `start` and `wait` alternate."""

    def __init__(self, spec: LoopSpec) -> None:
        self.spec = spec
        # a new interpreter, so that each loop has its own threads and initialises CUDA itself
        context = multiprocessing.get_context("spawn")
        self.connection, child_connection = context.Pipe()
        self.process = context.Process(target=serve, args=(spec, child_connection))
        with changed_environment(ENVIRONMENTS.get(spec.alternative, {})):
            self.process.start()
        child_connection.close()

    def wait_until_built(self) -> None:
        """Wait for the loop. Raises LoopFailed."""
        self._receive(BUILT)

    def start(self, iterations: int) -> None:
        """Let the loop advance. Raises LoopFailed if the process has ended."""
        try:
            self.connection.send(iterations)
        except OSError:
            raise self._describe_end() from None

    def wait(self) -> int:
        """Wait until the loop has advanced, and return how many images it processed.

        Raises LoopFailed.
        """
        images: int = self._receive(ADVANCED)
        return images

    def _receive(self, expected: str) -> Any:
        try:
            if not self.connection.poll(ANSWER_TIMEOUT_S):
                raise LoopFailed(
                    f"the {self.spec.kind} loop did not answer within {ANSWER_TIMEOUT_S:.0f} s"
                )
            kind, value = self.connection.recv()
        except (EOFError, OSError):
            raise self._describe_end() from None
        if kind == FAILED:
            raise LoopFailed(value)
        assert kind == expected
        return value

    def _describe_end(self) -> LoopFailed:
        self.process.join(GRACE_S)
        return LoopFailed(
            f"the process of the {self.spec.kind} loop ended with exit status"
            f" {self.process.exitcode}; it may have lacked memory"
        )

    def disconnect(self) -> None:
        """Let the process end once its loop has stopped."""
        self.connection.close()

    def join(self) -> None:
        """Wait for the end of a disconnected process, which is forced after a grace period."""
        self.process.join(GRACE_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(GRACE_S)


class Team:
    """Loops that run at once: they start together, and the last one to finish ends the stretch."""

    def __init__(self, processes: Sequence[LoopProcess]) -> None:
        self.processes = list(processes)

    def advance(self, iterations: int) -> int:
        """Advance every loop, and return how many images all processed. Raises LoopFailed."""
        for process in self.processes:
            process.start(iterations)
        return sum(process.wait() for process in self.processes)


@contextmanager
def started_teams(groups: Sequence[Sequence[LoopSpec]]) -> Iterator[list[Team]]:
    """Start one process per loop, one team per group, and end them all after the context.

    Raises LoopFailed.
    """
    teams: list[Team] = []
    processes: list[LoopProcess] = []
    try:
        for specs in groups:
            members = []
            for spec in specs:
                process = LoopProcess(spec)
                processes.append(process)
                members.append(process)
            teams.append(Team(members))
        for process in processes:
            process.wait_until_built()
        yield teams
    finally:
        for process in processes:
            process.disconnect()
        for process in processes:
            process.join()


def serve(spec: LoopSpec, connection: Connection) -> None:
    """Build a loop, and advance it by each number that arrives until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the parent closes the pipe
    try:
        loop = build_loop(spec)
        wait_for_device(loop.device)
        answer: Message = (BUILT, None)
        while True:
            iterations = _answer_and_wait(connection, answer)
            if iterations is None:
                return
            images = loop.advance(iterations)
            wait_for_device(loop.device)
            answer = (ADVANCED, images)
    except Exception as error:
        if not is_user_error(error):
            traceback.print_exc()
        with suppress(OSError):
            connection.send((FAILED, format_error(error)))


def _answer_and_wait(connection: Connection, answer: Message) -> int | None:
    """Send an answer, and return how many iterations come next, or None if there are none."""
    try:
        connection.send(answer)
        iterations: int = connection.recv()
    except (EOFError, OSError):
        return None
    return iterations


@contextmanager
def changed_environment(variables: dict[str, str]) -> Iterator[None]:
    """Within the context, the variables are set, for the processes that start there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def wait_for_device(device: torch.device) -> None:
    """Wait until a device has done all that was launched on it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
