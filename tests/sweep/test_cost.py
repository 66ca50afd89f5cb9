"""The cost of a sweep: what remains to be trained, how long that takes, and its disk space."""

import math
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from degradation.config import CONF, ConfigError
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, METRICS_FILE, SECONDS, State
from degradation.records.trained_code import CodeState
from degradation.run import train
from degradation.sweep import cost as cost_module
from degradation.sweep.cost import (
    PASSES,
    MeasuredRate,
    NetworkSize,
    estimate_costs,
    find_nearest_rate,
    list_network_keys,
    makespan,
    read_rates,
)
from degradation.sweep.runs import locate_run

# Multiply-adds, counted layer by layer in tests/models; He et al. 2015 state none
RESNET_20 = 40_551_040


def test_cost_at_an_assumed_rate(compose_config, tmp_path):
    """64,000 iterations of 128 images, three passes each."""
    config = compose_config(
        "experiment=paper", "model.depth=20", f"record_root={tmp_path}", "seed=0"
    )
    (cost,) = estimate_costs([locate_run(config)], [], 1e12)
    assert (cost.state, cost.remaining_iterations) == (State.MISSING, 64_000)
    assert cost.multiply_adds == RESNET_20
    assert cost.work == 64_000 * 128 * RESNET_20 * PASSES
    assert cost.seconds == cost.work / 1e12


def test_checkpoint_of_adam_holds_two_values_per_weight(tiny):
    sgd, adam = estimate_costs(
        [locate_run(tiny()), locate_run(tiny("optim=adam"))], [], assumed_rate=1.0
    )
    assert adam.checkpoint_bytes * 2 == sgd.checkpoint_bytes * 3


@pytest.fixture
def finished(tiny):
    """Train a tiny run to its end and return its configuration."""
    config = tiny("probes=none")
    assert train(config) is State.DONE
    return config


def test_rates_are_read_from_comparable_runs_only(finished):
    record = locate_run(finished).record
    seconds = record.valid_prefix(ATTEMPTS_FILE)[-1][SECONDS]
    (rate,) = read_rates(record.root, "cpu", finished)
    multiply_adds = record.read_metadata()["census"]["multiply_adds"]
    assert rate == MeasuredRate(multiply_adds, 12 * 32 * multiply_adds * PASSES / seconds)
    bf16 = replace(finished, precision=replace(finished.precision, dtype="bf16"))
    assert read_rates(record.root, "cuda", finished) == []
    assert read_rates(record.root, "cpu", replace(finished, threads=2)) == []
    assert read_rates(record.root, "cpu", bf16) == []
    # another seed of the same run would take as long
    (cost,) = estimate_costs([locate_run(replace(finished, seed=1))], [rate], 1.0)
    assert cost.seconds == pytest.approx(seconds)


def test_resumed_or_planted_run_gives_no_rate(finished):
    record = locate_run(finished).record
    record.append(ATTEMPTS_FILE, {"attempt": 2, "start": 0.0})
    assert read_rates(record.root, "cpu", finished) == []
    record.rewrite_rows(ATTEMPTS_FILE, [{"attempt": 1}, {"attempt": 1, "outcome": "done"}])
    assert read_rates(record.root, "cpu", finished) == []


def test_done_run_costs_nothing_and_partial_run_its_rest(finished, tiny):
    partial = tiny("probes=none", "seed=1")
    record = locate_run(partial).record
    record.write_metadata({"run_id": record.run_id})
    record.append(ATTEMPTS_FILE, {"attempt": 1, "start": 0.0})
    record.append(METRICS_FILE, {"iteration": 8})
    first, second = estimate_costs([locate_run(finished), locate_run(partial)], [], 1e9)
    assert (first.state, first.remaining_iterations, first.seconds) == (State.DONE, 0, 0.0)
    assert (second.state, second.remaining_iterations) == (State.PARTIAL, 4)


