"""A loop's process builds it once, advances it on request, and reports errors in one line."""

import signal

import pytest
import torch

from benchmarks import loop_processes
from benchmarks.loop_processes import LoopFailed, Team, serve, started_teams
from benchmarks.loops import LoopKind, LoopSpec
from degradation.config import ConfigError


class FakeLoop:
    device = torch.device("cpu")

    def advance(self, iterations):
        if iterations > 100:
            raise ConfigError("model.depth: too many")
        return 5 * iterations


class Pipe:
    """The parent's end: sends numbers of iterations, then closes."""

    def __init__(self, *requests):
        self.requests, self.answers = list(requests), []

    def recv(self):
        if not self.requests:
            raise EOFError
        return self.requests.pop(0)

    def send(self, message):
        self.answers.append(message)


@pytest.fixture
def _fake_loop(monkeypatch):
    monkeypatch.setattr(loop_processes, "build_loop", lambda _spec: FakeLoop())
    monkeypatch.setattr(signal, "signal", lambda *_: None)


@pytest.mark.usefixtures("_fake_loop")
def test_process_answers_until_its_pipe_is_closed():
    pipe = Pipe(3, 4)
    serve(None, pipe)
    assert pipe.answers == [("built", None), ("advanced", 15), ("advanced", 20)]


@pytest.mark.usefixtures("_fake_loop")
def test_process_waits_for_the_gpu_before_it_answers(monkeypatch):
    pipe, answers_before = Pipe(1), []
    monkeypatch.setattr(FakeLoop, "device", torch.device("cuda"))
    monkeypatch.setattr(
        torch.cuda, "synchronize", lambda _device: answers_before.append(list(pipe.answers))
    )
    serve(None, pipe)
    # once before it is ready, and once after the loop has advanced, before the answer
    assert answers_before == [[], [("built", None)]]


@pytest.mark.usefixtures("_fake_loop")
def test_error_is_one_line_and_ends_the_process(capsys):
    pipe = Pipe(1, 101, 1)
    serve(None, pipe)
    assert pipe.answers[-1] == ("failed", "model.depth: too many")
    assert pipe.requests == [1]
    assert capsys.readouterr().err == ""


class Member:
    """A process whose calls are logged."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def start(self, iterations):
        self.log.append(f"{self.name} starts {iterations}")

    def wait(self):
        self.log.append(f"{self.name} has finished")
        return 10


def test_team_starts_all_before_it_waits():
    log = []
    assert Team([Member("a", log), Member("b", log)]).advance(3) == 20
    assert log == ["a starts 3", "b starts 3", "a has finished", "b has finished"]


@pytest.mark.slow
def test_loops_in_processes_train_and_end(tiny):
    config = tiny("data=digits")
    specs = [LoopSpec(LoopKind.SUITE, config, 1), LoopSpec(LoopKind.REFERENCE, config, 1)]
    with started_teams([specs, [LoopSpec(LoopKind.EVALUATION, config, 1)]]) as teams:
        processes = [process.process for team in teams for process in team.processes]
        assert [team.advance(2) for team in teams] == [128, 2 * (1500 + 1500 + 297)]
    assert [process.exitcode for process in processes] == [0, 0, 0]


@pytest.mark.slow
def test_process_that_dies_is_reported(tiny):
    specs = [LoopSpec(LoopKind.SUITE, tiny("data=digits"), 1)]
    with started_teams([specs]) as (team,):
        team.processes[0].process.kill()
        with pytest.raises(LoopFailed, match="the process of the suite loop ended with exit"):
            team.advance(1)
