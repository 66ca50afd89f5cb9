"""The progress of a sweep, on a terminal and in a log, at times that the tests set."""

import io
import itertools
import os

import pytest

from hydra_plugins.sweep_launcher import CurvePoint, Display, format_duration


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """A terminal that interprets the control sequences that the display uses."""

    def isatty(self):
        return True

    def read_screen(self):
        lines = [""]
        row = 0
        text = self.getvalue()
        while text:
            if text.startswith("\x1b["):
                digits = "".join(itertools.takewhile(str.isdigit, text[2:]))
                command, text = text[2 + len(digits)], text[3 + len(digits) :]
                if command == "A":
                    row -= int(digits)
                else:
                    assert command == "J"
                    lines = [*lines[:row], ""]
                continue
            character, text = text[0], text[1:]
            if character == "\n":
                row += 1
                lines = [*lines[:row], ""]
            elif character != "\r":
                lines[row] += character
        return lines


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def build(clock):
    """Return a function that builds the display of jobs with some works over some slots."""

    def build(works, slots=2, stream=None):
        display = Display(len(works), stream=stream or io.StringIO(), clock=clock)
        display.queue_jobs(works, slots)
        return display

    return build


def run_job(display, clock, index, reports):
    """Report (time, iteration, total) of a job, which starts at the first time."""
    clock.now = reports[0][0]
    display.start_job(index, f"job {index}", f"core {index}")
    for clock.now, iteration, total in reports:
        display.update_job(index, iteration, total)


def find_time_left(display, clock):
    line = display.format_line(clock.now)
    return line.partition("about ")[2]


def test_line_counts_jobs_and_estimates_the_time_left(build, clock):
    display = build([10.0] * 4)
    for index in (0, 1):
        display.start_job(index, f"job {index}", f"core {index}")
        display.update_job(index, 0, 100)
    clock.now = 10.0
    display.update_job(0, 100, 100)
    display.update_job(1, 50, 100)
    display.end_job(0, failed=False)
    # one job took 10 s, the other one takes 20: slot 0 trains two more jobs
    line = display.format_line(10.0)
    assert line.startswith("1/4 runs done, 1 running, 0 failed | 15.0 iterations/s | about ")
    display.end_job(1, failed=True)
    assert display.format_line(10.0).startswith("1/4 runs done, 0 running, 1 failed")


@pytest.mark.parametrize("first", [0, 100, 1990])
def test_time_left_of_a_resumed_run_is_that_of_its_new_pace(build, clock, first):
    """Each iteration takes 2 s, however many were done before the resume."""
    display = build([1000.0], slots=1)
    run_job(display, clock, 0, [(5, first, 2000), (15, first + 5, 2000)])
    assert find_time_left(display, clock) == f"{format_duration(2 * (1995 - first))} left"
    assert "0.5 iterations/s" in display.format_line(clock.now)


def test_time_left_of_queued_jobs_ignores_work_before_a_resume(build, clock):
    """The resumed job's remaining 100 iterations are 100 units of work, and take 1 s each."""
    display = build([100.0, 400.0], slots=1)
    run_job(display, clock, 0, [(0, 900, 1000), (10, 910, 1000)])
    assert find_time_left(display, clock) == f"{format_duration(90 + 400)} left"


def test_time_left_weighs_jobs_of_unequal_cost(build, clock):
    """Each unit of work takes 1 s; the long job decides, not the mean over the slots."""
    display = build([1000.0, 10.0, 10.0, 10.0])
    run_job(display, clock, 0, [(0, 0, 100), (10, 1, 100)])
    clock.now = 0
    run_job(display, clock, 1, [(0, 0, 100), (10, 100, 100)])
    display.end_job(1, failed=False)
    assert find_time_left(display, clock) == f"{format_duration(990)} left"


def test_time_of_a_queued_job_follows_jobs_like_it(build, clock):
    """Small networks cost ten times as much per unit of work as large ones."""
    display = build([1000.0, 10.0, 11.0, 900.0], slots=1)
    run_job(display, clock, 0, [(0, 0, 10), (1000, 10, 10)])
    display.end_job(0, failed=False)
    run_job(display, clock, 1, [(1000, 0, 10), (1100, 10, 10)])
    display.end_job(1, failed=False)
    assert find_time_left(display, clock) == f"{format_duration(110 + 900)} left"


def test_pace_of_a_starting_job_is_that_of_others(build, clock):
    """Its first iterations include what happens once, such as loading code."""
    display = build([100.0, 100.0, 100.0], slots=1)
    run_job(display, clock, 0, [(0, 0, 100), (100, 100, 100)])
    display.end_job(0, failed=False)
    run_job(display, clock, 1, [(100, 0, 100), (104, 1, 100)])
    assert find_time_left(display, clock) == f"{format_duration(96 + 100)} left"


def test_time_left_is_unknown_before_any_pace_is(build, clock):
    display = build([1.0, 1.0])
    assert "left" not in display.format_line(0.0)
    run_job(display, clock, 0, [(1, 500, 1000)])
    assert "left" not in display.format_line(1.0)


