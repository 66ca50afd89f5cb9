"""Where a sweep's report is, and the command that opens it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from degradation.sweep.report_pages import list_pages
from degradation.sweep.runs import expand_runs

ROOT = Path(__file__).resolve().parents[2]


def test_each_experiment_has_a_page(tmp_path):
    (page,) = list_pages(["experiment=quick"], expand_runs(["experiment=quick"]), tmp_path)
    assert page == tmp_path / "quick/report.html"


def run_script(script, *arguments, **environment):
    return subprocess.run(
        [sys.executable, f"experiments/{script}.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_page_is_opened_or_else_the_index(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    browser.chmod(0o755)
    arguments = ["open_report", "experiment=quick", f"--reports={tmp_path}"]
    environment = {"BROWSER": f"{browser} %s"}

    completed = run_script(*arguments, **environment)
    assert completed.returncode == 1
    assert completed.stderr.splitlines() == [
        f"{tmp_path}/quick/report.html does not exist; `make reproduce` or `make report` writes it"
    ]

    completed = run_script("report", "--index", f"--reports={tmp_path}")
    assert completed.stdout == f"Index: {tmp_path}/index.html\n"
    other = tmp_path / "quick-record_root-records.zip-12345678/report.html"
    for place in (other, tmp_path / "paper/report.html"):
        place.parent.mkdir()
        place.touch()
    completed = run_script(*arguments, **environment)
    assert completed.stdout == f"{tmp_path}/index.html\n"
    assert completed.stderr.splitlines() == [
        f"{tmp_path}/quick/report.html does not exist, so the index is opened; reports in"
        f" {tmp_path}: quick-record_root-records.zip-12345678, paper"
    ]

    page = tmp_path / "quick/report.html"
    page.parent.mkdir()
    page.touch()
    completed = run_script(*arguments, **environment)
    assert (completed.stdout, completed.stderr) == (f"{page}\n", "")
    assert (tmp_path / "opened").read_text().splitlines() == [
        (tmp_path / "index.html").as_uri(),
        page.as_uri(),
    ]


@pytest.mark.slow
def test_without_a_browser_the_path_is_printed(tmp_path):
    (tmp_path / "index.html").touch()
    completed = run_script(
        "open_report", "experiment=quick", f"--reports={tmp_path}", BROWSER="false", DISPLAY=""
    )
    assert completed.returncode == 0
    assert completed.stdout.startswith(f"{tmp_path}/index.html\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["experiment=quick"], "--index: is not allowed with --records or overrides"),
        (["--reports=missing-folder"], "--reports: 'missing-folder' is not a folder"),
    ],
)
def test_index_refuses_other_arguments(arguments, line):
    completed = run_script("report", "--index", *arguments)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.strip() == line
