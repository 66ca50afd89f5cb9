"""The tables of the benchmarks: printed, and stored as one CSV file per part.

A file accumulates: rows that are measured again replace those with the same KEYS, others stay. So
one file can hold several networks and several machines. Free of torch.
"""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from degradation.durable_io import write_atomically

# The columns that say what was measured; a table has those of them that its part writes
KEYS = (
    "device",
    "experiment",
    "network",
    "images",
    "batch_size",
    "loop",
    "precision",
    "runs",
    "threads",
    "steps",
    "alternative",
    "iterations",
)
UNPRINTED = ("device", "device_type", "torch", "commit", "rounds")

Row = dict[str, str]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to a CSV file in which those of other measurements stay. Raises OSError."""
    table = as_text(rows)
    if path.exists():
        table = merge(read_rows(path), table)
    columns = list(dict.fromkeys(name for row in table for name in row))
    text = StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_atomically(path, text.getvalue().encode())


def as_text(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows as they are read from a file."""
    return [{name: str(value) for name, value in row.items()} for row in rows]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file. Raises OSError."""
    return list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))


def merge(earlier: Sequence[Row], later: Sequence[Row]) -> list[Row]:
    """Return the rows of both tables; of rows with equal keys, the later ones."""
    measured_again = {_identify(row) for row in later}
    return [row for row in earlier if _identify(row) not in measured_again] + list(later)


def _identify(row: Row) -> tuple[str, ...]:
    return tuple(row.get(key, "") for key in KEYS)


def format_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as text in aligned columns, without those in UNPRINTED."""
    table = as_text(rows)
    lines = []
    columns = [name for name in table[0] if name not in UNPRINTED]
    widths = [max(len(name), *(len(row[name]) for row in table)) for name in columns]
    for cells in [columns, *([row[name] for name in columns] for row in table)]:
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join(aligned))
    return "\n".join(lines)
