"""Whether a change of the code is noticed by the numbers that it computes."""

import csv
import json
import shutil
import socket
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from analysis.evidence import describe_caveats
from analysis.figures import style
from analysis.frame import load
from analysis.report import build
from analysis.terminal_summary import format_summary
from degradation import code_comparison
from degradation.code_comparison import (
    MAX_ROUNDING_DIFFERENCE,
    UNDECIDED,
    CodeComparison,
    compare,
    record_trained_code,
    verify_trained_code,
)
from degradation.config import ConfigError
from degradation.data import loaders
from degradation.data.augment import draw_offsets
from degradation.models.blocks import Block
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    CODE_FILE,
    LANDSCAPE_DIR,
    METRICS_FILE,
    PROBES_FILE,
    State,
)
from degradation.records.trained_code import (
    CODE,
    ENVIRONMENT,
    NUMBERS,
    RELATION,
    CodeState,
    Relation,
)
from degradation.run import RunFailed, train
from degradation.run_probes import ProbesFailed, run_landscape, run_probes
from degradation.sweep import code_states
from degradation.sweep.code_states import verify_in_subprocess
from degradation.sweep.planned_runs import describe_planned_run
from degradation.sweep.runs import locate_run
from degradation.training import constructed_network, first_updates, trainer
from tests.support.interruption import interrupt


def scale_residuals(monkeypatch):
    original = Block.apply_convolutions
    monkeypatch.setattr(Block, "apply_convolutions", lambda self, x: 0.5 * original(self, x))


def reorder_draws(monkeypatch):
    def draw_flips_first(batch_size, data, generator):
        flip = torch.rand(batch_size, generator=generator) < 0.5
        offsets = draw_offsets(batch_size, data, generator)
        return torch.cat([offsets[:2], (flip & data.flip).long()[None]])

    monkeypatch.setattr(loaders, "draw_offsets", draw_flips_first)


def decay_twice(monkeypatch):
    build = trainer.build_optimizer

    def build_with_more_decay(network, optim):
        built = build(network, optim)
        for group in built.param_groups:
            group["weight_decay"] *= 1.1
        return built

    monkeypatch.setattr(trainer, "build_optimizer", build_with_more_decay)


def drop_less(monkeypatch):
    rate = trainer.learning_rate

    def learning_rate(iteration, *arguments):
        return rate(iteration, *arguments) * (2 if iteration > 6 else 1)

    monkeypatch.setattr(trainer, "learning_rate", learning_rate)


def mistake_the_error(monkeypatch):
    evaluate = first_updates.evaluate

    def evaluate_wrongly(*arguments):
        counts = evaluate(*arguments)
        return type(counts)(counts.images, counts.wrong + 1, counts.wrong_top5, counts.loss_sum)

    monkeypatch.setattr(first_updates, "evaluate", evaluate_wrongly)


CHANGES = [scale_residuals, reorder_draws, decay_twice, drop_less, mistake_the_error]


@pytest.fixture(scope="module")
def trained_root(compose_config, tiny_overrides, tmp_path_factory):
    """Train a tiny run once, and return its record root."""
    root = tmp_path_factory.mktemp("trained") / "runs"
    train(replace(compose_config(*tiny_overrides), record_root=str(root)))
    return root


@pytest.fixture
def trained(tiny, trained_root):
    """Return the configuration of a tiny run that has been trained, and its record."""
    config = tiny()
    shutil.copytree(trained_root, config.record_root)
    return config, locate_run(config).record


@pytest.fixture
def other_code(trained, monkeypatch):
    """Give the current code another hash than the one that trained, as a change of a file does."""
    give_other_hash(monkeypatch, "0123456789ab")


def give_other_hash(monkeypatch, digest):
    path = "degradation.records.trained_code.hash_numerical_code"
    monkeypatch.setattr(path, lambda *_: {"models/blocks.py": digest})


def read_rows(record):
    return record.valid_rows(CODE_FILE)


def test_trained_run_is_current_without_a_comparison(trained, monkeypatch):
    monkeypatch.delattr(code_comparison, "measure_first_updates")
    assert verify_trained_code(*trained).state is CodeState.CURRENT


