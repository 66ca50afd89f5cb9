"""How to repeat a report: no machine's folders, and what is needed beside the project."""

import pytest

from analysis.page.repetition import NEEDS_RECORDS, hide_folders, list_needs

GATE = "my_gate:GateBlock@8ebb19245b95"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "train.py model.block=basic,/home/me/my_gate.py:Gate",
            "train.py model.block=basic,my_gate.py:Gate",
        ),
        ("report.py --records /data/mine/runs", "report.py --records runs"),
        ("report.py --records '/data/mine/my runs'", "report.py --records 'my runs'"),
        (".venv/bin/python experiments/train.py", ".venv/bin/python experiments/train.py"),
        ("train.py data.root=mine/images", "train.py data.root=mine/images"),
    ],
)
def test_commands_name_no_folder_of_a_machine(command, expected):
    assert hide_folders(command) == expected


def test_report_of_records_says_that_it_needs_them(build_frame):
    runs = build_frame({"plain": {20: [1.0]}}).runs
    assert list_needs(runs, "report.py --records runs") == [NEEDS_RECORDS]
    assert list_needs(runs, "train.py experiment=quick") == []


def test_files_of_ones_own_are_named_with_their_hash(build_frame):
    runs = build_frame({"plain": {20: [1.0, 2.0]}}, **{"config.model.block": GATE}).runs
    (need,) = list_needs(runs, "train.py")
    assert need.startswith("The runs use 1 file from outside this project,")
    assert "my_gate:GateBlock (hash 8ebb19245b95)" in need
