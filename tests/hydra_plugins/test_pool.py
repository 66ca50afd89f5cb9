"""The pool: a job that raises or is killed does not take others along; slots are never shared."""

import io
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from degradation import progress
from hydra_plugins.pool_launcher import Pool, Slot, list_slots
from hydra_plugins.sweep_launcher import Display, Job, format_duration

CORES = [Slot("core 0"), Slot("core 1")]


def jobs_of(tmp_path, functions):
    return [
        Job(f"job {i}", function, 1.0, tmp_path / f"{i}.log")
        for i, function in enumerate(functions)
    ]


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    print("before the end")
    raise ValueError("first line\nsecond line")


def quiet(total):
    return Display(total, stream=io.StringIO())


def test_a_job_that_raises_and_one_that_is_killed_are_told_and_the_others_finish(tmp_path):
    display = quiet(4)
    jobs = jobs_of(tmp_path, [lambda: "one", fail, kill_myself, lambda: "two"])
    results = Pool(CORES).run(jobs, display)
    assert [result.value for result in results] == ["one", None, None, "two"]
    assert [result.error for result in results] == [
        None,
        "first line",
        "its process was killed by SIGKILL",
        None,
    ]
    assert (display.done, display.failed) == (2, 2)
    told = display.stream.getvalue()
    assert f"failed: job 1: first line (log: {tmp_path / '1.log'})" in told
    assert "failed: job 2: its process was killed by SIGKILL" in told
    log = (tmp_path / "1.log").read_text()
    assert "before the end" in log
    assert "ValueError: first line" in log


def test_a_log_that_cannot_be_written_is_told_and_the_job_goes_on(tmp_path):
    display = quiet(2)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / "file" / "1.log", tmp_path / "folder"]
    jobs = [Job(path.name, lambda: print("shown to nobody") or "one", 1.0, path) for path in paths]
    assert [result.value for result in Pool(CORES).run(jobs, display)] == ["one", "one"]
    for path in paths:
        assert f"{path}: cannot be written" in display.stream.getvalue()


def test_each_job_has_a_process_and_the_longest_starts_first(tmp_path):
    order = tmp_path / "order"

    def note(index):
        with open(order, "a") as file:
            file.write(f"{index}\n")
        return os.getpid()

    jobs = [
        Job(str(i), lambda i=i: note(i), float(work), tmp_path / f"{i}.log")
        for i, work in enumerate((1, 3, 2))
    ]
    results = Pool([Slot("one")]).run(jobs, quiet(3))
    assert order.read_text().split() == ["1", "2", "0"]
    assert len({result.value for result in results} | {os.getpid()}) == 4