@pytest.mark.usefixtures("other_code")
def test_code_with_equal_numbers_is_current(trained):
    config, record = trained
    assert verify_trained_code(config, record).state is CodeState.CURRENT
    assert [row[RELATION] for row in read_rows(record)] == [Relation.TRAINED, Relation.EQUAL]


@pytest.mark.usefixtures("other_code")
@pytest.mark.parametrize("change", CHANGES)
def test_change_of_the_numbers_is_noticed(trained, change, monkeypatch):
    change(monkeypatch)
    code = verify_trained_code(*trained)
    assert code.state is CodeState.OUTDATED
    assert "(changed: config/architecture.py, " in code.describe_outdated()
    assert " more)" in code.describe_outdated()  # the other hash is of one file


@pytest.mark.usefixtures("other_code")
def test_version_of_the_code_is_compared_once(trained, monkeypatch):
    scale_residuals(monkeypatch)
    verify_trained_code(*trained)
    monkeypatch.delattr(code_comparison, "measure_first_updates")
    assert verify_trained_code(*trained).state is CodeState.OUTDATED


@pytest.mark.usefixtures("other_code")
def test_outdated_run_is_skipped_or_retrained(trained, tiny, monkeypatch):
    config, record = trained
    before = record.path(METRICS_FILE).read_bytes()
    scale_residuals(monkeypatch)
    assert train(config) is State.DONE
    assert record.path(METRICS_FILE).read_bytes() == before
    retrained = tiny("retrain_outdated=true")
    assert locate_run(retrained).run_id == record.run_id
    assert train(retrained) is State.DONE
    assert record.path(METRICS_FILE).read_bytes() != before
    assert verify_trained_code(config, record).state is CodeState.CURRENT
    assert len(read_rows(record)) == 1


def test_run_does_not_start_with_code_that_was_edited_since_its_import(tiny, monkeypatch):
    monkeypatch.setattr(code_comparison, "list_edited_files", lambda: ["training/optimizer.py"])
    with pytest.raises(ConfigError, match=r"training/optimizer.py was edited after .* start the"):
        train(tiny())


@pytest.mark.usefixtures("other_code")
def test_landscape_of_earlier_weights_is_removed(trained, tiny, monkeypatch):
    _, record = trained
    record.path(LANDSCAPE_DIR).mkdir()
    (record.path(LANDSCAPE_DIR) / "001-of-008.jsonl").write_text("")
    scale_residuals(monkeypatch)
    assert train(tiny("retrain_outdated=true")) is State.DONE
    assert not record.path(LANDSCAPE_DIR).exists()


@pytest.mark.usefixtures("other_code")
@pytest.mark.parametrize("measure", [run_probes, run_landscape])
def test_outdated_run_is_not_measured(trained, measure, monkeypatch):
    config, record = trained
    probes = record.read(PROBES_FILE)
    scale_residuals(monkeypatch)
    line = (
        rf"^{record.run_id}: was trained by code .*\(changed: .* retrain_outdated=true retrains it$"
    )
    with pytest.raises(ProbesFailed, match=line):
        measure(config)
    assert record.read(PROBES_FILE) == probes
    assert not any(record.valid_rows(name) for name in record.list_landscape_files())


@pytest.mark.usefixtures("other_code")
def test_run_of_an_earlier_release_is_measured_without_a_comparison(trained, monkeypatch):
    config, record = trained
    record.path(CODE_FILE).unlink()
    monkeypatch.delattr(code_comparison, "_repeat_first_evaluation")
    assert run_probes(config) == "explained"


@pytest.mark.usefixtures("other_code")
def test_early_evaluation_decides_for_an_older_record(trained, monkeypatch):
    """A release without code.jsonl kept no losses, but an evaluation after four iterations."""
    config, record = trained
    record.path(CODE_FILE).unlink()
    assert verify_trained_code(config, record).state is CodeState.CURRENT
    record.path(CODE_FILE).unlink()
    scale_residuals(monkeypatch)
    assert verify_trained_code(config, record).state is CodeState.OUTDATED


@pytest.mark.usefixtures("other_code")
def test_older_record_from_elsewhere_may_be_unverified(trained, monkeypatch):
    config, record = trained
    record.path(CODE_FILE).unlink()
    monkeypatch.setattr(socket, "gethostname", lambda: "another-host")
    decay_twice(monkeypatch)
    assert verify_trained_code(config, record).state is CodeState.UNVERIFIED
    assert not record.path(CODE_FILE).exists()


