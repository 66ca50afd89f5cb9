"""`degradation.train` gives the records of experiments/train.py, and leaves Python as it was."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import initialize
from hydra.core.global_hydra import GlobalHydra

import degradation
from degradation import progress
from degradation.interface.keys import compose_run, format_value
from degradation.interface.progress_line import ProgressLine
from degradation.records.record import Record
from degradation.records.schema import METRICS_FILE, State
from degradation.run import train as train_config

SCRIPT = Path(__file__).parents[2] / "experiments/train.py"


def test_run_and_metrics_are_the_commands(plain_run, tiny, tmp_path):
    train_config(tiny("model=plain", "seed=4"))
    (folder,) = (tmp_path / "runs").glob("plain-*")
    assert plain_run.run_id == folder.name
    assert (plain_run.folder / METRICS_FILE).read_bytes() == (folder / METRICS_FILE).read_bytes()
    assert plain_run.outcome == "done"
    assert plain_run.curve()["iteration"].tolist() == [4, 8, 12]


@pytest.mark.slow
def test_command_skips_what_python_trained(tiny_keys, tiny_overrides, tmp_path):
    run = degradation.train("plain", **tiny_keys)
    before = (run.folder / "attempts.jsonl").read_bytes()
    command = [sys.executable, SCRIPT, "model=plain", *tiny_overrides, "record_root=runs"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert [path.name for path in (tmp_path / "runs").glob("plain-*")] == [run.run_id]
    assert (run.folder / "attempts.jsonl").read_bytes() == before


def test_finished_run_is_returned_untrained(plain_run, tiny_keys, capsys, monkeypatch):
    before = (plain_run.folder / "attempts.jsonl").read_bytes()
    monkeypatch.chdir(plain_run.folder.parents[1])
    keys = tiny_keys | {"record_root": plain_run.folder.parent.name}
    run = degradation.train("plain", seed=4, **keys)
    assert (run.run_id, run.folder) == (plain_run.run_id, plain_run.folder)
    assert (run.folder / "attempts.jsonl").read_bytes() == before
    last = run.curve().iloc[-1]
    assert capsys.readouterr().out == (
        f"{run.run_id}: done, training error {last['training_error']:.2f} %,"
        f" test error {last['test/error']:.2f} %\n"
    )


def test_each_evaluation_reports_its_error(tiny_keys, monkeypatch):
    errors = []
    monkeypatch.setattr(ProgressLine, "report_error", lambda _, percent: errors.append(percent))
    run = degradation.train("plain", **tiny_keys)
    curve = degradation.load_curves(run.folder.parent)
    assert errors == curve["training_error"].tolist()


def test_settings_of_torch_are_restored(tiny_keys, monkeypatch):
    threads_during = []
    receive = ProgressLine.report_progress

    def observe(line, done, total):
        threads_during.append(torch.get_num_threads())
        receive(line, done, total)

    monkeypatch.setattr(ProgressLine, "report_progress", observe)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    torch.set_num_threads(2)
    degradation.train("plain", **tiny_keys)
    assert set(threads_during) == {1}
    assert torch.get_num_threads() == 2
    assert torch.backends.cudnn.benchmark
    with pytest.raises(degradation.UserError):
        degradation.train("plain", **tiny_keys | {"device": "mps"})
    assert torch.get_num_threads() == 2
    assert progress._receivers == []


def test_hydra_of_the_caller_stays_initialised():
    with initialize(config_path=None, version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        compose_run(model="plain")
        compose_run(model="plain")
        assert GlobalHydra.instance().hydra is hydra
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.slow
def test_interrupted_run_resumes(tiny_keys, monkeypatch):
    def interrupt(_line, done, _total):
        if done == 7:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patches:
        patches.setattr(ProgressLine, "report_progress", interrupt)
        with pytest.raises(KeyboardInterrupt, match="stopped at iteration 7; its checkpoint is"):
            degradation.train("plain", **tiny_keys)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    (folder,) = tiny_keys["record_root"].glob("plain-*")
    assert Record(folder.parent, folder.name).state() is State.PARTIAL
    run = degradation.train("plain", **tiny_keys)
    rows = Record(folder.parent, run.run_id).valid_rows("attempts.jsonl")
    assert [row.get("outcome") for row in rows] == [None, "interrupted", None, "done"]
    uninterrupted = degradation.train(
        "plain", **tiny_keys | {"record_root": folder.parent / "again"}
    )
    assert run.curve().equals(uninterrupted.curve())


@pytest.mark.slow
def test_training_works_in_another_thread(tiny_keys):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(degradation.train(**tiny_keys)))
    thread.start()
    thread.join()
    assert runs[0].outcome == "done"


ERRORS = [
    ({"dpth": 8}, "dpth: no such key (did you mean depth?); allowed: depth, width, "),
    ({"momentum": 0}, "momentum: no such key (did you mean optim.momentum?); allowed: "),
    ({"overrides": {"lr": 0.1}}, "lr: no such key (did you mean optim.lr?); allowed: name, "),
    ({"depth": 9}, "model.depth: 9 is not allowed; allowed: 6n+2"),
    ({"depth": "8,14"}, "model.depth: '8,14' is not a whole number; allowed: "),
    ({"model": "plan"}, "model: 'plan' is not allowed; allowed: constructed, "),
    ({"lr": 0.1, "overrides": {"optim.lr": 0.2}}, "optim.lr: is given twice; allowed: one value"),
    ({"overrides": "optim.lr=3"}, "overrides: 'optim.lr=3' is not allowed; allowed: a mapping"),
    ({"overrides": ["seed=1"]}, "overrides: ['seed=1'] is not allowed; allowed: a mapping"),
    pytest.param(
        {"experiment": "quick"},
        "experiment, tracking: describe 30 runs; allowed: one run",
        marks=pytest.mark.slow,
    ),
    ({"record_root": "/proc/nowhere"}, "record_root: '/proc/nowhere' cannot be written to"),
]


@pytest.mark.parametrize(("keys", "line"), ERRORS)
def test_error_is_the_commands_line(monkeypatch, tmp_path, keys, line):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(degradation.UserError) as caught:
        degradation.train(**keys)
    message = str(caught.value)
    assert message.startswith(line)
    assert "\n" not in message
    assert caught.value.__suppress_context__
    assert list(tmp_path.iterdir()) == []


def test_experiment_with_one_value_per_key_is_one_run():
    config = compose_run(experiment="quick", model="plain", depth=20, seed=1)
    assert (config.name, config.model.depth, config.seed) == ("quick", 20, 1)


TEXTS = [" it's", "a,b", "back\\slash\\", "\\'", "2026_01_15"]


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize("text", TEXTS)
def test_text_arrives_as_it_was_passed(text):
    assert compose_run({"record_root": text}).record_root == text


def test_values_have_the_grammar_of_overrides():
    values = [None, True, 3, 1e-4, [1, 0.5], {"a": 1, "b": "x"}, Path("runs"), torch.tensor(2.5)]
    texts = ["null", "true", "3", "0.0001", "[1,0.5]", "{a:1,b:'x'}", "'runs'", "2.5"]
    assert [format_value(value) for value in values] == texts


SHORT_FLOATS = [np.float32(0.1), np.float16(0.1), torch.tensor(0.1), np.array(0.1)]


@pytest.mark.parametrize("value", SHORT_FLOATS, ids=lambda value: str(value.dtype))
def test_float_of_any_precision_has_its_shortest_decimal(value):
    assert format_value(value) == "0.1"


def test_arrays_and_tensors_are_lists():
    arrays = [np.array([3, 5]), np.array([0.1, 0.7], np.float32), torch.tensor([0.5, 0.3])]
    assert [format_value(array) for array in arrays] == ["[3,5]", "[0.1,0.7]", "[0.5,0.3]"]
    assert format_value(np.bool_(True)) == "true"
