"""`make bench`: which command each part is, and what it prints and writes."""

import re
import subprocess
import sys

import pytest

from benchmarks.tables import read_rows
from tests.support.clones import ROOT, make

SHORT = ["--rounds=1", "--seconds=0.1"]


def run_bench(*words, cwd):
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments/bench.py"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ([], ""),
        (["PART=step", "DEPTHS=56"], "--part=step model.depth=56"),
        (["PART=overhead", "EXPERIMENT=quick", "SEEDS=0"], "--part=overhead experiment=quick"),
        (["ARGS=precision=bf16 --rounds=3"], "precision=bf16 --rounds=3"),
    ],
)
def test_make_passes_an_experiment_only_if_it_is_chosen(words, arguments):
    planned = make("-n", "bench", *words, cwd=ROOT)
    assert planned.returncode == 0, planned.stderr
    (line,) = [line for line in planned.stdout.splitlines() if "experiments/bench.py" in line]
    assert " ".join(line.split()).startswith(
        f".venv/bin/python experiments/bench.py {arguments}".strip()
    )
    assert ("experiment=" in line) == ("EXPERIMENT=quick" in words)


@pytest.mark.slow
def test_part_prints_its_duration_and_writes_its_table(tmp_path, tiny_overrides):
    words = [
        "--part=evaluation",
        "data=digits",
        "model=residual",
        *tiny_overrides,
        "precision=fp32",
        *SHORT,
    ]
    completed = run_bench(*words, cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    sampling, estimate, header, *rows, place = completed.stdout.splitlines()
    assert sampling.startswith("evaluation: a few iterations")
    assert re.search(r"^evaluation: residual-8 \(width 4\) on .*: about \d", estimate)
    assert header.split()[0] == "network"
    assert place.endswith("table: reports/bench/evaluation.csv")
    assert len(read_rows(tmp_path / "reports/bench/evaluation.csv")) == len(rows) >= 1


@pytest.mark.slow
def test_network_without_a_reference_is_refused_in_one_line(tmp_path, tiny_overrides):
    words = ["--part=step", "data=digits", *tiny_overrides, "model.shortcut=B", *SHORT]
    completed = run_bench(*words, cwd=tmp_path)
    assert completed.returncode == 1
    assert completed.stderr.splitlines() == [
        "model.shortcut: 'B' is not in the reference loop; allowed: none, A"
    ]


@pytest.mark.slow
def test_overhead_estimates_its_duration_first(tmp_path, tiny_overrides):
    words = ["--part=overhead", *tiny_overrides, "model=plain", "seed=0", "hydra.launcher.slots=1"]
    completed = run_bench(*words, cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    estimate, seed, total, *_ = completed.stdout.splitlines()
    assert re.fullmatch(r"1 run is trained three times: about [\d a-z]+", estimate)
    assert seed.startswith("seed 0: 1 run, bare ")
    assert total.startswith("1 run: bare training loop ")
    assert "1 to run, 1 at once" in completed.stderr
    (row,) = read_rows(tmp_path / "reports/bench/overhead.csv")
    assert (row["experiment"], row["runs"], row["at_once"]) == ("quick", "1", "1")
