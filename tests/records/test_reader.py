"""Metrics are read by columns, or row by row: both say the same of every file, and in the same words."""

import random
import zlib

import pytest

from degradation.durable_io import decode_rows, encode_row
from degradation.records import row_validation
from degradation.records.cached_reader import CachedRecord
from degradation.records.reader import read_rows
from degradation.records.record import Record
from degradation.records.schema import METRICS_FILE

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
        "iteration": iteration, "lr": 0.1, "train/clean_error": 3.5, "train/clean_loss": 0.1, "test/error": 4,
        "train/running_error": None,
    }  # fmt: skip


def line(body):
    """A line with a right checksum, whatever stands in it."""
    return body[:-1] + f',"crc32":"{zlib.crc32(body):08x}"}}\n'.encode()


def both_ways(root, content):
    """What is read by columns where it can be, and what is read row by row: rows and what is left out."""
    Record(root, "a").write(METRICS_FILE, content)
    found = []
    for all_fit in (row_validation.are_valid_metrics_rows, None):
        left_out = []
        rows = read_rows(
            CachedRecord(root, "a"),
            METRICS_FILE,
            row_validation.check_metrics_row,
            left_out,
            sequential=True,
            are_all_valid=all_fit,
        )
        found.append((rows, left_out))
    return found


def changed(content, seeded):
    """Sound rows with one value, one key or the order changed; or bytes of the file."""
    rows = [row(40 * number) for number in range(1, 5)]
    at = seeded.randrange(len(rows))
    what = seeded.randrange(6)
    if what == 0:
        rows[at][seeded.choice(KEYS)] = seeded.choice(VALUES)
    elif what == 1:
        del rows[at][seeded.choice(sorted(rows[at]))]
    elif what == 2:
        key, value = seeded.choice(KEYS), seeded.choice(VALUES)
        rows = [one | {key: value} for one in rows]
    elif what == 3:
        rows[at] = seeded.choice(rows)
    elif what == 4:
        place = seeded.randrange(len(content))
        return content[:place] + bytes([seeded.randrange(256)]) + content[place + 1 :]
    else:
        return content[: seeded.randrange(len(content))]
    return b"".join(map(encode_row, rows))


def test_both_ways_agree_on_600_seeded_changes(tmp_path):
    content, seeded = (
        b"".join(encode_row(row(40 * number)) for number in range(1, 5)),
        random.Random(0),
    )
    quick = 0
    for _ in range(600):
        broken = changed(content, seeded)
        by_columns, row_by_row = both_ways(tmp_path, broken)
        assert by_columns == row_by_row
        assert [[type(value) for value in one.values()] for one in by_columns[0]] == [
            [type(value) for value in one.values()] for one in row_by_row[0]
        ]
        rows = decode_rows(broken.splitlines(keepends=True))
        quick += bool(rows) and row_validation.are_valid_metrics_rows(rows)
    assert 30 < quick < 570  # both kinds are among them


NUMBERS = b'"iteration":40,"test/error":1,"train/clean_error":'
PLANTED = {
    "too large for a float": [line(b"{" + NUMBERS + b"1e999}")],
    "not a number": [line(b"{" + NUMBERS + b"NaN}")],
    "two rows in a line": [line(b"{" + NUMBERS + b"1},{" + NUMBERS.replace(b"40", b"80") + b"1}")],
    "a row over two lines": [
        line(b"{" + NUMBERS + b'[{"a":1}'),
        line(b'{"b":1}]},{' + NUMBERS + b"2}"),
    ],
    "a key over two lines": [line(b'{"test/x}'), line(b'{y":1},{"test/x},{y":1}')],
    "a key twice": [line(b'{"iteration":1,' + NUMBERS + b"1}")],
    "no text": [line(b"{" + NUMBERS + b'1,"test/\xff":1}')],
    "a carriage return": [line(b"{" + NUMBERS + b"1\r}")],
    "no row": [line(b"[1}")],
    "nothing": [b"\n"],
}


@pytest.mark.parametrize("name", PLANTED)
def test_both_ways_agree_on_lines_with_right_checksums(tmp_path, name):
    content = b"".join(PLANTED[name])
    by_columns, row_by_row = both_ways(tmp_path, content)
    assert by_columns == row_by_row
    assert bool(by_columns[1]) == (name != "a key twice")  # the last one holds, as in all of JSON


def test_an_empty_file_has_no_rows_and_nothing_left_out(tmp_path):
    assert both_ways(tmp_path, b"") == [([], [])] * 2
