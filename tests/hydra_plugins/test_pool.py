"""The pool: a failing or killed job does not affect the others, and no two jobs share a slot."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from degradation import progress
from hydra_plugins.pool_launcher import Gpu, Pool, Slot, list_slots
from hydra_plugins.sweep_launcher import Display, Job

CORES = [Slot("core 0"), Slot("core 1")]


def build_jobs(folder, functions):
    return [
        Job(f"job {index}", function, 1.0, folder / f"{index}.log")
        for index, function in enumerate(functions)
    ]


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    print("before the failure")
    raise ValueError("first line\nsecond line")


def build_display(total):
    """Return a display whose stream is not a terminal."""
    return Display(total, stream=io.StringIO())


def test_failing_and_killed_jobs_do_not_affect_the_others(tmp_path):
    display = build_display(4)
    jobs = build_jobs(tmp_path, [lambda: "one", fail, kill_this_process, lambda: "two"])
    results = Pool(CORES).run(jobs, display)
    assert [result.value for result in results] == ["one", None, None, "two"]
    assert [result.error for result in results] == [
        None,
        "first line",
        "its process was killed by SIGKILL",
        None,
    ]
    assert (display.done, display.failed) == (2, 2)
    output = display.stream.getvalue()
    assert f"job 1 failed: first line (log: {tmp_path / '1.log'})" in output
    assert "job 2 failed: its process was killed by SIGKILL" in output
    log = (tmp_path / "1.log").read_text()
    assert "before the failure" in log
    assert "ValueError: first line" in log


def test_exit_status_of_a_job_is_described(tmp_path):
    display = build_display(3)
    jobs = build_jobs(tmp_path, [partial(sys.exit, code) for code in (143, None, "a reason")])
    results = Pool(CORES).run(jobs, display)
    assert [result.error for result in results] == [
        "its process ended with exit status 143",
        "its process ended with exit status 0",
        "a reason",
    ]


def leave_a_thread():
    """Return, and leave a thread behind for which the process waits for ever."""
    threading.Thread(target=threading.Event().wait).start()
    return "one"


def test_process_that_does_not_end_keeps_neither_its_slot_nor_its_result(tmp_path):
    display = build_display(2)
    jobs = build_jobs(tmp_path, [leave_a_thread, lambda: "two"])
    results = Pool(CORES[:1], grace=0.1).run(jobs, display)
    assert [result.value for result in results] == ["one", "two"]
    assert (display.done, display.failed) == (2, 0)


def leave_a_thread_until(file, outcome):
    """Return, and leave a thread behind that waits until a file exists, for a minute at most."""

    def wait():
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        outcome.write_text(str(file.exists()))

    threading.Thread(target=wait).start()


def test_process_that_does_not_end_does_not_hold_up_the_other_slots(tmp_path):
    """The last job starts, and ends, while the first one's process has not ended."""
    last, outcome = tmp_path / "last", tmp_path / "outcome"
    functions = [partial(leave_a_thread_until, last, outcome), lambda: "two", last.touch]
    Pool(CORES, grace=100.0).run(build_jobs(tmp_path, functions), build_display(3))
    assert outcome.read_text() == "True"


def test_unwritable_log_warns_but_job_runs(tmp_path):
    display = build_display(2)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    logs = [tmp_path / "file" / "1.log", tmp_path / "folder"]
    jobs = [Job(log.name, lambda: print("discarded") or "one", 1.0, log) for log in logs]
    assert [result.value for result in Pool(CORES).run(jobs, display)] == ["one", "one"]
    for log in logs:
        assert f"{log}: cannot be written" in display.stream.getvalue()
        assert "; the run continues without a log" in display.stream.getvalue()


def test_each_job_has_its_own_process_and_longest_starts_first(tmp_path):
    order = tmp_path / "order"

    def note(index):
        with open(order, "a") as file:
            file.write(f"{index}\n")
        return os.getpid()

    jobs = [
        Job(str(index), partial(note, index), float(work), tmp_path / f"{index}.log")
        for index, work in enumerate((1, 3, 2))
    ]
    results = Pool([Slot("one")]).run(jobs, build_display(3))
    assert order.read_text().split() == ["1", "2", "0"]
    processes = {result.value for result in results}
    assert len(processes | {os.getpid()}) == 4