def test_runs_that_another_process_did_say_nothing_of_the_pace(build, clock):
    display = build([100.0, 100.0, 100.0])
    run_job(display, clock, 0, [(0, 0, 100), (100, 100, 100)])
    display.end_job(0, failed=False)
    display.start_job(1, "job 1", "core 1")
    display.end_job(1, failed=False)
    assert find_time_left(display, clock) == f"{format_duration(100)} left"


def test_job_that_trains_its_parent_first_counts_both(build, clock):
    display = build([1.0], slots=1)
    run_job(display, clock, 0, [(0, 0, 100), (10, 100, 100), (10, 0, 50), (20, 25, 50)])
    assert display.running[0].count_iterations() == 125
    assert find_time_left(display, clock) == "10 s left"


def test_cluster_without_reports_uses_the_ended_jobs(build, clock):
    display = build([10.0, 10.0, 20.0], slots=None)
    display.running_label = "queued or running"
    for index in range(3):
        display.start_job(index, f"job {index}")
    clock.now = 60.0
    display.end_job(0, failed=False)
    line = "1/3 runs done, 2 queued or running, 0 failed | about 3 min 00 s left"
    assert display.format_line(60.0) == line


def test_log_gets_one_line_per_minute(build, clock):
    display = build([1.0, 1.0])
    run_job(display, clock, 0, [(0, 0, 1000)])
    for second in range(0, 181):
        clock.now = float(second)
        display.update_job(0, second, 1000)
        display.draw()
    lines = display.stream.getvalue().splitlines()
    assert lines == [
        "0/2 runs done, 1 running, 0 failed | 1.0 iterations/s | about 16 min 40 s left",
        "0/2 runs done, 1 running, 0 failed | 1.0 iterations/s | about 16 min 40 s left",
        "0/2 runs done, 1 running, 0 failed | 1.0 iterations/s | about 16 min 40 s left",
    ]


def test_dumb_terminal_gets_lines_like_a_log(build, clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    display = build([1.0], stream=Terminal())
    clock.now = 59.0
    display.draw()
    assert display.stream.getvalue() == ""
    clock.now = 60.0
    display.draw()
    assert display.stream.getvalue() == "0/1 runs done, 0 running, 0 failed\n"


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_terminal_shows_each_running_job_with_its_slot(build, clock, terminal):
    display = build([1.0] * 4, stream=terminal)
    run_job(display, clock, 0, [(0, 7, 400)])
    display.start_job(1, "job 1", "core 1")
    display.draw()
    assert terminal.read_screen() == [
        "0/4 runs done, 2 running, 0 failed | 0.0 iterations/s",
        "  core 0: job 0  7/400",
        "  core 1: job 1  starting",
    ]
    display.end_job(0, failed=False)
    clock.now = 1.0
    display.draw()
    assert terminal.read_screen()[1:] == ["  core 1: job 1  starting"]
    display.print("job 1 failed: the reason")
    assert terminal.read_screen() == ["job 1 failed: the reason", ""]
    display.draw()
    assert len(terminal.read_screen()) == 3


def test_terminal_shows_errors_times_and_the_curve(clock, terminal):
    display = Display(3, stream=terminal, clock=clock)
    display.add_finished(CurvePoint("residual", 20, 0), 0.4)
    points = [CurvePoint("plain", 20, 0), CurvePoint("plain", 56, 0)]
    display.queue_jobs([1.0, 1.0], 2, points)
    run_job(display, clock, 0, [(0, 0, 100), (10, 50, 100)])
    display.update_error(0, 45.67)
    display.draw()
    assert terminal.read_screen()[1:] == [
        "  core 0: job 0  50/100  error 45.7 %  10 s left",
        "  error so far, %     20     56",
        "  plain             45.7      -",
        "  residual           0.4      -",
    ]


def test_curve_gives_way_on_a_small_terminal(build, clock, terminal, monkeypatch):
    monkeypatch.setattr(Display, "_find_size", lambda self: os.terminal_size((80, 5)))
    display = Display(1, stream=terminal, clock=clock)
    display.queue_jobs([1.0], 1, [CurvePoint("plain", 20, 0)])
    run_job(display, clock, 0, [(0, 0, 100)])
    display.update_error(0, 45.67)
    display.draw()
    assert terminal.read_screen()[1:] == ["  core 0: job 0  0/100  error 45.7 %"]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (20, 4), (10, 2), (10, 1)])
def test_lines_fit_any_terminal(build, clock, terminal, monkeypatch, columns, rows):
    size = os.terminal_size((columns, rows))
    monkeypatch.setattr(Display, "_find_size", lambda self: size)
    display = build([1.0] * 30, slots=30, stream=terminal)
    for index in range(30):
        display.start_job(index, f"a job with a long name {index}", f"core {index}")
    for clock.now in range(3):
        display.draw()
        screen = terminal.read_screen()
        assert len(screen) <= max(1, rows - 1)
        assert all(len(line) < columns for line in screen)


def test_durations():
    assert [format_duration(seconds) for seconds in (0, 59.6, 185, 3600 * 26 + 60)] == [
        "0 s",
        "1 min 00 s",
        "3 min 05 s",
        "26 h 01 min",
    ]