def twelve_jobs(folder, shares, at_once):
    """Uneven ones, each of which holds a file of its GPU while it runs, and fails where all `shares` are held.

    The first round ends when `at_once` jobs hold one, so that as many as there are slots have run at the same time.
    """
    (folder / "held").mkdir()
    full = folder / "full"

    def job(index):
        gpu = os.environ["CUDA_VISIBLE_DEVICES"]
        for share in range(shares):
            held = folder / "held" / f"{gpu}-{share}"
            try:
                os.close(os.open(held, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            if len(os.listdir(folder / "held")) == at_once:
                full.touch()
            until(full.exists)
            sum(range((index * 7 % 12) * 100_000))
            held.unlink()
            return held.name
        full.touch()
        raise RuntimeError(f"more than {shares} jobs on GPU {gpu}")

    return jobs_of(folder, [partial(job, index) for index in range(12)])


QUICK = [(2, 2)]
OTHERS = [
    (gpus, shares) for gpus in (1, 2, 8) for shares in (1, 2, 3, 4) if (gpus, shares) not in QUICK
]


@pytest.mark.parametrize(
    ("gpus", "shares"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in OTHERS)]
)
def test_no_two_of_twelve_uneven_jobs_hold_one_slot_and_each_sees_its_own_gpu(
    tmp_path, gpus, shares
):
    """Pretended GPUs: a list of names, which no driver knows."""
    places = list_slots("cuda", None, shares, 1, [str(gpu) for gpu in range(gpus)])
    assert len({place.name for place in places}) == len(places) == gpus * shares
    at_once = min(12, len(places))
    results = Pool(places).run(twelve_jobs(tmp_path, shares, at_once), quiet(12))
    assert [result.error for result in results] == [None] * 12
    assert {result.value.split("-")[0] for result in results} == {str(gpu) for gpu in range(gpus)}
    assert len({result.value for result in results}) == at_once


def test_a_slot_that_is_given_twice_is_told_by_the_jobs_that_hold_it(tmp_path):
    """Else the test above could not fail."""
    places = list_slots("cuda", None, 1, 1, ["0", "0"])
    results = Pool(places).run(twelve_jobs(tmp_path, 1, 2), quiet(12))
    assert "more than 1 jobs on GPU 0" in [result.error for result in results]


def test_more_jobs_than_slots_wait_for_a_free_one(tmp_path):
    """Never more than two at once: each job takes one of two files, and fails where there is none."""

    def job():
        for place in ("a", "b"):
            try:
                os.close(os.open(tmp_path / place, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            (tmp_path / place).unlink()
            return place
        raise RuntimeError("a third job at once")

    results = Pool(CORES).run(jobs_of(tmp_path, [job] * 12), quiet(12))
    assert [result.error for result in results] == [None] * 12


def test_jobs_that_another_process_is_at_come_last(tmp_path):
    order = tmp_path / "order"

    def note(index):
        with open(order, "a") as file:
            file.write(f"{index}\n")

    free = tmp_path / "free"
    held = [lambda: not free.exists(), lambda: True, lambda: False]
    jobs = [Job(str(i), lambda i=i: note(i), 1.0, tmp_path / f"{i}.log", held[i]) for i in range(3)]
    free.touch()
    Pool([Slot("one")]).run(jobs, quiet(3))
    assert order.read_text().split() == ["0", "2", "1"]


def test_what_a_job_tells_is_shown_while_the_others_go_on(tmp_path):
    def job():
        progress.notify("waits for another")

    display = quiet(1)
    pool = Pool([Slot("one")], connect=progress.connect)
    pool.run(jobs_of(tmp_path, [job]), display)
    assert display.stream.getvalue() == "waits for another\n"


def test_what_is_told_outside_a_pool_is_logged(caplog):
    progress.notify("waits for another")
    assert "waits for another" in caplog.text


def test_a_label_is_told_once(tmp_path):
    def failing():
        raise ValueError("job 0: because")

    display = quiet(1)
    Pool([Slot("one")]).run(jobs_of(tmp_path, [failing]), display)
    assert "failed: job 0: because (log: " in display.stream.getvalue()


class Rounds(Display):
    """Makes a file when the pool has looked at its jobs three times since another file was made."""

    def __init__(self, since, then):
        super().__init__(2, stream=io.StringIO())
        self.since, self.then, self.rounds = since, then, 0

    def draw(self):
        self.rounds += self.since.exists()
        if self.rounds == 3:
            self.then.touch()


@pytest.mark.skipif(sys.platform == "darwin", reason="jobs have no fork server")
def test_jobs_outlive_their_fork_server(tmp_path):
    """The pool learns that the server is dead while its job runs: that is neither a result, nor is the slot free."""
    dead, released, finished = tmp_path / "dead", tmp_path / "released", tmp_path / "finished"

    def first():
        server = os.getppid()
        os.kill(server, signal.SIGKILL)
        until(lambda: os.getppid() != server)
        dead.touch()
        until(released.exists)
        finished.touch()
        return "done"

    results = Pool([Slot("one")]).run(
        jobs_of(tmp_path, [first, finished.exists]), Rounds(dead, released)
    )
    assert [result.error for result in results] == [None, None]
    assert [result.value for result in results] == ["done", True]


def test_slots_of_a_cpu_machine_are_its_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert len(list_slots("cpu", None, 1, 1, ["0"])) == 6
    assert len(list_slots("cpu", None, 1, 4, [])) == 1
    assert len(list_slots("cpu", 3, 1, 0, [])) == 3
    monkeypatch.setattr(sys, "platform", "linux")
    assert len(list_slots("auto", 3, 1, 1, [])) == 3
    assert list_slots("cuda", None, 1, 1, []) == []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert [slot.name for slot in list_slots("auto", None, 1, 1, [])] == ["mps"]
    assert list_slots("cpu", None, 1, 1, ["0"])[0].environment == {}


def test_a_capped_list_of_gpu_slots_is_spread_over_the_gpus():
    assert [
        slot.environment["CUDA_VISIBLE_DEVICES"] for slot in list_slots("auto", 3, 2, 1, ["0", "5"])
    ] == ["0", "5", "0"]


STOPPED = """
import os, signal, sys, threading
from pathlib import Path
from hydra_plugins.pool_launcher import Pool, Slot
from hydra_plugins.sweep_launcher import Job, Stopped
folder = Path(sys.argv[1])

def job():
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    (folder / f"started-{os.getpid()}").touch()
    print(os.getpid(), flush=True)
    stop.wait()
    (folder / f"saved-{os.getpid()}").touch()

if __name__ == "__main__":
    try:
        Pool([Slot("a"), Slot("b")]).run([Job(str(i), job, 1.0, folder / f"{i}.log") for i in range(3)])
    except Stopped as stopped:
        sys.exit(128 + stopped.signum)
"""


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text() if sys.platform == "linux" else ""
        os.kill(pid, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return ") Z " not in status  # a zombie has ended; its parent has not asked yet


def until(condition):
    """Poll; the test's end is the condition, the number only keeps a broken pool from hanging the suite."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("the condition never held")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopping_the_parent_stops_the_children(tmp_path, how):
    script = tmp_path / "script.py"
    script.write_text(STOPPED)
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as parent:
        until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
        pids = [int(path.name.split("-")[1]) for path in tmp_path.glob("started-*")]
        parent.send_signal(how)
        code = parent.wait()
    until(lambda: not any(alive(pid) for pid in pids))
    assert code == (-how if how is signal.SIGKILL else 128 + how)
    assert len(list(tmp_path.glob("started-*"))) == 2  # the third never began
    assert len(list(tmp_path.glob("saved-*"))) == 2  # each had the time to save


def test_the_line_tells_what_is_done_and_what_is_left():
    display = Display(4, stream=io.StringIO(), work_total=40.0, started=0.0)
    for job in (0, 1):
        display.begun(job, 10.0)
    for iteration in (0, 100):
        display.progress(0, iteration, 100)
        display.progress(1, iteration // 2, 100)
    display.ended(0, failed=False)
    assert (
        display.line(10.0)
        == "1/4 runs done, 1 running, 0 failed | 15.0 iterations/s | about 17 s left"
    )
    display.ended(1, failed=True)
    assert display.line(10.0).startswith("1/4 runs done, 0 running, 1 failed")


def test_nothing_is_drawn_where_the_output_is_no_terminal():
    display = quiet(1)
    display.draw()
    assert display.stream.getvalue() == ""


def test_durations():
    assert [format_duration(s) for s in (0, 59.6, 185, 3600 * 26 + 60)] == [
        "0 s",
        "1 min 00 s",
        "3 min 05 s",
        "26 h 01 min",
    ]
