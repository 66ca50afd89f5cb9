"""A queue of jobs over slots: one process per job, from a fork server with the heavy imports.

A job that raises or is killed counts as failed, and the others continue. A slot's environment is
set in a process that has not initialised CUDA yet, so a job sees its own GPU only.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle
from hydra.errors import CompactHydraException

from hydra_plugins.pool_launcher._progress import Reporter
from hydra_plugins.pool_launcher._slots import Slot
from hydra_plugins.sweep_launcher import (
    Display,
    Job,
    Result,
    Stopped,
    format_runs,
    record_signals,
    redirect_output,
    summarise_error,
)

POLL_INTERVAL_S = 0.25

Connect = Callable[[Reporter], None]


@dataclass(frozen=True)
class _Task:
    """The arguments of a job's process; the functions are pickled by cloudpickle."""

    function: bytes
    connect: bytes
    environment: dict[str, str]
    log: str


class _RunningJob:
    """A job in its process."""

    def __init__(
        self, context: Any, index: int, job: Job, slot: Slot, connect: Connect | None
    ) -> None:
        self.index = index
        self.job = job
        self.slot = slot
        with contextlib.suppress(OSError):  # the job itself reports that it cannot write its log
            job.log.parent.mkdir(parents=True, exist_ok=True)
        task = _Task(
            cloudpickle.dumps(job.function),
            cloudpickle.dumps(connect),
            slot.environment,
            str(job.log),
        )
        self.connection, child_connection = multiprocessing.Pipe(duplex=False)
        self.process = context.Process(
            target=_run_child, args=(task, child_connection), name=job.label
        )
        self.process.start()
        child_connection.close()
        self.result: Result | None = None
        self.closed_at: float | None = None  # when its pipe was closed, in monotonic seconds

    def receive(self, display: Display) -> None:
        """Read the job's messages, and set `closed_at` once its pipe is closed."""
        try:
            while self.connection.poll():
                kind, *values = self.connection.recv()
                if kind == "progress":
                    display.update_job(self.index, *values)
                elif kind == "error":
                    display.update_error(self.index, *values)
                elif kind == "message":
                    display.print(*values)
                elif kind == "returned":
                    self.result = Result(value=cloudpickle.loads(values[0]))
                else:
                    self.result = Result(error=values[0])
        except EOFError:
            # Only the end of the pipe counts, not what the fork server reports: if the server is
            # killed, its jobs continue and still occupy their slots.
            self.closed_at = time.monotonic()

    @property
    def awaited(self) -> Connection | int:
        """What becomes ready when the job sends a message or, after its last one, ends."""
        return self.connection if self.closed_at is None else self.process.sentinel

    def check_end(self, grace: float) -> bool:
        """Return whether the job has closed its pipe, and its process has ended.

        A process that has not ended `grace` seconds later is killed: a thread of a library may wait
        for ever, and the slot is needed. One that a driver keeps from ending counts as ended after
        `grace` more seconds.
        """
        if self.closed_at is None:
            return False
        if self.process.exitcode is not None:
            return True
        elapsed = time.monotonic() - self.closed_at
        if elapsed > grace:
            self.process.kill()
        return elapsed > 2 * grace

    def collect(self) -> Result:
        """Return the result of a job that has ended; what it has sent counts."""
        self.connection.close()
        if self.result is not None:
            return self.result
        status = self.process.exitcode
        if status is None:
            return Result(error="its process does not end, although it was killed")
        if status < 0:
            return Result(error=f"its process was killed by {signal.Signals(-status).name}")
        return Result(error=f"its process ended with exit status {status}")

    def kill(self, grace: float) -> None:
        """Kill the process unless it has ended; a driver can keep it from ending nevertheless."""
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(grace)


