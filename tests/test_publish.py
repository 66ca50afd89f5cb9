"""publish.py and check_ledger.py: from the records of a sweep to its entry in the ledger."""

import importlib.util
import os
import shutil
import subprocess
import sys
from unittest.mock import patch

import pytest

from analysis.query import load_where
from analysis.report_json import write_summary
from degradation.config import CONF
from degradation.errors import UserError
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.row_integrity import encode_row
from degradation.records.schema import ATTEMPTS_FILE, DONE_FILE, METRICS_FILE, PROBES_FILE
from degradation.records.trained_code import Relation, build_code_row, read_trained_code
from degradation.sweep.expand import expand_configs
from degradation.sweep.runs import locate_run
from tests.growth.records import write_run
from tests.support.archives import HOST, RUN_IDS, write_full_record
from tests.support.report_summaries import make_summary

pytestmark = pytest.mark.slow
REPOSITORY = CONF.parent
EXPERIMENT = "bottleneck_digits"  # one of the smallest
PART = ["experiment=quick", "model=plain", "model.depth=20", "seed=0,1"]


def write_sweep(overrides, root):
    """Write records of a sweep's runs, without training."""
    with patch.object(os, "fsync", lambda _: None):
        for config in expand_configs([*overrides, f"record_root={root}"]):
            write_run(config, with_probes=True)
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The record root of all runs of an experiment."""
    root = tmp_path_factory.mktemp("whole") / "runs"
    return write_sweep([f"experiment={EXPERIMENT}"], root)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """The record root of two runs."""
    return write_sweep(PART, tmp_path_factory.mktemp("part") / "runs")


@pytest.fixture(scope="module")
def archive(part, tmp_path_factory):
    """The archive of two runs."""
    ledger = tmp_path_factory.mktemp("ledger")
    return load_script("publish").publish([*PART, f"record_root={part}"], ledger)


@pytest.fixture
def copy(part, tmp_path):
    """A copy of two runs, and the record of the first one."""
    root = shutil.copytree(part, tmp_path / "runs")
    (config, _) = expand_configs([*PART, f"record_root={root}"])
    return root, locate_run(config)


def load_script(name):
    """Return a script of experiments/, which is not a package, as a module."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / f"experiments/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_script(name, *arguments):
    command = [sys.executable, f"experiments/{name}.py", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_archive_gives_the_figures_of_the_records(whole, tmp_path):
    ledger = tmp_path / "ledger"
    overrides = [f"experiment={EXPERIMENT}", "tracking=disabled"]
    published = run_script("publish", *overrides, f"record_root={whole}", "--ledger", ledger)
    assert published.returncode == 0, published.stderr
    entry = ledger / EXPERIMENT
    assert len(list_run_ids(entry / "records.zip")) == 12
    report = run_script("report", *overrides, f"record_root={whole}", "--reports", tmp_path / "x")
    assert report.returncode == 0, report.stderr
    (folder,) = [path for path in (tmp_path / "x").iterdir() if path.is_dir()]
    drawn = [path for path in folder.iterdir() if path.suffix in (".png", ".svg", ".pdf", ".csv")]
    assert len(drawn) > 10
    for path in drawn:
        shutil.copy(path, entry)
    (entry / "runs.csv").write_text("changed")
    (entry / "old.png").write_bytes(b"")
    (entry / "summary.csv").unlink()
    check = run_script("check_ledger", EXPERIMENT, "--ledger", ledger)
    assert check.returncode == 1
    assert check.stdout.splitlines() == [
        f"{entry}/old.png: is not in the report",
        f"{entry}/runs.csv: differs",
        "1 entry with published records: 2 files differ",
    ]


def test_verdicts_in_the_ledgers_text_are_checked(tmp_path):
    script = load_script("check_ledger")
    text, entry = tmp_path / "README.md", tmp_path / "ledger/quick"
    assert script.check_text(text, entry, tmp_path, writes=True) == []  # no text
    text.write_text("<!-- verdicts of quick: condition -->\n<!-- end of verdicts -->\n")
    write_summary(tmp_path, make_summary())
    line = f"{text}: the table of verdicts of quick differs"
    assert script.check_text(text, entry, tmp_path, writes=False) == [line]
    assert "reproduced" not in text.read_text()
    assert script.check_text(text, entry, tmp_path, writes=True) == [line]
    assert "| degradation | reproduced |" in text.read_text()
    assert script.check_text(text, entry, tmp_path, writes=False) == []


@pytest.mark.parametrize("adds_new", [True, False])
def test_ledger_takes_what_has_been_drawn(tmp_path, adds_new):
    script = load_script("check_ledger")
    entry, report = tmp_path / "entry", tmp_path / "report"
    for folder, names in ((entry, ("a.png", "b.csv", "old.csv")), (report, ("a.png", "b.csv"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
    (report / "b.csv").write_text("drawn")
    (report / "c.svg").write_text("new")
    differences = script.compare(entry, report, with_figures=True)
    assert differences == {"b.csv": "differs", "c.svg": "is new", "old.csv": "is not in the report"}
    script.update(entry, report, differences, adds_new=adds_new)
    assert (entry / "b.csv").read_text() == "drawn"
    assert (entry / "c.svg").exists() == adds_new
    assert (entry / "old.csv").exists()
    differences = script.compare(entry, report, with_figures=False)
    assert differences == {"old.csv": "is not in the report"}


def test_publishing_again_gives_the_same_bytes(part, archive, tmp_path):
    again = load_script("publish").publish([*PART, f"record_root={part}"], tmp_path)
    assert again.parent.name == "quick-model-plain-depth-20-seed-0_1"
    assert again.read_bytes() == archive.read_bytes()


def is_partial(run):
    run.record.discard_result()
    return "is partial; allowed: finished runs"


def is_failed(run):
    run.record.discard_result()
    end = {"attempt": 1, "end": 2.0, "outcome": "failed", "reason": "no memory"}
    run.record.append(ATTEMPTS_FILE, end)
    return "is failed (no memory); allowed: finished runs"


def is_missing(run):
    shutil.rmtree(run.record.folder)
    return "is missing; allowed: finished runs"


def has_changed_metrics(run):
    rows = run.record.valid_prefix(METRICS_FILE)
    run.record.rewrite_rows(METRICS_FILE, rows[:-1])
    return f"{METRICS_FILE}: its checksum differs from the one in {DONE_FILE}"


def has_changed_weights(run):
    path = run.record.path("weights.pt")
    path.write_bytes(path.read_bytes()[::-1])
    return "weights.pt: its checksum differs from the one in DONE"


def has_corrupt_probes(run):
    path = run.record.path(PROBES_FILE)
    path.write_bytes(path.read_bytes()[:-9])
    return f"{PROBES_FILE}, 1 of "


def is_outdated(run):
    hashes = read_trained_code(run.record, run.record.read_metadata()["config"]).hashes
    run.record.rewrite_rows(
        "code.jsonl",
        [
            build_code_row({"models/network.py": "0"}, Relation.TRAINED),
            build_code_row(hashes, Relation.DIFFERENT),
        ],
    )
    return "is outdated (changed: "


def names_a_folder(run):
    path = run.record.path(ATTEMPTS_FILE)
    start, end = run.record.valid_rows(ATTEMPTS_FILE)
    path.write_bytes(encode_row(start | {"device": "/dev/nvidia0"}) + encode_row(end))
    return "attempts.jsonl contains a path, '/dev/nvidia0'"


@pytest.mark.parametrize(
    "damage",
    [
        is_partial,
        is_failed,
        is_missing,
        has_changed_metrics,
        has_changed_weights,
        has_corrupt_probes,
        is_outdated,
        names_a_folder,
    ],
)
def test_one_bad_run_prevents_publishing(copy, tmp_path, damage, capsys):
    root, run = copy
    problem = damage(run)
    with pytest.raises(UserError, match="nothing has been published"):
        load_script("publish").publish([*PART, f"record_root={root}"], tmp_path / "ledger")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if run.run_id in line and problem in line]
    assert not (tmp_path / "ledger").exists()


@pytest.fixture
def folder(tmp_path):
    """A folder of two finished runs, without weights."""
    for run_id in RUN_IDS:
        write_full_record(tmp_path / "runs", run_id).path("weights.pt").unlink()
    return tmp_path / "runs"


def test_runs_of_a_folder_are_added(folder, tmp_path, capsys):
    publish_folder = load_script("publish").publish_folder
    later = Record(folder, RUN_IDS[1])
    done = later.path(DONE_FILE).read_bytes()
    later.path(DONE_FILE).unlink()
    path = publish_folder(folder, "natural", tmp_path)
    assert path == tmp_path / "natural/records.zip"
    assert list_run_ids(path) == [RUN_IDS[0]]
    assert capsys.readouterr().out.startswith(f"{RUN_IDS[1]}: is partial; only finished runs")
    later.path(DONE_FILE).write_bytes(done)
    shutil.rmtree(folder / RUN_IDS[0])
    publish_folder(folder, "natural", tmp_path)
    frame = load_where(path, None)
    assert list(frame.runs["run_id"]) == list(RUN_IDS)
    assert list(frame.runs["state"]) == ["done", "done"]
    assert HOST.encode() not in Record(path, RUN_IDS[0]).read(ATTEMPTS_FILE)


def test_runs_that_an_archive_loses_are_named(part, folder, tmp_path, capsys):
    publish_folder = load_script("publish").publish_folder
    publish_folder(folder, "quick-model-plain-depth-20-seed-0_1", tmp_path)
    path = load_script("publish").publish([*PART, f"record_root={part}"], tmp_path)
    line = f"Warning: {path} no longer has 2 runs of other sweeps: {', '.join(sorted(RUN_IDS))}\n"
    assert line in capsys.readouterr().out


def test_archive_with_one_run_of_another_sweep_is_not_an_experiments(part, folder, tmp_path):
    """Drawn as the experiment, the report would lack that run."""
    holds_experiment = load_script("check_ledger").holds_experiment
    publish_folder = load_script("publish").publish_folder
    entry = publish_folder(part, "quick", tmp_path).parent
    assert holds_experiment(entry)
    publish_folder(folder, "quick", tmp_path)
    assert not holds_experiment(entry)


def has_changed_row(record):
    path = record.path(METRICS_FILE)
    path.write_bytes(path.read_bytes().replace(b"30.0", b"31.0"))
    return f"records.zip/{record.run_id}/{METRICS_FILE}: its checksum differs from the one in DONE"


def has_lost_probes(record):
    record.rewrite_rows(PROBES_FILE, record.valid_rows(PROBES_FILE)[:1])
    return f"{record.run_id}: {PROBES_FILE}, 1 row that was written is missing"


def names_a_path(record):
    start, *others = record.valid_rows(ATTEMPTS_FILE)
    record.rewrite_rows(ATTEMPTS_FILE, [start | {"device": "/dev/nvidia0"}, *others])
    return f"{record.run_id}: attempts.jsonl contains a path, '/dev/nvidia0'"


@pytest.mark.parametrize("damage", [has_changed_row, has_lost_probes, names_a_path])
def test_one_bad_run_of_a_folder_prevents_it(folder, tmp_path, damage, capsys):
    publish_folder = load_script("publish").publish_folder
    before = publish_folder(folder, "natural", tmp_path).read_bytes()
    problem = damage(Record(folder, RUN_IDS[1]))
    with pytest.raises(UserError, match="nothing has been published"):
        publish_folder(folder, "natural", tmp_path)
    assert problem in capsys.readouterr().err
    assert (tmp_path / "natural/records.zip").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--records=conf"], "--records, --name: one alone is not allowed; allowed: both or none"),
        (["--name=a"], "--records, --name: one alone is not allowed; allowed: both or none"),
        (["--records=conf", "--name=a", "seed=0"], "--records: is not allowed with overrides;"),
        (["--records=none", "--name=a"], "--records: 'none' is not allowed; allowed: a folder"),
        (["--records=conf", "--name=a/b"], "--name: 'a/b' is not allowed; allowed: "),
        (["--records=conf", "--name=a"], "conf: contains no finished runs"),
    ],
)
def test_wrong_options_of_publish_are_named(monkeypatch, tmp_path, arguments, problem, capsys):
    script = load_script("publish")
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "argv", ["publish.py", *arguments, f"--ledger={tmp_path}"])
    with pytest.raises(UserError) as error:
        script.main()
    assert problem in f"{error.value}\n{capsys.readouterr().err}"
    assert not list(tmp_path.iterdir())