@pytest.mark.parametrize("damage", ["truncated", "missing", "of another form"])
@pytest.mark.usefixtures("other_code")
def test_corrupt_code_file_never_counts_as_current(trained, damage, monkeypatch):
    config, record = trained
    path = record.path(CODE_FILE)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "missing":
        path.unlink()
    else:
        record.rewrite_rows(CODE_FILE, [{CODE: 3, RELATION: "trained"}])
    monkeypatch.setattr(code_comparison, "MAX_REPEATED_ITERATIONS", 0)
    assert verify_trained_code(config, record).state is CodeState.UNVERIFIED


def test_grown_network_is_compared_without_its_parent(tiny, monkeypatch):
    config = tiny("model=plain", "model.depth=14", "model.grown_from=8")
    device = torch.device("cpu")
    dataset = code_comparison.load_dataset(config.data)
    numbers = first_updates.measure_first_updates(config, dataset, device)
    assert numbers == first_updates.measure_first_updates(config, dataset, device)
    grow = constructed_network.grow

    def grow_wrongly(*arguments):
        grown = grow(*arguments)
        torch.nn.init.ones_(grown.fc.bias[:1].data)
        return grown

    monkeypatch.setattr(constructed_network, "grow", grow_wrongly)
    assert numbers != first_updates.measure_first_updates(config, dataset, device)


EQUAL = CodeComparison(Relation.EQUAL, is_final=True)
DIFFERENT_HERE = CodeComparison(Relation.DIFFERENT, is_final=True)
DIFFERENT_ELSEWHERE = CodeComparison(Relation.DIFFERENT, is_final=False)
RECORDED = {"losses": [2.0, 1.9], "rates": [0.1], "evaluation": [40.0, None]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, EQUAL),
        ({"losses": [2.0 * (1 + MAX_ROUNDING_DIFFERENCE / 2), 1.9]}, UNDECIDED),
        ({"losses": [2.0, 1.2]}, UNDECIDED),  # a deep plain network amplifies rounding
        ({"evaluation": [43.0, 9.0]}, UNDECIDED),  # an image more of 250 is 0.4 points
        ({"losses": [2.1, 1.9]}, DIFFERENT_ELSEWHERE),
        ({"losses": [None, None]}, DIFFERENT_ELSEWHERE),
        ({"rates": [0.2]}, DIFFERENT_ELSEWHERE),
        ({"rates": [0.1, 0.01]}, DIFFERENT_ELSEWHERE),
    ],
)
def test_rounding_of_another_machine_decides_nothing(changes, expected):
    computed = RECORDED | changes
    assert compare(RECORDED, computed, is_same_machine=False) == expected
    here = compare(RECORDED, computed, is_same_machine=True)
    assert here == (DIFFERENT_HERE if changes else EQUAL)


def test_numbers_of_other_releases_are_compared_by_name():
    recorded = {"losses": [2.0], "removed": [1.0]}
    computed = {"losses": [2.0], "added": [3.0]}
    assert compare(recorded, computed, is_same_machine=True) == EQUAL
    assert compare({}, computed, is_same_machine=True) == UNDECIDED


@pytest.mark.usefixtures("other_code")
@pytest.mark.parametrize("change", [scale_residuals, reorder_draws])
def test_difference_elsewhere_is_not_recorded(trained, change, monkeypatch):
    """The machine that trained the run decides for itself."""
    config, record = trained
    (row,) = read_rows(record)
    row[ENVIRONMENT]["processor"] = "another"
    record.rewrite_rows(CODE_FILE, [row])
    change(monkeypatch)
    assert verify_trained_code(config, record).state is not CodeState.CURRENT
    assert len(read_rows(record)) == 1


@pytest.mark.usefixtures("other_code")
def test_record_of_a_missing_device_is_undecided(trained, monkeypatch):
    config, record = trained
    (row,) = read_rows(record)
    row[ENVIRONMENT]["device"] = "cuda: NVIDIA H100"
    record.rewrite_rows(CODE_FILE, [row])
    monkeypatch.delattr(code_comparison, "measure_first_updates")
    assert verify_trained_code(config, record).state is CodeState.UNVERIFIED