def test_outdated_run_costs_all_of_it_if_it_is_retrained(finished, monkeypatch):
    outdated = SimpleNamespace(state=CodeState.OUTDATED)
    monkeypatch.setattr(cost_module, "verify_in_subprocess", lambda _run: outdated)
    for retrained, remaining in ((False, 0), (True, 12)):
        run = locate_run(replace(finished, retrain_outdated=retrained))
        (estimated,) = estimate_costs([run], [], 1e9)
        assert estimated.remaining_iterations == remaining


def test_record_bytes_match_a_finished_record(finished):
    run = locate_run(finished)
    (cost,) = estimate_costs([run], [], 1e9)
    sizes = [path.stat().st_size for path in run.record.folder.rglob("*") if path.suffix == ".pt"]
    assert cost.record_bytes == pytest.approx(sum(sizes), rel=0.05)


def test_nearest_networks_give_the_rate():
    rates = [
        MeasuredRate(100, 1.0),
        MeasuredRate(100, 3.0),
        MeasuredRate(100, 8.0),
        MeasuredRate(1000, 50.0),
    ]
    assert find_nearest_rate(90, rates) == 3.0
    assert find_nearest_rate(900, rates) == 50.0
    assert find_nearest_rate(90, []) is None


def test_network_without_counted_layers_neither_gives_nor_gets_a_rate(finished, monkeypatch):
    """A user's network may consist of layers whose multiply-adds are not counted."""
    assert find_nearest_rate(100, [MeasuredRate(0, 0.0), MeasuredRate(200, 3.0)]) == 3.0
    assert find_nearest_rate(0, [MeasuredRate(200, 3.0)]) is None
    monkeypatch.setattr(cost_module, "_measure_size", lambda *_: NetworkSize(0, 100))
    runs = [locate_run(replace(finished, seed=seed)) for seed in (finished.seed, 1)]
    done, missing = estimate_costs(runs, [MeasuredRate(200, 3.0)], 1.0)
    assert done.seconds == 0
    assert math.isnan(missing.seconds)


def test_recorded_run_without_counted_layers_gives_no_rate(finished, monkeypatch):
    record = locate_run(finished).record
    metadata = record.read_metadata()
    metadata["census"]["multiply_adds"] = 0
    monkeypatch.setattr(Record, "read_metadata", lambda _self: metadata)
    assert read_rates(record.root, "cpu", finished) == []


def test_makespan_starts_the_longest_first():
    assert makespan([1, 2, 3, 4], 1) == 10
    assert makespan([1, 2, 3, 4], 2) == 5
    assert makespan([1, 2, 3, 4], 8) == 4
    assert makespan([], 2) == 0


PLAN = CONF.parent / "experiments/plan.py"


def run_plan(*arguments, cwd):
    """Return the exit status and the output of plan.py."""
    completed = subprocess.run(
        [sys.executable, str(PLAN), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return completed.returncode, completed.stdout + completed.stderr


@pytest.mark.slow
def test_plan_prints_the_cost(tmp_path):
    options = ("--device=cuda", "--devices=8", "--rate=500")
    status, text = run_plan("experiment=paper", *options, cwd=tmp_path)
    assert status == 0
    assert "paper: 50 runs (50 missing)" in text
    assert "left: 3,200,000 of 3,200,000 iterations" in text
    assert "rate: 5e+11 multiply-adds per second, as requested" in text
    hours = re.search(r"hours: ([\d.]+) one run after another; ([\d.]+) with 8 at once", text)
    alone, together = float(hours[1]), float(hours[2])
    assert alone / 8 <= together < alone / 7
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["hydra.launcher.slots=3"], "at once: 3 (on this machine)"),
        (["hydra/launcher=basic"], "at once: 1 (Hydra's own launcher)"),
        (
            ["hydra/launcher=slurm", "hydra.launcher.array_parallelism=7", "device=cuda"],
            "at once: 7 (at most, in the SLURM array)",
        ),
        (
            ["hydra/launcher=ray", "hydra.launcher.num_gpus=0.5", "device=auto"],
            "at once: 1 (the size of the Ray cluster is unknown; --devices sets the number)",
        ),
    ],
)
def test_plan_follows_the_settings_of_each_launcher(tmp_path, monkeypatch, capsys, words, line):
    monkeypatch.chdir(tmp_path)
    overrides = ["experiment=quick", "seed=0", "model.depth=20", *words]
    monkeypatch.setattr(sys, "argv", ["plan.py", *overrides])
    runpy.run_path(str(PLAN))["main"]()
    text = capsys.readouterr().out
    assert line in text.splitlines()
    is_on_gpus = "device=cuda" in words or "device=auto" in words
    assert ("rate: 1e+12" in text) == is_on_gpus


