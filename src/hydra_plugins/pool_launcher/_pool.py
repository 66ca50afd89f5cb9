"""A queue of jobs over slots: one process a job, from a fork server that has imported the heavy packages already.

A job that raises or is killed is told as failed, and the others go on. The process that a slot's environment is set in
has not touched CUDA, so a job sees its own GPU only.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle

from hydra_plugins.pool_launcher._progress import Reporter
from hydra_plugins.pool_launcher._slots import Slot
from hydra_plugins.sweep_launcher import Display, Job, Result, Stopped, redirect_output

POLL = 0.25  # seconds

Connect = Callable[[Reporter], None]


class _Running:
    """A job in its process."""

    def __init__(
        self, context: Any, index: int, job: Job, slot: Slot, connect: Connect | None
    ) -> None:
        self.index, self.job, self.slot = index, job, slot
        with contextlib.suppress(OSError):  # told by the job, which goes on without a log
            job.log.parent.mkdir(parents=True, exist_ok=True)
        self.connection, theirs = multiprocessing.Pipe(duplex=False)
        self.process = context.Process(
            target=_child,
            args=(
                cloudpickle.dumps(job.function),
                cloudpickle.dumps(connect),
                slot.environment,
                str(job.log),
                theirs,
            ),
            name=job.label,
        )
        self.process.start()
        theirs.close()
        self.result: Result | None = None
        self.over = False

    def receive(self, display: Display) -> None:
        try:
            while self.connection.poll():
                kind, *values = self.connection.recv()
                if kind == "progress":
                    display.progress(self.index, *values)
                elif kind == "message":
                    display.say(*values)
                elif kind == "returned":
                    self.result = Result(value=cloudpickle.loads(values[0]))
                else:
                    self.result = Result(error=values[0])
        except EOFError:
            # The end of the job's pipe, and not what the fork server says of its children: when that is killed its
            # jobs go on, and their slots are not free.
            self.over = True

    def outcome(self) -> Result:
        """What became of the job whose process is over."""
        self.process.join()
        self.connection.close()
        code = self.process.exitcode
        if self.result is not None:
            return self.result
        how = (
            f"killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"ended with exit status {code}"
        )
        return Result(error=f"its process was {how}" if code and code < 0 else f"its process {how}")


class Pool:
    """Runs jobs over slots. `preload`: modules that the fork server imports once.

    `connect` is called in each job's process before the job, with the Reporter that the job's progress goes through.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        preload: Sequence[str] = (),
        grace: float = 20.0,
        connect: Connect | None = None,
    ) -> None:
        self.connect = connect
        self.slots = list(slots)
        self.grace = grace
        # on macOS a process that has loaded Apple's frameworks, as torch does, cannot be forked safely
        self.context: Any = multiprocessing.get_context(
            "spawn" if sys.platform == "darwin" else "forkserver"
        )
        if self.context.get_start_method() == "forkserver":
            self.context.set_forkserver_preload(list(preload))
        self.running: list[_Running] = []
        self.stopped_by: int | None = None

    def run(self, jobs: Sequence[Job], display: Display | None = None) -> list[Result]:
        """Results in the order of the jobs; the longest start first. Raises Stopped after SIGINT or SIGTERM."""
        display = display or Display(len(jobs))
        display.work_total += sum(job.work for job in jobs)
        results: dict[int, Result] = {}
        queue = sorted(range(len(jobs)), key=lambda index: -jobs[index].work)
        free = list(self.slots)
        with self._signals():
            while queue or self.running:
                while free and queue and self.stopped_by is None:
                    index = self._next(queue, jobs)
                    queue.remove(index)
                    slot = free.pop(0)
                    self.running.append(
                        _Running(self.context, index, jobs[index], slot, self.connect)
                    )
                    display.begun(index, jobs[index].work)
                self._wait(display)
                if self.stopped_by is not None:
                    self._stop(display)
                    raise Stopped(self.stopped_by)
                for ended in [one for one in self.running if one.over]:
                    result = ended.outcome()
                    self.running.remove(ended)
                    free.append(ended.slot)
                    results[ended.index] = result
                    display.ended(ended.index, failed=result.error is not None)
                    if result.error is not None:
                        display.failure(ended.job.label, result.error, ended.job.log)
        return [results[index] for index in range(len(jobs))]

    @staticmethod
    def _next(queue: list[int], jobs: Sequence[Job]) -> int:
        """The first that nobody else is at; where somebody is at all of them, the first, which then waits."""
        return next((index for index in queue if not jobs[index].is_locked()), queue[0])

    def _wait(self, display: Display) -> None:
        wait([one.connection for one in self.running], timeout=POLL)
        for one in self.running:
            one.receive(display)
        display.draw()

    def _stop(self, display: Display) -> None:
        """SIGTERM to every job, then `grace` seconds to save a checkpoint, then SIGKILL."""
        if self.running:
            display.say(f"stopping {len(self.running)} runs; each saves its checkpoint")
        for one in self.running:
            one.process.terminate()
        deadline = time.monotonic() + self.grace
        for one in self.running:
            one.process.join(max(0.0, deadline - time.monotonic()))
            if one.process.exitcode is None:
                one.process.kill()
                one.process.join()
        self.running.clear()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(signum: int, _: Any) -> None:
            self.stopped_by = signum

        # A signal to the whole process group must not end the fork server before its jobs have saved their state: it
        # starts with SIGTERM ignored, as it does with SIGINT by itself. Each job sets its own handlers.
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.context.get_start_method() == "forkserver":
            forkserver.ensure_running()
        signal.signal(signal.SIGTERM, before)
        previous = {kind: signal.signal(kind, note) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for kind, handler in previous.items():
                signal.signal(kind, handler)


def _child(
    function: bytes,
    pickled_connect: bytes,
    environment: dict[str, str],
    log: str,
    connection: Connection,
) -> None:
    """The life of a job's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which sends SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(environment)
    problem = redirect_output(log)
    if problem is not None:
        connection.send(("message", f"{problem}; the job goes on without it"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        connect = cloudpickle.loads(pickled_connect)
        if connect is not None:
            connect(Reporter(connection))
        value = cloudpickle.loads(function)()
        connection.send(("returned", cloudpickle.dumps(value)))
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log is on a full disk
            traceback.print_exc()
        connection.send(("raised", (str(error) or type(error).__name__).splitlines()[0]))
    finally:
        connection.close()


def _end_with_parent() -> None:
    """A job does not outlive its parent: SIGTERM, as if the parent had sent it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
