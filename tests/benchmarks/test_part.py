"""A part announces its duration, and its rows follow from the stretches by arithmetic."""

from contextlib import contextmanager

import pytest
import torch

from benchmarks import evaluation, machine, part, speed
from benchmarks.loops import LoopKind, count_evaluations, find_evaluation
from benchmarks.part import Contender, Timing, estimate_seconds, run_part
from benchmarks.rounds import TimedStretch


class FakeTeam:
    def advance(self, iterations):
        return 128 * iterations


@pytest.fixture
def _on_a_gpu(monkeypatch):
    """Let the device of every configuration be a CUDA GPU."""
    for module in (speed, evaluation, part):
        monkeypatch.setattr(module, "choose_device", lambda _name: torch.device("cuda"))
        monkeypatch.setattr(module, "describe_device", lambda _device: "a card")


def list_loops(contenders):
    return [
        (str(each.kind), each.config.precision.dtype, each.threads, each.runs)
        for each in contenders
    ]


def test_step_compares_at_equal_threads_on_a_cpu(compose_config, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    configs = [compose_config("device=cpu", f"precision={name}") for name in ("fp32", "bf16")]
    assert list_loops(speed.list_step_contenders(configs)) == [
        ("reference", "fp32", 4, 1),
        ("suite", "fp32", 1, 1),
        ("suite", "fp32", 4, 1),
        ("suite", "bf16", 1, 1),
        ("suite", "bf16", 4, 1),
    ]
    assert len(speed.list_step_contenders([compose_config("device=cpu", "threads=4")])) == 2


@pytest.mark.usefixtures("_on_a_gpu")
def test_step_compares_captured_and_eager_on_a_gpu(compose_config):
    contenders = speed.list_step_contenders([compose_config()])
    stretches = [[TimedStretch(1, 128, seconds)] for seconds in (4.0, 1.0, 2.0)]
    rows = speed.build_speed_rows(contenders, stretches)
    assert [(row["loop"], row["steps"], row["ratio"]) for row in rows] == [
        ("reference", "eager", 1.0),
        ("suite", "captured", 4.0),
        ("suite", "eager", 2.0),
    ]
    assert {row["device_type"] for row in rows} == {"cuda"}
    only_eager = speed.list_step_contenders([compose_config("cuda_graphs=false")])
    assert len(only_eager) == 2


def test_several_runs_share_the_threads_of_one(compose_config, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(speed, "count_cores", lambda: 4)
    config = compose_config("device=cpu")
    assert list_loops(speed.list_several_contenders([config], runs=None)) == [
        ("reference", "fp32", 4, 1),
        ("reference", "fp32", 1, 4),
        ("suite", "fp32", 4, 1),
        ("suite", "fp32", 1, 4),
    ]
    contenders = speed.list_several_contenders([config], runs=2)
    assert [(each.threads, each.runs) for each in contenders] == [(4, 1), (2, 2), (4, 1), (1, 2)]
    assert len(contenders[1].specs) == 2


def test_minutes_are_those_of_the_machine_for_one_run(compose_config):
    config = compose_config("device=cpu", "precision=bf16", "optim.batch_size=100")
    contenders = [Contender(LoopKind.REFERENCE, config, 2), Contender(LoopKind.SUITE, config, 1, 2)]
    slow = [TimedStretch(10, 1000, 1.0), TimedStretch(10, 1000, 2.0)]
    fast = [TimedStretch(10, 2000, 1.0), TimedStretch(10, 2000, 1.0)]  # images of both runs
    reference, suite = speed.build_speed_rows(contenders, [slow, fast])
    assert (reference["precision"], suite["precision"]) == ("fp32", "bf16")
    assert reference["images_per_second"] == 750.0
    assert (suite["images_per_second"], suite["lowest"], suite["highest"]) == (2000.0,) * 3
    assert suite["minutes"] == round(64_000 * 100 / 2000 / 60, 1)
    assert (suite["ratio"], suite["ratio_lowest"], suite["ratio_highest"]) == (3.0, 2.0, 4.0)


def test_share_counts_both_kinds_of_evaluation(compose_config):
    config = compose_config(
        "device=cpu",
        "schedule.iterations=100",
        "schedule.evaluate_every=10",
        "schedule.augmented_every=50",
    )
    assert count_evaluations(config) == {True: 2, False: 8}
    assert (find_evaluation(config, True), find_evaluation(config, False)) == (50, 10)
    contenders = evaluation.list_contenders([config])
    kinds = [str(each.kind) for each in contenders]
    assert kinds == ["suite", "evaluation", "clean evaluation"]
    results = [
        [TimedStretch(4, 512, 2.0)],  # 0.5 s per update
        [TimedStretch(2, 6000, 10.0)],  # 5 s per evaluation
        [TimedStretch(1, 2000, 2.0)],
    ]
    (row,) = evaluation.build_rows(contenders, results)
    assert row["evaluations"] == 10
    assert row["share_percent"] == round(100 * 26 / (50 + 26), 1)
    assert row["seconds_per_evaluation"] == 2.6
    assert row["images_per_second"] == 600.0


def test_runs_without_clean_evaluations_are_timed(compose_config):
    config = compose_config("device=cpu")
    assert count_evaluations(config) == {True: 10, False: 0}
    kinds = [each.kind for each in evaluation.list_contenders([config])]
    assert kinds == [LoopKind.SUITE, LoopKind.EVALUATION]


def test_estimate_scales_with_the_network():
    timing = Timing(rounds=2, seconds=3.0)
    # 1 s per iteration: 1 settles and 3 are timed; 2 s: none settles (0.5 is rounded), 2 are timed
    assert estimate_seconds([1.0], 10.0, [5], timing) == 2 * 4.0
    sampling = (5 + 2) * 2.0  # a sample of slow iterations ends after 3 s
    expected = 2 * 4.0 + 10.0 + sampling + 2 * 4.0
    assert estimate_seconds([1.0], 10.0, [5, 10], timing) == expected


def test_part_says_its_duration_before_it_is_timed(compose_config, monkeypatch, capsys):
    lines_before = []

    @contextmanager
    def start(groups):
        yield [FakeTeam() for _ in groups]

    def time_rounds(teams, stretches, rounds):
        lines_before.append(capsys.readouterr().out)
        return [[TimedStretch(1, 128, 1.0)] * rounds for _ in teams]

    monkeypatch.setattr(part, "started_teams", start)
    monkeypatch.setattr(part, "sample", lambda _team: 0.5)
    monkeypatch.setattr(part, "time_rounds", time_rounds)
    monkeypatch.setattr(part, "describe_device", lambda _device: "a processor")
    configs = [compose_config("device=cpu", f"model.depth={depth}") for depth in (8, 14)]
    rows = run_part(speed.build_step_part(), [[config] for config in configs], Timing(2, 3.0))
    count = len(speed.list_step_contenders(configs[:1]))
    assert len(rows) == 2 * count
    assert "step: residual-8, residual-14 on a processor; " in lines_before[0]
    assert " in 2 rounds: about " in lines_before[0]
    assert lines_before[1] == ""


def test_processor_and_its_cores_are_described(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some   CPU @ 3GHz\nflags\t: avx\n")
    monkeypatch.setattr(machine, "CPUINFO", cpuinfo)
    monkeypatch.setattr(machine, "count_cores", lambda: 2)
    assert machine.describe_device(torch.device("cpu")) == "Some CPU @ 3GHz, 2 cores"
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "missing")
    assert machine.find_processor_name()


def test_precisions_are_those_without_emulation(compose_config, monkeypatch):
    config = compose_config()
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert machine.list_precisions(config, cpu) == ["fp32", "bf16"]
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    assert machine.list_precisions(config, cpu) == ["fp32"]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (7, 5))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    assert machine.list_precisions(config, torch.device("cuda")) == ["fp32"]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (9, 0))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert machine.list_precisions(config, torch.device("cuda")) == ["fp32", "tf32", "bf16"]


def test_networks_that_differ_have_different_names(compose_config):
    overrides = [
        ["model.depth=20"],
        ["model.depth=20", "model=plain"],
        ["model.depth=20", "model.width=8"],
        ["model.depth=20", "model.shortcut=B"],
        ["model.depth=20", "optim=adam"],
        ["model.depth=29", "model.block=bottleneck"],
        ["model=imagenet_residual", "model.depth=34"],
    ]
    assert [part.name_network(compose_config(*each)) for each in overrides] == [
        "residual-20",
        "plain-20",
        "residual-20 (width 8)",
        "residual-20 (shortcut B)",
        "residual-20 (adam)",
        "residual-29 (bottleneck blocks)",
        "residual-34 (imagenet layout)",
    ]