def test_entry_without_an_experiment_is_drawn(folder, tmp_path):
    path = load_script("publish").publish_folder(folder, "natural", tmp_path / "ledger")
    report = load_script("check_ledger").draw(path.parent, tmp_path / "drawn", only_tables=True)
    assert "plain-20,digits" in (report / "runs.csv").read_text()


def test_records_of_other_images_are_not_drawn_as_the_experiment():
    """The runs of `natural` in the ledger are on a folder of images, the experiment on CIFAR-10."""
    holds_experiment = load_script("check_ledger").holds_experiment
    assert not holds_experiment(REPOSITORY / "experiments/ledger/natural")
    assert holds_experiment(REPOSITORY / "experiments/ledger/width_digits")


def test_archive_is_not_published_again(archive, tmp_path):
    publish = load_script("publish").publish
    with pytest.raises(UserError, match=r"^record_root: .* is a file, and this command writes"):
        publish([*PART, f"record_root={archive}"], tmp_path)


@pytest.mark.parametrize("script", ["train", "explain", "landscape", "sync"])
def test_commands_that_write_refuse_an_archive(archive, script):
    before = archive.read_bytes()
    completed = run_script(script, *PART, f"record_root={archive}")
    assert completed.returncode == 1
    (line,) = completed.stderr.splitlines()
    assert line.startswith("record_root: ")
    assert "is a file, and this command writes records; allowed: a folder" in line
    assert archive.read_bytes() == before


@pytest.mark.parametrize("script", ["status", "report"])
def test_archive_that_does_not_exist_is_named(tmp_path, script):
    completed = run_script(script, *PART, f"record_root={tmp_path / 'records.zip'}")
    assert completed.returncode == 1
    (line,) = completed.stderr.splitlines()
    assert line.startswith("record_root: ")
    assert "does not exist; allowed: a folder, or an archive" in line
