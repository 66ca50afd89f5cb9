"""Loops are timed in turns, by a clock that the test sets."""

import pytest

from benchmarks.rounds import (
    Spread,
    Stretch,
    TimedStretch,
    estimate_sample,
    plan_stretch,
    sample,
    summarise_ratio,
    summarise_speed,
    time_rounds,
)


class FakeClock:
    """A clock that only loops advance."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class FakeLoop:
    """A loop of 10 images per iteration, whose calls are logged."""

    def __init__(self, clock, seconds, log, name="loop"):
        self.clock, self.seconds, self.log, self.name = clock, list(seconds), log, name

    def advance(self, iterations):
        self.log.append((self.name, iterations))
        each = self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        self.clock.now += each * iterations
        return 10 * iterations


def test_rounds_alternate_and_settling_is_not_timed():
    clock, log = FakeClock(), []
    first = FakeLoop(clock, [9.0, 1.0, 9.0, 2.0], log, "first")
    second = FakeLoop(clock, [0.5], log, "second")
    timed = time_rounds([first, second], [Stretch(1, 4), Stretch(0, 6)], 2, clock)
    # the second round has the reverse order
    assert log == [
        ("first", 1),
        ("first", 4),
        ("second", 6),
        ("second", 6),
        ("first", 1),
        ("first", 4),
    ]
    assert timed == [
        [TimedStretch(4, 40, 4.0), TimedStretch(4, 40, 8.0)],
        [TimedStretch(6, 60, 3.0), TimedStretch(6, 60, 3.0)],
    ]


def test_steady_drift_leaves_the_ratio(monkeypatch):
    """Two equal loops on a machine that takes 1 % longer for each stretch than for the last."""
    clock = FakeClock()

    class SlowingLoop:
        def advance(self, iterations):
            clock.now += 10.0 * 1.01**clock.calls
            clock.calls += 1
            return iterations

    monkeypatch.setattr(clock, "calls", 0, raising=False)
    first, second = time_rounds([SlowingLoop()] * 2, [Stretch(0, 1)] * 2, 6, clock)
    assert summarise_ratio(second, first).median == pytest.approx(1, abs=1e-4)


def test_speeds_are_medians_with_their_range():
    stretches = [TimedStretch(2, 20, seconds) for seconds in (4.0, 1.0, 2.0)]
    assert summarise_speed(stretches) == Spread(10.0, 5.0, 20.0)
    assert [each.seconds_per_iteration for each in stretches] == [2.0, 0.5, 1.0]


def test_ratio_compares_within_each_round():
    """The machine is three times slower in the last round, which no ratio shows."""
    reference = [TimedStretch(1, 10, seconds) for seconds in (1.0, 1.0, 3.0)]
    faster = [TimedStretch(1, 10, seconds) for seconds in (0.5, 0.4, 1.5)]
    assert summarise_ratio(faster, reference) == Spread(2.0, 2.0, 2.5)


def test_sample_excludes_the_warm_up():
    clock, log = FakeClock(), []
    loop = FakeLoop(clock, [1.0, 0.5, 0.5, 0.5, 0.5, 0.25], log)
    assert sample(loop, clock) == pytest.approx(0.25)
    assert log == [("loop", 1)] * 8


@pytest.mark.parametrize(("seconds", "iterations"), [(0.01, 8), (2.0, 7), (40.0, 2)])
def test_slow_loops_are_sampled_less_often(seconds, iterations):
    clock, log = FakeClock(), []
    assert sample(FakeLoop(clock, [seconds], log), clock) == pytest.approx(seconds)
    assert len(log) == iterations
    assert estimate_sample(seconds) == pytest.approx(clock.now - 100.0)


@pytest.mark.parametrize(
    ("iteration_seconds", "stretch"),
    [(0.01, Stretch(8, 300)), (0.25, Stretch(4, 12)), (1.0, Stretch(1, 3)), (40.0, Stretch(0, 1))],
)
def test_stretches_have_about_the_requested_length(iteration_seconds, stretch):
    assert plan_stretch(iteration_seconds, stretch_seconds=3.0) == stretch