@pytest.mark.usefixtures("other_code")
def test_code_that_raises_is_undecided(trained, monkeypatch):
    def fail(self, activated):
        raise KeyError(activated)

    monkeypatch.setattr(Block, "apply_convolutions", fail)
    assert verify_trained_code(*trained).state is CodeState.UNVERIFIED
    assert train(trained[0]) is State.DONE


@pytest.mark.usefixtures("other_code")
def test_failed_comparison_restores_the_threads(trained, monkeypatch):
    config, record = trained
    (row,) = read_rows(record)
    row[ENVIRONMENT]["threads"] = 2
    record.rewrite_rows(CODE_FILE, [row])
    used = []

    def fail(*_):
        used.append(torch.get_num_threads())
        raise KeyError

    monkeypatch.setattr(code_comparison, "measure_first_updates", fail)
    assert verify_trained_code(config, record).state is CodeState.UNVERIFIED
    assert (used, torch.get_num_threads()) == ([2], config.threads)


@pytest.mark.usefixtures("other_code")
def test_comparison_downloads_nothing(trained, monkeypatch):
    config, record = trained
    absent = SimpleNamespace(is_present=lambda: False)
    monkeypatch.setattr(code_comparison, "find_file_set", lambda data: absent)
    monkeypatch.delattr(code_comparison, "load_dataset")
    assert verify_trained_code(config, record).state is CodeState.UNVERIFIED


@pytest.mark.usefixtures("other_code")
def test_shared_run_has_hashes_only(trained):
    config, record = trained
    record_trained_code(config, record, torch.device("cpu"), is_shared=True)
    (row,) = read_rows(record)
    assert NUMBERS not in row
    assert verify_trained_code(config, record).state is CodeState.CURRENT


def test_unusable_checkpoint_of_other_code_restarts(tiny, monkeypatch):
    config = tiny()
    interrupt(config, monkeypatch, 8)
    record = locate_run(config).record
    record.path(CHECKPOINT_FILE).write_bytes(b"corrupt")
    give_other_hash(monkeypatch, "fedcba987654")
    scale_residuals(monkeypatch)
    assert train(config) is State.DONE
    assert [row[RELATION] for row in read_rows(record)] == [Relation.TRAINED]


def change_commit(record, commit):
    rows = [row | {"commit": commit} for row in record.valid_rows(ATTEMPTS_FILE)]
    record.rewrite_rows(ATTEMPTS_FILE, rows)


@pytest.fixture
def comparing_process(monkeypatch):
    """Let the process that compares runs be a new one, which this test ends."""
    monkeypatch.setattr(code_states, "_answers", {})
    code_states._start_comparison.cache_clear()
    yield
    code_states._start_comparison().communicate()
    code_states._start_comparison.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("other_code", "comparing_process")
@pytest.mark.parametrize("holds_gpu", [False, True])
def test_comparison_stays_unless_it_holds_a_gpu(trained, monkeypatch, holds_gpu):
    """It is started once for all networks, but leaves a GPU to the jobs."""
    answer = {"relation": None, "is_final": False, "holds_gpu": holds_gpu}
    monkeypatch.setattr(code_states.json, "loads", lambda line: answer)
    before = code_states._start_comparison()
    code_states._ask(*trained)
    assert (code_states._start_comparison() is before) == (not holds_gpu)
    before.communicate()


@pytest.mark.slow
@pytest.mark.usefixtures("other_code", "comparing_process")
def test_dead_comparison_is_started_again(trained):
    config, _ = trained
    run = locate_run(config)
    code_states._start_comparison().kill()
    code_states._start_comparison().wait()
    assert verify_in_subprocess(run).state is CodeState.UNVERIFIED
    code_states._answers.clear()
    assert verify_in_subprocess(run).state is CodeState.CURRENT


@pytest.mark.slow
def test_older_records_of_one_commit_are_compared_once(tiny, monkeypatch):
    answers = []
    monkeypatch.setattr(code_states, "_answers", {})
    monkeypatch.setattr(code_states, "_ask", lambda *_: answers.append(1) or (None, False))
    for seed, commit in enumerate(["a" * 40, "a" * 40, "b" * 40, "b" * 40 + "+"]):
        config = tiny(f"seed={seed}")
        train(config)
        run = locate_run(config)
        run.record.path(CODE_FILE).unlink()
        change_commit(run.record, commit)
        verify_in_subprocess(run, repeats_evaluation=True)
    assert len(answers) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("comparing_process")