class Pool:
    """Runs jobs over slots.

    Args:
        slots: at least one
        preload: modules that the fork server imports once, for all jobs
        grace: seconds that a job has to save its state after SIGTERM, or its process to end after
            the job, before SIGKILL
        connect: called in each job's process before the job, with the Reporter that carries the
            job's progress and messages to this process
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        preload: Sequence[str] = (),
        grace: float = 20.0,
        connect: Connect | None = None,
    ) -> None:
        self.slots = list(slots)
        self.grace = grace
        self.connect = connect
        # on macOS a process that has loaded Apple's frameworks, as torch does, must not fork
        method = "spawn" if sys.platform == "darwin" else "forkserver"
        self.context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            self.context.set_forkserver_preload(list(preload))
        self.running: list[_RunningJob] = []
        self.signals: list[int] = []

    def run(self, jobs: Sequence[Job], display: Display | None = None) -> list[Result]:
        """Run the jobs, the longest first, and return their results in the order of the jobs.

        Raises:
            Stopped: SIGINT or SIGTERM arrived, and every job has ended.
            CompactHydraException: the fork server cannot be started.
        """
        display = display or Display(len(jobs))
        works, points = [job.work for job in jobs], [job.point for job in jobs]
        display.queue_jobs(works, len(self.slots), points)
        results: dict[int, Result] = {}
        queue = sorted(range(len(jobs)), key=lambda index: -jobs[index].work)
        free = list(self.slots)
        is_main_thread = threading.current_thread() is threading.main_thread()
        if is_main_thread and self.context.get_start_method() == "forkserver":
            _start_fork_server()
        with record_signals() as self.signals:
            while queue or self.running:
                self._fill_slots(free, queue, jobs, display)
                self._wait(display)
                if self.signals:
                    self._stop(display)
                    raise Stopped(self.signals[-1])
                for ended in self._take_ended():
                    free.append(ended.slot)
                    results[ended.index] = self._finish(ended, display)
        return [results[index] for index in range(len(jobs))]

    def _fill_slots(
        self, free: list[Slot], queue: list[int], jobs: Sequence[Job], display: Display
    ) -> None:
        """Start queued jobs in the free slots; none after a stop signal."""
        while free and queue and not self.signals:
            index = _choose_next(queue, jobs)
            queue.remove(index)
            slot = free.pop(0)
            running = _RunningJob(self.context, index, jobs[index], slot, self.connect)
            self.running.append(running)
            display.start_job(index, jobs[index].label, slot.name)

    def _wait(self, display: Display) -> None:
        """Wait for a message, at most POLL_INTERVAL_S, and update the display."""
        wait([running.awaited for running in self.running], timeout=POLL_INTERVAL_S)
        for running in self.running:
            if running.closed_at is None:
                running.receive(display)
        display.draw()

    def _take_ended(self) -> list[_RunningJob]:
        """Remove the jobs that have ended from the running ones, and return them."""
        ended = [running for running in self.running if running.check_end(self.grace)]
        self.running = [running for running in self.running if running not in ended]
        return ended

    def _finish(self, ended: _RunningJob, display: Display) -> Result:
        """Count and print how a job has ended, and return its result."""
        result = ended.collect()
        display.end_job(ended.index, failed=result.error is not None)
        if result.error is not None:
            display.print_failure(ended.job.label, result.error, ended.job.log)
        return result

    def _stop(self, display: Display) -> None:
        """Send SIGTERM to every job, give them `grace` seconds, then send SIGKILL."""
        if self.running:
            runs = format_runs(len(self.running))
            display.print(f"stopping {runs}; each saves a checkpoint first")
        for running in self.running:
            running.process.terminate()
        deadline = time.monotonic() + self.grace
        for running in self.running:
            running.process.join(max(0.0, deadline - time.monotonic()))
            running.kill(self.grace)
        self.running.clear()


def _start_fork_server() -> None:
    """Start the fork server unless it is running. Raises CompactHydraException.

    A signal to the whole process group must not end the server before its jobs have saved their
    state. It always ignores SIGINT, and inherits the ignored SIGTERM; each job sets its own
    handlers.
    """
    handler_before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    except OSError as error:
        raise CompactHydraException(
            f"TMPDIR: no socket can be created in the temporary folder ({error.strerror or error});"
            " allowed: a folder with a short path that can be written to, such as /tmp"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, handler_before)


def _choose_next(queue: list[int], jobs: Sequence[Job]) -> int:
    """Return the first queued job that no other process runs.

    If other processes run all of them, return the first, which then waits for its process.
    """
    for index in queue:
        if not jobs[index].is_locked():
            return index
    return queue[0]


def _run_child(task: _Task, connection: Connection) -> None:
    """Run a job in its own process, and send its result to the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C, the parent sends SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # what the fork server has imported is never garbage, and takes long to search
    os.environ.update(task.environment)
    problem = redirect_output(task.log)
    if problem is not None:
        connection.send(("message", f"{problem}; the run continues without a log"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        connect = cloudpickle.loads(task.connect)
        if connect is not None:
            connect(Reporter(connection))
        value = cloudpickle.loads(task.function)()
        connection.send(("returned", cloudpickle.dumps(value)))
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log is on a full disk
            traceback.print_exc()
        connection.send(("raised", summarise_error(error)))
    finally:
        connection.close()


def _end_with_parent() -> None:
    """Send SIGTERM to this process when its parent ends, so that no job outlives the pool."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
