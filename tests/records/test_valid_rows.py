"""Rows of metrics are checked by columns or one by one, with the same result and messages."""

import random
import zlib

import pytest

from degradation.records import row_validation
from degradation.records.cached_reader import CachedRecord
from degradation.records.record import Record
from degradation.records.row_integrity import decode_rows, encode_row
from degradation.records.schema import METRICS_FILE
from degradation.records.valid_rows import read_rows

VALUES = (
    None,
    True,
    -1,
    0,
    2,
    100,
    101,
    0.5,
    1e299,
    1e300,
    10**400,
    "",
    "a",
    [],
    {"a": 1},
    float(2**53),
    2**53,
)
KEYS = (
    "iteration",
    "lr",
    "train/clean_error",
    "test/error",
    "train/x_error",
    "schedule/plateaus",
    "state",
)


def row(iteration):
    return {
        "iteration": iteration,
        "lr": 0.1,
        "train/clean_error": 3.5,
        "train/clean_loss": 0.1,
        "test/error": 4,
        "train/running_error": None,
    }


def line(body):
    """Return a line with a valid checksum, whatever it contains."""
    return body[:-1] + f',"crc32":"{zlib.crc32(body):08x}"}}\n'.encode()


def both_ways(root, content):
    """Return the rows and the exclusions, once with the check by columns and once without."""
    Record(root, "a").write(METRICS_FILE, content)
    results = []
    for are_all_valid in (row_validation.are_valid_metrics_rows, None):
        excluded = []
        rows = read_rows(
            CachedRecord(root, "a"),
            METRICS_FILE,
            row_validation.find_metrics_problem,
            excluded,
            sequential=True,
            are_all_valid=are_all_valid,
        )
        results.append((rows, excluded))
    return results


def change(content, rng):
    """Return valid rows with one value, one key or the order changed, or with changed bytes."""
    rows = [row(40 * number) for number in range(1, 5)]
    index = rng.randrange(len(rows))
    kind = rng.randrange(6)
    if kind == 0:
        rows[index][rng.choice(KEYS)] = rng.choice(VALUES)
    elif kind == 1:
        del rows[index][rng.choice(sorted(rows[index]))]
    elif kind == 2:
        key, value = rng.choice(KEYS), rng.choice(VALUES)
        rows = [row | {key: value} for row in rows]
    elif kind == 3:
        rows[index] = rng.choice(rows)
    elif kind == 4:
        place = rng.randrange(len(content))
        return content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
    else:
        return content[: rng.randrange(len(content))]
    return b"".join(map(encode_row, rows))


def test_both_ways_agree_on_600_changes(tmp_path):
    content = b"".join(encode_row(row(40 * number)) for number in range(1, 5))
    rng = random.Random(0)
    checked_by_columns = 0
    for _ in range(600):
        corrupt = change(content, rng)
        by_columns, row_by_row = both_ways(tmp_path, corrupt)
        assert by_columns == row_by_row
        assert [[type(value) for value in row.values()] for row in by_columns[0]] == [
            [type(value) for value in row.values()] for row in row_by_row[0]
        ]
        rows = decode_rows(corrupt.splitlines(keepends=True))
        checked_by_columns += bool(rows) and row_validation.are_valid_metrics_rows(rows)
    assert 30 < checked_by_columns < 570  # both cases occur


NUMBERS = b'"iteration":40,"test/error":1,"train/clean_error":'
PLANTED = {
    "too large for a float": [line(b"{" + NUMBERS + b"1e999}")],
    "not a number": [line(b"{" + NUMBERS + b"NaN}")],
    "two rows in one line": [
        line(b"{" + NUMBERS + b"1},{" + NUMBERS.replace(b"40", b"80") + b"1}")
    ],
    "a row over two lines": [
        line(b"{" + NUMBERS + b'[{"a":1}'),
        line(b'{"b":1}]},{' + NUMBERS + b"2}"),
    ],
    "a key over two lines": [line(b'{"test/x}'), line(b'{y":1},{"test/x},{y":1}')],
    "a key twice": [line(b'{"iteration":1,' + NUMBERS + b"1}")],
    "not UTF-8": [line(b"{" + NUMBERS + b'1,"test/\xff":1}')],
    "a carriage return": [line(b"{" + NUMBERS + b"1\r}")],
    "not an object": [line(b"[1}")],
    "an empty line": [b"\n"],
}


@pytest.mark.parametrize("name", PLANTED)
def test_both_ways_agree_on_valid_checksums(tmp_path, name):
    content = b"".join(PLANTED[name])
    by_columns, row_by_row = both_ways(tmp_path, content)
    assert by_columns == row_by_row
    assert bool(by_columns[1]) == (name != "a key twice")  # JSON takes the last one


def test_empty_file_has_no_rows_and_no_exclusions(tmp_path):
    assert both_ways(tmp_path, b"") == [([], [])] * 2
