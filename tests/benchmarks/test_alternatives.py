"""Alternatives of the CPU's step: each changes what its name says, and bits are compared."""

import os

import pytest
import torch

from benchmarks import alternatives
from benchmarks.alternatives import AS_IT_IS, build_rows, check_is_cpu, gives_same_bits
from benchmarks.loop_processes import changed_environment
from benchmarks.loops import ENVIRONMENTS, HUGE_PAGES, LoopKind, LoopSpec, build_loop
from benchmarks.rounds import TimedStretch
from degradation.config import ConfigError
from degradation.training.device import restored_settings

DIGITS = ("data=digits", "device=cpu", "schedule.milestones=[]")


def test_every_alternative_trains(tiny):
    for name in alternatives.ALTERNATIVES:
        with restored_settings(), alternatives._restored_process():
            loop = build_loop(LoopSpec(LoopKind.SUITE, tiny(*DIGITS), 1, name))
            assert loop.advance(2) == 64


def test_row_compares_with_the_step_as_it_is(tiny):
    contenders = alternatives.list_contenders([tiny(*DIGITS)])
    assert contenders[0].alternative == AS_IT_IS
    others = len(contenders) - 1
    stretches = [[TimedStretch(1, 128, 2.0)], *[[TimedStretch(1, 128, 1.0)]] * others]
    rows = build_rows(contenders, stretches)
    assert [row["ratio"] for row in rows] == [2.0] * others
    assert AS_IT_IS not in {row["alternative"] for row in rows}


def test_bits_are_compared(tiny, monkeypatch):
    def train_faster(trainer):
        trainer.optimizer.param_groups[0]["momentum"] = 0.95

    monkeypatch.setitem(alternatives.ALTERNATIVES, "more momentum", train_faster)
    config = tiny(*DIGITS)
    assert gives_same_bits(config, AS_IT_IS)
    assert not gives_same_bits(config, "more momentum")


def test_other_device_is_refused(tiny, monkeypatch):
    monkeypatch.setattr(alternatives, "choose_device", lambda _name: torch.device("cuda"))
    with pytest.raises(ConfigError, match=r"^device: cuda is not allowed with --part alternatives"):
        check_is_cpu(tiny(*DIGITS))


def test_bits_are_compared_without_a_change_to_this_process(tiny):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("the system does not pin processes")
    cores = os.sched_getaffinity(0)
    assert gives_same_bits(tiny(*DIGITS), "pinned to one core")
    assert os.sched_getaffinity(0) == cores


def test_huge_pages_are_asked_for_in_the_process_of_the_loop(monkeypatch):
    (variable,) = ENVIRONMENTS[HUGE_PAGES]
    monkeypatch.delenv(variable, raising=False)
    with changed_environment(ENVIRONMENTS[HUGE_PAGES]):
        assert os.environ[variable] == "1"
    assert variable not in os.environ