def test_older_records_of_other_seeds_are_compared_too(tiny, monkeypatch):
    """Each may have been trained by other code."""
    configs = [tiny(f"seed={seed}") for seed in (0, 1)]
    train(configs[0])
    with monkeypatch.context() as changed:
        scale_residuals(changed)
        train(configs[1])
    runs = [locate_run(config) for config in configs]
    for run in runs:
        run.record.path(CODE_FILE).unlink()
        change_commit(run.record, "a" * 40 + "+")
    states = [verify_in_subprocess(run).state for run in runs]
    assert states == [CodeState.UNVERIFIED] * 2  # status and report do not train so much
    states = [verify_in_subprocess(run, repeats_evaluation=True).state for run in runs]
    assert states == [CodeState.CURRENT, CodeState.OUTDATED]


def test_first_row_holds_numbers_and_where_they_are_from(trained):
    (row,) = read_rows(trained[1])
    assert len(row[NUMBERS]["losses"]) == first_updates.UPDATES
    assert row[ENVIRONMENT]["threads"] == 1
    assert json.dumps(row)


def test_partial_run_of_other_code_does_not_resume(tiny, monkeypatch):
    """Its rows would be from two versions of the code."""
    config = tiny()
    interrupt(config, monkeypatch, 8)
    record = locate_run(config).record
    before = read_rows(record)
    give_other_hash(monkeypatch, "fedcba987654")
    with monkeypatch.context() as changed:
        scale_residuals(changed)
        with pytest.raises(
            ConfigError, match=r"retrain_outdated: .*cannot be resumed; allowed: true"
        ):
            train(config)
        assert train(tiny("retrain_outdated=true")) is State.DONE
    assert read_rows(record) != before
    assert [row[RELATION] for row in read_rows(record)] == [Relation.TRAINED]


def test_partial_run_resumes_with_refactored_code(tiny, monkeypatch):
    config = tiny()
    interrupt(config, monkeypatch, 8)
    give_other_hash(monkeypatch, "fedcba987654")
    assert train(config) is State.DONE
    rows = read_rows(locate_run(config).record)
    assert [row[RELATION] for row in rows] == [Relation.TRAINED, Relation.EQUAL]


def test_outdated_parent_is_not_grown(tiny, monkeypatch):
    parent = tiny("model=plain", "model.depth=8")
    train(parent)
    give_other_hash(monkeypatch, "fedcba987654")
    scale_residuals(monkeypatch)
    with pytest.raises(RunFailed, match="no network can be constructed from it"):
        train(tiny("model=plain", "model.depth=14", "model.grown_from=8"))


@pytest.mark.slow
def test_report_names_outdated_runs_beside_verdicts(trained, monkeypatch, tmp_path):
    config, record = trained
    give_other_hash(monkeypatch, "fedcba987654")
    scale_residuals(monkeypatch)
    verify_trained_code(config, record)
    monkeypatch.setattr(style, "SUFFIXES", (".png",))  # that the page embeds
    frame = load(config.record_root, [describe_planned_run(locate_run(config))])
    report = build(frame, tmp_path / "report", "name", "command", {"digits": 2.0})
    expected = "1 of 1 runs was trained by code that produces different numbers (changed: "
    assert expected in format_summary(report)
    assert expected in report.page.read_text()
    assert "done (outdated)" in report.page.read_text()
    assert expected in describe_caveats(frame.runs)[0]
    (row,) = csv.DictReader((report.folder / "runs.csv").open())
    assert row["code"] == "outdated"


@pytest.mark.slow
def test_report_counts_runs_that_cannot_be_compared(trained, tmp_path):
    config, record = trained
    record.path(CODE_FILE).unlink()
    frame = load(config.record_root, [{"run_id": record.run_id}])
    report = build(frame, tmp_path / "report", "name", "command", {"digits": 2.0})
    assert "1 of 1 runs cannot be compared with the current code" in format_summary(report)
