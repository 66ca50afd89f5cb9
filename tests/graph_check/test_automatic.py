"""The check before a captured run, the stored results, and what follows from them."""

import json
import logging
import re
from dataclasses import replace

import pytest
import torch

from degradation.data.datasets import load_dataset
from degradation.graph_check import automatic, stored_results
from degradation.graph_check.automatic import check_captured_steps, find_fault, store_results
from degradation.graph_check.check import build_check
from degradation.graph_check.result import GraphComparison
from degradation.optimizers import base
from degradation.records.record import Record
from degradation.run import train
from degradation.sweep.jobs import locate_run
from degradation.training import cuda_graph
from degradation.training.device import (
    HEURISTIC_VARIABLE,
    make_reproducible,
    restored_settings,
)
from degradation.training.trainer import Trainer
from tests.support.captured_operations import OperationCapturer

CPU = torch.device("cpu")
EQUAL = GraphComparison(
    "residual-8", "fp32", is_training_equal=True, is_resume_equal=True, is_evaluation_equal=True
)
DIFFERENT = replace(EQUAL, is_training_equal=False)
FAILED = replace(EQUAL, problem="a training step cannot be captured (RuntimeError: no)")
NO_MEMORY = replace(EQUAL, problem="too little free memory on the GPU", is_transient=True)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/degradation"


@pytest.fixture
def compared(monkeypatch):
    """The checks that were compared; `results` says with which result."""

    class Compared(list):
        result = EQUAL

    compared = Compared()

    def compare(checks, _device):
        compared.extend(checks)
        return [compared.result] * len(checks)

    monkeypatch.setattr(automatic, "compare_each", compare)
    return compared


@pytest.fixture
def capturer(monkeypatch):
    capturer = OperationCapturer()
    monkeypatch.setattr(base, "FUSED_DEVICES", ("cpu",))
    monkeypatch.setattr(cuda_graph, "build_capturer", lambda _device: capturer)
    return capturer


@pytest.fixture
def checked(compose_config):
    return build_check(compose_config("model.depth=8"), 1, 8, 10)


def read_rows(config):
    run = locate_run(config)
    return Record(config.record_root, run.run_id).path("metrics.jsonl").read_text()


@pytest.fixture
def digits(tiny):
    return load_dataset(tiny().data)


def take_steps(config, dataset):
    """Check a trainer's captured steps, and take more than its first steps."""
    trainer = Trainer(config, dataset, CPU)
    check_captured_steps(trainer, dataset)
    for _ in range(5):
        trainer.step()


@pytest.mark.parametrize("result", [DIFFERENT, FAILED, NO_MEMORY])
def test_failed_check_leads_to_the_eager_step_and_one_line(
    tiny, digits, compared, capturer, caplog, result
):
    compared.result = result
    with caplog.at_level(logging.WARNING):
        take_steps(tiny(), digits)
    assert capturer.graphs == []
    assert len(compared) == 1
    (message,) = caplog.messages
    assert result.describe_fault() in message
    assert "make check-gpu" in message


def test_passed_check_leads_to_captured_steps_and_no_line(tiny, digits, compared, capturer, caplog):
    with caplog.at_level(logging.WARNING):
        take_steps(tiny(), digits)
    assert len(capturer.graphs) == 1
    assert caplog.messages == []


@pytest.mark.slow
@pytest.mark.parametrize(("result", "graphs"), [(DIFFERENT, 0), (EQUAL, 2)], ids=["eager", "ok"])
def test_whole_run_is_checked_and_has_the_numbers_of_an_eager_one(
    tiny, compared, capturer, tmp_path, result, graphs
):
    compared.result = result
    train(tiny("probes=none"))
    assert len(compared) == 1
    assert len(capturer.graphs) == graphs
    eager = tiny("probes=none", "cuda_graphs=false", f"record_root={tmp_path / 'eager'}")
    train(eager)
    assert read_rows(tiny("probes=none")) == read_rows(eager)


@pytest.mark.parametrize("keys", [("cuda_graphs=false",), ()], ids=str)
def test_run_that_captures_nothing_is_not_checked(tiny, digits, compared, keys, request):
    if keys:
        request.getfixturevalue("capturer")
    check_captured_steps(Trainer(tiny(*keys), digits, CPU), digits)
    assert compared == []


def test_check_that_breaks_leads_to_the_eager_step(tiny, digits, capturer, monkeypatch, caplog):
    def fail(_checks, _device):
        raise OSError("no process\ncan be started")

    monkeypatch.setattr(automatic, "compare_each", fail)
    trainer = Trainer(tiny(), digits, CPU)
    check_captured_steps(trainer, digits)
    trainer.restore(trainer.state())
    assert trainer.replayed_update.capturer is None
    assert trainer.replayed_evaluation.capturer is None
    # another test may have made the logger tell more than warnings
    (message,) = [item.getMessage() for item in caplog.records if item.levelname == "WARNING"]
    assert "they cannot be checked (OSError: no process" in message
    assert "\n" not in message