SMALL_PLAN = ["experiment=quick", "seed=0", "model.depth=20,32"]


@pytest.mark.slow
def test_plan_prints_the_seeds_that_claims_need(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["plan.py", *SMALL_PLAN, "--spread", "3", "--effect", "5"])
    runpy.run_path(str(PLAN))["main"]()
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "  degradation: 14, if plain-32 minus plain-20 is 5 points",
        "  no degradation: 29, if both depths have the same error in residual networks",
        "  the fix: 14, if plain-32 minus residual-32 is 5 points",
    ]


def test_plan_says_which_hours_are_unknown(tmp_path, monkeypatch, capsys):
    def measure_size(model, _data):
        return NetworkSize(0 if model.depth == 32 else 10**6, 100)

    monkeypatch.setattr(cost_module, "_measure_size", measure_size)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["plan.py", *SMALL_PLAN, "model=plain", "--devices=2"])
    runpy.run_path(str(PLAN))["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("unknown") for line in lines[:3]] == [False, False, True]
    assert any(line.startswith("hours: unknown for 1 run of networks without") for line in lines)
    assert re.search(
        r"hours: [\d.]+ one run after another; [\d.]+ with 2 at once", "\n".join(lines)
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 MB"), (4e5, "0.4 MB"), (9.9e7, "99.0 MB"), (1e8, "0.10 GB"), (2.5e12, "2,500.00 GB")],
)
def test_small_size_is_in_megabytes(size, text):
    assert runpy.run_path(str(PLAN))["format_size"](size) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--spread=3"], "--spread: needs --effect as well"),
        (["--effect=3"], "--effect: needs --spread as well"),
        (["--spread=0", "--effect=3"], "--spread: 0.0 is not allowed; allowed: more than 0"),
        (
            ["--spread=3", "--effect=inf"],
            "--effect: inf is not allowed; allowed: any finite number",
        ),
        (
            ["--spread=3", "--effect=2"],
            "--effect: 2 is the margin, at which no number of seeds decides;"
            " allowed: any other number",
        ),
    ],
)
def test_plan_refuses_assumptions_that_give_no_number(monkeypatch, options, message):
    monkeypatch.setattr(sys, "argv", ["plan.py", *SMALL_PLAN, *options])
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        runpy.run_path(str(PLAN))["main"]()


def test_networks_of_several_widths_are_told_apart(compose_config):
    configs = [
        compose_config(f"model={model}", "model.depth=8", f"model.width={width}")
        for model in ("plain", "residual")
        for width in (4, 8)
    ]
    assert list_network_keys(configs) == {"model.width": ["4", "8"] * 2}
    assert list_network_keys(configs[::2]) == {}  # the shortcut makes the family
    costs = estimate_costs([locate_run(config) for config in configs], [], 1.0)
    narrow, wide = (cost.multiply_adds for cost in costs[:2])
    assert 3 < wide / narrow < 4  # most convolutions cost four times as much


def test_images_of_several_shapes_have_their_own_costs(compose_config):
    sizes = [
        estimate_costs([locate_run(config)], [], 1.0)[0].multiply_adds
        for config in (compose_config("data=digits"), compose_config("data=cifar10"))
    ]
    both = estimate_costs(
        [locate_run(compose_config(f"data={name}")) for name in ("digits", "cifar10")], [], 1.0
    )
    assert [cost.multiply_adds for cost in both] == sizes
    assert sizes[0] < sizes[1]
