"""The order of what experiments/report.py does."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.mark.parametrize("arguments", [["--records", "tests"], ["model=plain"]])
def test_index_is_written_before_anything_is_printed(monkeypatch, arguments):
    """A terminal that cannot print the summary leaves no report without its index entry."""
    main = runpy.run_path("experiments/report.py")["main"]
    done = []
    monkeypatch.setattr("sys.argv", ["report.py", *arguments])
    for name in ("report_records", "report_sweep", "update_index", "print_summary"):
        monkeypatch.setitem(
            main.__globals__, name, lambda *_, name=name: done.append(name) or SimpleNamespace()
        )
    main()
    assert done[1:] == ["update_index", "print_summary"]


@pytest.mark.parametrize(
    ("archive", "commands"),
    [
        (None, ["train.py experiment=quick seed=0", "report.py experiment=quick seed=0"]),
        (
            Path("published/records.zip"),
            [
                "train.py experiment=quick",
                "report.py experiment=quick",
                "report.py experiment=quick record_root=published/records.zip",
            ],
        ),
    ],
)
def test_commands_of_a_report_train_into_no_archive(archive, commands):
    overrides = ["experiment=quick", f"record_root={archive}" if archive else "seed=0"]
    script = runpy.run_path("experiments/report.py")
    lines = script["format_commands"](overrides, False, archive).splitlines()
    assert lines[0] == "make setup"
    runs = [line.removeprefix(".venv/bin/python experiments/") for line in lines[1:]]
    assert [line for line in runs if not line.startswith("#")] == commands