@pytest.mark.parametrize("result", [EQUAL, DIFFERENT, FAILED])
def test_verdict_is_found_again(compared, checked, cache, result):
    compared.result = result
    assert find_fault(checked, CPU) == result.describe_fault()
    compared.result = NO_MEMORY
    assert find_fault(checked, CPU) == result.describe_fault()
    assert len(compared) == 1
    (result,) = cache.glob("*.json")
    assert result.stat().st_size < 4096


def test_transient_problem_is_checked_again(compared, checked, cache):
    compared.result = NO_MEMORY
    assert find_fault(checked, CPU) == NO_MEMORY.problem
    compared.result = EQUAL
    assert find_fault(checked, CPU) is None
    assert len(compared) == 2


RESULTS = "degradation.graph_check.stored_results"
CHANGES = {
    "torch": ("torch.__version__", "9.9"),
    "driver": (f"{RESULTS}._read_driver_version", lambda: "999.1"),
    "card": (f"{RESULTS}.name_device", lambda _: "cuda: other"),
    "code": (
        f"{RESULTS}.hash_numerical_code",
        lambda *_: {"a.py": "0"},
    ),
    "check": (f"{RESULTS}._hash_check", lambda: "0"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_result_of_another_version_or_card_is_not_used(compared, checked, monkeypatch, change):
    find_fault(checked, CPU)
    monkeypatch.setattr(*CHANGES[change])
    compared.result = DIFFERENT
    assert find_fault(checked, CPU) == DIFFERENT.describe_fault()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b'{"fault": null}',
        lambda content: content.replace(b"null", b'"no"'),
        lambda content: content[:-20],
        lambda content: content.replace(b"fp32", b"bf16"),
        lambda content: re.sub(rb',\s*"sha256": "\w+"', b"", content),
    ],
)
def test_corrupt_verdict_is_ignored(compared, checked, cache, content):
    find_fault(checked, CPU)
    (path,) = cache.glob("*.json")
    valid = path.read_bytes()
    path.write_bytes(content(valid) if callable(content) else content)
    assert find_fault(checked, CPU) is None
    assert len(compared) == 2
    assert path.read_bytes() == valid


def test_result_of_another_check_under_the_same_name_is_ignored(compared, checked, monkeypatch):
    monkeypatch.setattr(stored_results, "hash_text", lambda _text: "same")
    find_fault(checked, CPU)
    find_fault(replace(checked, classes=7), CPU)
    assert len(compared) == 2


@pytest.mark.parametrize("cache_home", ["file", "file/below", "relative"])
def test_unusable_cache_means_another_check(compared, checked, monkeypatch, tmp_path, cache_home):
    (tmp_path / "file").write_text("")
    value = str(tmp_path / cache_home) if cache_home != "relative" else cache_home
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert find_fault(checked, CPU) is None
    assert find_fault(checked, CPU) is None
    assert len(compared) == 2


def test_process_that_waited_for_another_uses_its_verdict(compared, checked, monkeypatch):
    answers = [None, {stored_results.FAULT: "from the other process"}]
    monkeypatch.setattr(automatic, "read_result", lambda *_: answers.pop(0))
    assert find_fault(checked, CPU) == "from the other process"
    assert compared == []


def test_results_of_all_depths_are_stored_for_runs(compared, compose_config):
    config = compose_config()

    def build(shortcut, depth, **changes):
        model = replace(config.model, shortcut=shortcut, depth=depth)
        return build_check(replace(config, model=model, **changes), 3, 32, 10)

    plain = [build("none", depth) for depth in (20, 110)]
    residual = [build("A", depth) for depth in (20, 110)]
    fault = DIFFERENT.describe_fault()
    pairs = zip([*plain, *residual], [EQUAL, DIFFERENT, EQUAL, NO_MEMORY], strict=True)
    store_results(pairs, CPU)
    assert find_fault(build("none", 56, seed=5), CPU) == fault
    assert find_fault(build("A", 56, optim=replace(config.optim, lr=1.0)), CPU) is None
    assert compared == []
    assert (
        find_fault(build("A", 56, precision=replace(config.precision, dtype="bf16")), CPU) is None
    )
    assert len(compared) == 1


def test_key_is_the_same_after_a_round_trip(checked):
    key = stored_results.build_key(checked, CPU)
    assert json.loads(json.dumps(key)) == key


def test_key_is_the_same_before_and_after_a_process_trains(checked, monkeypatch):
    """`make check-gpu` stores results from a process that trains nothing itself."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "X")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setenv(HEURISTIC_VARIABLE, "")  # so that it is restored afterwards
    monkeypatch.delenv(HEURISTIC_VARIABLE)
    cuda = torch.device("cuda")
    key = stored_results.build_key(checked, cuda)
    with restored_settings():
        make_reproducible(1, checked.config.precision)
        assert stored_results.build_key(checked, cuda) == key
    assert key["machine"]["heuristic"] == "1"
