"""The Makefile: when a report is written and where, and which variables are refused."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.support.clones import ROOT, link_clone, make

TINY = (
    "model.width=4 optim.batch_size=32 schedule.iterations=12 schedule.milestones=[6]"
    " schedule.evaluate_every=4 schedule.snapshots=[6] probes=none tracking=disabled"
)
GOOD_REPORT = "<p>good</p>"
# Each asks for what this machine lacks, or for what no run can have.
FAILING_LAUNCHES = {
    "device": ["ARGS=device=cuda"],
    "slurm": ["LAUNCHER=slurm"],
    "ray": ["LAUNCHER=ray", "ARGS=hydra.launcher.address=127.0.0.1:1"],
    "value": ["DEPTHS=9"],
    "record root": ["ARGS=record_root=Makefile"],
}


@pytest.fixture
def clone(tmp_path):
    return link_clone(tmp_path)


@pytest.mark.parametrize(
    ("target", "launch"),
    [
        ("reproduce", "device"),
        pytest.param("explain", "slurm", marks=pytest.mark.slow),
        pytest.param("reproduce", "slurm", marks=pytest.mark.slow),
        pytest.param("reproduce", "ray", marks=pytest.mark.slow),
        pytest.param("explain", "device", marks=pytest.mark.slow),
        pytest.param("reproduce", "value", marks=pytest.mark.slow),
        pytest.param("explain", "record root", marks=pytest.mark.slow),
    ],
)
def test_failed_launch_leaves_reports_and_is_one_line(clone, target, launch):
    page = clone / "reports/quick/report.html"
    page.parent.mkdir(parents=True)
    page.write_text(GOOD_REPORT)
    words = ["SEEDS=0", "DEPTHS=20", *FAILING_LAUNCHES[launch]]
    environment = {"CUDA_VISIBLE_DEVICES": ""}
    if launch == "slurm":
        environment["PATH"] = "/usr/bin:/bin"
        if shutil.which("sbatch", path=environment["PATH"]):
            pytest.skip("this machine has SLURM, whose own messages would follow")
    completed = make(target, *words, cwd=clone, **environment)
    lines = completed.stderr.splitlines()
    assert completed.returncode == 2, completed.stderr
    assert [line for line in lines if not line.startswith("make: *** ")] == lines[:1], lines
    assert completed.stdout == ""
    assert page.read_text() == GOOD_REPORT
    assert [path.name for path in (clone / "reports").iterdir()] == ["quick"]


@pytest.mark.slow
def test_natural_trains_on_a_folder_of_images(clone, tmp_path):
    random = np.random.RandomState(0)
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        folder = tmp_path / "images" / place
        folder.mkdir(parents=True)
        for index in range(8):
            pixels = random.randint(0, 256, (20, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")
    settings = "model.width=4 optim.batch_size=8 schedule.iterations=12 probes=none"
    data = f"data=image_folder data.root={tmp_path / 'images'} tracking=disabled"
    words = ["EXPERIMENT=natural", "SEEDS=0", "DEPTHS=20", f"ARGS={settings} {data}"]
    completed = make("reproduce", *words, cwd=clone)
    assert completed.returncode == 0, completed.stderr
    runs = [json.loads(path.read_text()) for path in (clone / "runs").glob("*/run.json")]
    assert sorted(run["family"] for run in runs) == ["plain", "residual"]
    for run in runs:
        assert run["config"]["data"]["size"] == 16
        assert run["config"]["schedule"]["milestones"] == [6, 9]
    (page,) = (clone / "reports").glob("natural*/report.html")
    assert "the user's own images" in html.unescape(page.read_text())


@pytest.mark.slow
def test_part_of_an_experiment_has_a_report_of_its_own(clone):
    page = clone / "reports/quick/report.html"
    page.parent.mkdir(parents=True)
    page.write_text(GOOD_REPORT)
    words = ["SEEDS=0", "DEPTHS=8", f"ARGS={TINY}"]
    completed = make("reproduce", *words, cwd=clone)
    assert completed.returncode == 0, completed.stderr
    assert page.read_text() == GOOD_REPORT
    (own_page,) = set((clone / "reports").glob("*/report.html")) - {page}
    line = f"Report: {own_page.relative_to(clone)}"
    assert line in completed.stdout
    assert own_page.parent.name.startswith("quick-")
    assert "2 done" in make("report", *words, cwd=clone).stdout
    assert line in make("status", *words, cwd=clone).stdout
    assert line in make("status", *words[:2], f"ARGS={TINY} device=auto", cwd=clone).stdout
    assert "Report: reports/quick/report.html" in make("status", cwd=clone).stdout


@pytest.mark.slow
def test_commands_of_a_report_work_with_nothing_activated(clone):
    words = ["SEEDS=0", "DEPTHS=8", f"ARGS={TINY} record_root='my records'"]
    assert make("reproduce", *words, cwd=clone).returncode == 0
    shutil.rmtree(clone / "my records")
    (page,) = clone.glob("reports/*/report.html")
    commands = html.unescape(re.search("<pre[^>]*>(.*?)</pre>", page.read_text(), re.DOTALL)[1])
    assert [line.split()[:2] for line in commands.splitlines()] == [
        ["make", "setup"],
        [".venv/bin/python", "experiments/train.py"],
        [".venv/bin/python", "experiments/report.py"],
    ]
    page.unlink()
    completed = subprocess.run(
        ["sh", "-ec", commands],
        cwd=clone,
        env={"PATH": "/usr/bin:/bin", "HOME": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert "2 runs (2 done)" in completed.stdout
    assert page.exists()


@pytest.mark.slow
def test_report_follows_a_sweep_with_failed_runs(clone):
    words = ["SEEDS=0", "DEPTHS=8", f"ARGS={TINY}"]
    assert make("reproduce", *words, cwd=clone).returncode == 0
    (page,) = clone.glob("reports/*/report.html")
    page.unlink()
    for record in (clone / "runs").iterdir():
        if record.name.startswith("plain"):
            (record / "DONE").unlink()
            (record / "run.json").write_text('{"schema_version": 1, "run_id": "something else"}')
    completed = make("reproduce", *words, cwd=clone)
    assert completed.returncode == 2
    assert "1 done before, 1 failed" in completed.stderr
    assert page.exists()


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("assignment", "suggestion"),
    [
        ("SEED=0", "SEED (did you mean SEEDS?)"),
        ("DEPTH=20", "DEPTH (did you mean DEPTHS?)"),
        ("EXPERIMENTS=paper", "EXPERIMENTS (did you mean EXPERIMENT?)"),
        ("seeds=0", "seeds (did you mean SEEDS?)"),
        ("TORCH_INDX=x", "TORCH_INDX (did you mean TORCH_INDEX?)"),
        ("optim.lr=0.1", "optim.lr"),
        ("device=cuda", "device"),
        ("LR=0.1", "LR"),
        ("dtype=bf16", "dtype"),
        ("GPUS=8", "GPUS"),
        ("OPTIMIZER=adam", "OPTIMIZER"),
        ("early=3", "early"),
        ("RUN=echo", "RUN"),
    ],
)
def test_unknown_make_variable_is_refused(assignment, suggestion):
    completed = make("-n", "status", assignment, cwd=ROOT)
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert completed.stderr.count("\n") == 1
    assert re.search(rf"\*\*\* {re.escape(suggestion)}: no such variable; ", completed.stderr)
    assert "allowed: EXPERIMENT SEEDS DEPTHS ARGS " in completed.stderr


@pytest.mark.parametrize(
    "assignments",
    [
        ["V=1", "VERBOSE=1", "O=build", "D=1", "PREFIX=/usr", "prefix=/usr", "DESTDIR=/tmp"],
        ["CUDA_VISIBLE_DEVICES=0", "OMP_NUM_THREADS=1"],  # make passes them on
        ["CC=gcc", "CXX=g++", "AR=ar", "AS=as", "CFLAGS=-O2", "ARFLAGS=rv", "ARCH=x86_64"],
    ],
)
def test_variable_of_no_meaning_here_is_ignored(assignments):
    completed = make("-n", "status", *assignments, cwd=ROOT)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == make("-n", "status", cwd=ROOT).stdout


@pytest.mark.parametrize(
    ("assignment", "status"), [("V=1", 0), ("CROSS_COMPILE=x", 0), ("SEED=0", 2), ("LR=1", 2)]
)
def test_variables_of_an_outer_make_follow_the_same_rule(tmp_path, assignment, status):
    (tmp_path / "Makefile").write_text(f"all:\n\t@$(MAKE) -C '{ROOT}' help\n")
    completed = make(assignment, cwd=tmp_path)
    assert completed.returncode == status, completed.stderr
    assert ("no such variable" in completed.stderr) == (status == 2)


def test_selection_by_an_exported_variable_is_named():
    exported = make("-n", "status", cwd=ROOT, SEEDS="0", DEPTHS="20,56")
    assert exported.stderr.strip().endswith(' from the environment: SEEDS="0" DEPTHS="20,56"')
    typed = make("-n", "status", "SEEDS=0", "DEPTHS=20,56", cwd=ROOT, SEEDS="1")
    assert (typed.stdout, typed.stderr) == (exported.stdout, "")
    for target in ("check", "help", "index"):  # they select no runs
        assert make("-n", target, cwd=ROOT, SEEDS="0").stderr == ""


def test_unknown_variables_are_refused_without_a_python():
    completed = make("help", "SEED=0", "V=1", "PYTHON=/nonexistent/python3", cwd=ROOT)
    assert completed.returncode == 2
    assert "SEED" in completed.stderr


def list_targets():
    text = (ROOT / "Makefile").read_text()
    return re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)


@pytest.mark.slow
def test_every_target_refuses_unknown_variables():
    for target in ["", *list_targets()]:
        completed = make("-n", *target.split(), "SEED=0", cwd=ROOT)
        assert completed.returncode == 2, target
        assert "SEEDS?" in completed.stderr


def test_all_unknown_variables_are_listed_at_once():
    completed = make("-n", "reproduce", "SEED=0", "DEPTH=20", "LR=1", cwd=ROOT)
    assert completed.stderr.count("\n") == 1
    for text in ("SEED (did you mean SEEDS?)", "DEPTH (did you mean DEPTHS?)", "LR"):
        assert text in completed.stderr


def test_known_variables_are_those_with_defaults():
    text = (ROOT / "Makefile").read_text()
    with_defaults = re.findall(r"^(\w+) \?=", text, re.MULTILINE)
    (listed,) = re.findall(r"^VARIABLES := (.*)$", text, re.MULTILINE)
    assert sorted(listed.split()) == sorted(with_defaults)


def test_variables_of_the_environment_are_ignored(clone):
    completed = make("-n", "status", cwd=clone, SEED="0", LR="1", SEEDS="3")
    assert completed.returncode == 0, completed.stderr
    assert "seed=3" in completed.stdout