def build_twelve_jobs(folder, shares, at_a_time):
    """Return jobs of unequal length that fail if more than `shares` of them run on one GPU.

    Each job holds a file of its GPU while it runs. The first jobs wait until `at_a_time` jobs hold
    a file, so that all slots are in use at the same time.
    """
    (folder / "held").mkdir()
    full = folder / "full"

    def run(index):
        gpu = os.environ["CUDA_VISIBLE_DEVICES"]
        for share in range(shares):
            share_file = folder / "held" / f"{gpu}-{share}"
            try:
                os.close(os.open(share_file, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            if len(os.listdir(folder / "held")) == at_a_time:
                full.touch()
            wait_until(full.exists)
            sum(range((index * 7 % 12) * 100_000))
            share_file.unlink()
            return share_file.name
        full.touch()
        raise RuntimeError(f"more than {shares} jobs on GPU {gpu}")

    return build_jobs(folder, [partial(run, index) for index in range(12)])


FAST_CASES = [(2, 2)]
SLOW_CASES = [
    (gpus, shares)
    for gpus in (1, 2, 8)
    for shares in (1, 2, 3, 4)
    if (gpus, shares) not in FAST_CASES
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpus", "shares"),
    [*FAST_CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_CASES)],
)
def test_no_slot_is_shared_and_each_job_sees_its_own_gpu(tmp_path, gpus, shares):
    """The GPUs are fake names; no driver is involved."""
    slots = list_slots("cuda", None, shares, 1, [Gpu(str(gpu)) for gpu in range(gpus)])
    assert len({slot.name for slot in slots}) == len(slots) == gpus * shares
    at_a_time = min(12, len(slots))
    results = Pool(slots).run(build_twelve_jobs(tmp_path, shares, at_a_time), build_display(12))
    assert [result.error for result in results] == [None] * 12
    assert {result.value.split("-")[0] for result in results} == {str(gpu) for gpu in range(gpus)}
    assert len({result.value for result in results}) == at_a_time


MPS_JOB = """
import os, sys
from pathlib import Path
from hydra_plugins.pool_launcher import Gpu, Pool, list_slots
from hydra_plugins.sweep_launcher import Job
if __name__ == "__main__":
    names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_VISIBLE_DEVICES")
    job = Job("job", lambda: [os.environ[name] for name in names], 1.0, Path(os.devnull))
    (result,) = Pool(list_slots("cuda", None, 1, 1, [Gpu("GPU-8932f937")])).run([job])
    print(*result.value)
"""


@pytest.mark.slow
def test_job_has_the_variables_of_mps_and_its_gpu(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MPS_JOB)
    environment = os.environ | {"CUDA_MPS_PIPE_DIRECTORY": "pipes"}
    command = [sys.executable, str(script)]
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert completed.stdout == "pipes GPU-8932f937\n"


@pytest.mark.slow
def test_jobs_detect_a_slot_that_is_used_twice(tmp_path):
    slots = list_slots("cuda", None, 1, 1, [Gpu("0"), Gpu("0")])
    results = Pool(slots).run(build_twelve_jobs(tmp_path, 1, 2), build_display(12))
    assert "more than 1 jobs on GPU 0" in [result.error for result in results]


@pytest.mark.slow
def test_excess_jobs_wait_for_a_free_slot(tmp_path):
    """Each job holds one of two files, and fails if both are already held."""

    def run():
        for name in ("a", "b"):
            try:
                os.close(os.open(tmp_path / name, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            (tmp_path / name).unlink()
            return name
        raise RuntimeError("a third job ran")

    results = Pool(CORES).run(build_jobs(tmp_path, [run] * 12), build_display(12))
    assert [result.error for result in results] == [None] * 12


def test_jobs_that_another_process_runs_start_last(tmp_path):
    order = tmp_path / "order"

    def note(index):
        with open(order, "a") as file:
            file.write(f"{index}\n")

    free = tmp_path / "free"
    is_locked = [lambda: not free.exists(), lambda: True, lambda: False]
    jobs = [
        Job(str(index), partial(note, index), 1.0, tmp_path / f"{index}.log", is_locked[index])
        for index in range(3)
    ]
    free.touch()
    Pool([Slot("one")]).run(jobs, build_display(3))
    assert order.read_text().split() == ["0", "2", "1"]


def test_messages_of_a_job_reach_the_display(tmp_path):
    def run():
        progress.notify("waiting for another process")

    display = build_display(1)
    pool = Pool([Slot("one")], connect=progress.connect)
    pool.run(build_jobs(tmp_path, [run]), display)
    assert display.stream.getvalue() == "waiting for another process\n"


def test_progress_of_a_job_reaches_the_display(tmp_path):
    class Updates(Display):
        def update_job(self, job, iteration, total):
            updates.append((job, iteration, total))

    updates = []
    pool = Pool([Slot("one")], connect=progress.connect)
    jobs = build_jobs(tmp_path, [partial(progress.report_progress, 3, 12)])
    pool.run(jobs, Updates(1, stream=io.StringIO()))
    assert updates == [(0, 3, 12)]


def test_messages_outside_a_pool_are_logged(caplog):
    progress.notify("waiting for another process")
    progress.report_progress(3, 12)
    assert [record.getMessage() for record in caplog.records] == ["waiting for another process"]


def test_failure_names_the_job_once(tmp_path):
    def run():
        raise ValueError("job 0: the reason")

    display = build_display(1)
    Pool([Slot("one")]).run(build_jobs(tmp_path, [run]), display)
    assert "job 0 failed: the reason (log: " in display.stream.getvalue()


class ThreePolls(Display):
    """Creates the file `then` after three polls of the pool in which the file `since` exists."""

    def __init__(self, since, then):
        super().__init__(2, stream=io.StringIO())
        self.since, self.then, self.polls = since, then, 0

    def draw(self):
        self.polls += self.since.exists()
        if self.polls == 3:
            self.then.touch()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "darwin", reason="no fork server on macOS")
def test_jobs_outlive_their_fork_server(tmp_path):
    """The server's death neither ends a running job nor frees its slot."""
    dead, released, finished = tmp_path / "dead", tmp_path / "released", tmp_path / "finished"

    def run():
        server = os.getppid()
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: os.getppid() != server)
        dead.touch()
        wait_until(released.exists)
        finished.touch()
        return "done"

    jobs = build_jobs(tmp_path, [run, finished.exists])
    results = Pool([Slot("one")]).run(jobs, ThreePolls(dead, released))
    assert [result.error for result in results] == [None, None]
    assert [result.value for result in results] == ["done", True]


def test_slots_of_a_cpu_machine_are_its_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert len(list_slots("cpu", None, 1, 1, [Gpu("0")])) == 6
    assert len(list_slots("cpu", None, 1, 4, [])) == 1
    assert len(list_slots("cpu", 3, 1, 0, [])) == 3
    monkeypatch.setattr(sys, "platform", "linux")
    assert len(list_slots("auto", 3, 1, 1, [])) == 3
    assert list_slots("cuda", None, 1, 1, []) == []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert [slot.name for slot in list_slots("auto", None, 1, 1, [])] == ["mps"]
    assert list_slots("cpu", None, 1, 1, [Gpu("0")])[0].environment == {}


def test_capped_number_of_slots_is_spread_over_the_gpus():
    slots = list_slots("auto", 3, 2, 1, [Gpu("0"), Gpu("5")])
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["0", "5", "0"]


STOPPED_SWEEP = """
import os, signal, sys, threading
from pathlib import Path
from hydra_plugins.pool_launcher import Pool, Slot
from hydra_plugins.sweep_launcher import Job, Stopped
folder = Path(sys.argv[1])

def run():
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    (folder / f"started-{os.getpid()}").touch()
    print(os.getpid(), flush=True)
    stop.wait()
    (folder / f"saved-{os.getpid()}").touch()

if __name__ == "__main__":
    jobs = [Job(str(index), run, 1.0, folder / f"{index}.log") for index in range(3)]
    try:
        Pool([Slot("a"), Slot("b")]).run(jobs)
    except Stopped as stopped:
        sys.exit(128 + stopped.signum)
"""


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text() if sys.platform == "linux" else ""
        os.kill(pid, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return ") Z " not in status  # a zombie has ended, but its parent has not reaped it yet


def wait_until(condition):
    """Poll until the condition holds; fail after a minute, so that a broken pool cannot hang."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("the condition never held")


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopping_the_parent_stops_the_children(tmp_path, signum):
    script = tmp_path / "script.py"
    script.write_text(STOPPED_SWEEP)
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as parent:
        wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
        pids = [int(path.name.split("-")[1]) for path in tmp_path.glob("started-*")]
        parent.send_signal(signum)
        status = parent.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    assert status == (-signum if signum is signal.SIGKILL else 128 + signum)
    assert len(list(tmp_path.glob("started-*"))) == 2  # the third never started
    assert len(list(tmp_path.glob("saved-*"))) == 2  # each had time to save
