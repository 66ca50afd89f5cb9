"""Tables accumulate measurements, and the document shows those of the ledger and no others."""

import pytest

from benchmarks.document import (
    BLOCK,
    COLUMNS,
    CPU_PARTS,
    PARTS,
    SELF_CHECK,
    fill_tables,
    write_table,
)
from benchmarks.tables import format_rows, read_rows, write_rows
from degradation.config import CONF

ROOT = CONF.parent
SPEED = {
    "device": "a processor, 2 cores",
    "device_type": "cpu",
    "network": "residual-20",
    "images": "3x32x32",
    "batch_size": 128,
    "loop": "suite",
    "precision": "bf16",
    "runs": 2,
    "threads": 1,
    "steps": "eager",
    "images_per_second": 1549.2,
    "lowest": 1500.0,
    "highest": 1601.0,
    "minutes": 88.1,
    "ratio": 2.074,
    "ratio_lowest": 2.0,
    "ratio_highest": 2.1,
    "rounds": 5,
    "torch": "2.14.1",
    "commit": "abc",
}
EVALUATION = {
    "device": "a processor, 2 cores",
    "device_type": "cpu",
    "network": "plain-20",
    "images": "1x8x8",
    "precision": "fp32",
    "threads": 1,
    "iterations": 400,
    "evaluations": 10,
    "images_per_second": 20_587.0,
    "lowest": 20_000.0,
    "highest": 21_000.0,
    "seconds_per_evaluation": 0.16,
    "share_percent": 15.6,
}
OVERHEAD = {
    "device": "a processor, 2 cores",
    "device_type": "cpu",
    "experiment": "quick",
    "runs": 30,
    "at_once": 2,
    "bare_seconds": 488.4,
    "whole_seconds": 600.1,
    "ratio": 1.23,
    "seconds_without_probes": 590.0,
    "probe_cost_percent": 1.7,
}
ALTERNATIVE = {
    "device": "a processor, 2 cores",
    "device_type": "cpu",
    "network": "residual-20",
    "images": "1x8x8",
    "precision": "fp32",
    "threads": 1,
    "alternative": "fused update",
    "ratio": 1.02,
    "ratio_lowest": 1.0,
    "ratio_highest": 1.04,
    "same_bits": "no",
}
EXAMPLES = {
    "step": SPEED,
    "several": SPEED,
    "evaluation": EVALUATION,
    "alternatives": ALTERNATIVE,
    "overhead": OVERHEAD,
}
UNMEASURED_GPU = "| a CUDA GPU | not measured |"


def test_rows_measured_again_replace_the_earlier_ones(tmp_path):
    path = tmp_path / "bench/step.csv"
    other = SPEED | {"network": "residual-56"}
    write_rows(path, [SPEED, other, SPEED | {"threads": 2}])
    write_rows(path, [SPEED | {"images_per_second": 7.0}])
    rows = [(row["network"], row["threads"], row["images_per_second"]) for row in read_rows(path)]
    assert rows == [
        ("residual-56", "1", "1549.2"),
        ("residual-20", "2", "1549.2"),
        ("residual-20", "1", "7.0"),
    ]


def test_printed_table_is_aligned():
    lines = format_rows([SPEED, SPEED | {"loop": "reference"}]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split()[:3] == ["network", "images", "batch_size"]
    assert "a processor" not in lines[1]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_a_table_in_the_document(tmp_path, part):
    write_rows(tmp_path / f"{part}.csv", [EXAMPLES[part]])
    header, _, row, *gpu = write_table(part, tmp_path).splitlines()
    assert header.startswith("| card or processor | ")
    assert row.startswith("| a processor, 2 cores | ")
    assert len(gpu) == (part not in CPU_PARTS)
    assert all(line.startswith(UNMEASURED_GPU) for line in gpu)
    assert len({line.count("|") for line in (header, row, *gpu)}) == 1
    assert len(COLUMNS[part]) == header.count("|") - 1


def test_speed_is_shown_with_its_range_and_what_ran(tmp_path):
    on_gpu = {"device": "a card", "device_type": "cuda", "runs": 1, "steps": "captured"}
    reference = on_gpu | {"loop": "reference", "steps": "eager"}
    write_rows(tmp_path / "step.csv", [SPEED, SPEED | on_gpu, SPEED | reference])
    text = write_table("step", tmp_path)
    assert "| suite, 2 at once, 1 thread each | 1,549 (1,500 to 1,601) | 88.1 |" in text
    assert "| 2.07 (2.00 to 2.10) |" in text
    assert "| a card | residual-20 | 3x32x32 | bf16 | suite, captured |" in text
    assert "| reference |" in text
    assert UNMEASURED_GPU not in text


def test_unmeasured_part_names_its_command(tmp_path):
    text = "before\n<!-- table of bench: step -->\nold\n<!-- end of table -->\nafter\n"
    filled = fill_tables(text, tmp_path)
    assert filled == text.replace(
        "old", "Not measured; `make bench PART=step ARGS=--ledger` writes this table."
    )
    assert fill_tables(filled, tmp_path) == filled


def test_document_has_the_ledgers_numbers_and_no_others():
    """After a change of the ledger's tables: python experiments/bench.py --render."""
    text = (ROOT / "docs/performance.md").read_text()
    assert {block["part"] for block in BLOCK.finditer(text)} == {*PARTS, SELF_CHECK}
    assert fill_tables(text, ROOT / "experiments/ledger/bench") == text


def test_output_of_the_self_check_is_quoted(tmp_path):
    (tmp_path / "check-gpu.txt").write_text("gpu A\nall 1 checks passed\n", encoding="utf-8")
    text = "<!-- table of bench: check_gpu -->\n<!-- end of table -->\n"
    filled = fill_tables(text, tmp_path)
    assert "```text\ngpu A\nall 1 checks passed\n```\n" in filled
    assert fill_tables(filled, tmp_path) == filled
