"""Read the valid rows of a record, and report the invalid ones."""

from collections.abc import Callable

from degradation.checksums import Row
from degradation.config.errors import escape
from degradation.records.cached_reader import CachedRecord
from degradation.records.row_integrity import decode_row, decode_rows
from degradation.records.row_validation import FindRowProblem

CORRUPT = "corrupt or truncated"


def read_rows(
    record: CachedRecord,
    name: str,
    find_problem: FindRowProblem,
    excluded: list[str],
    sequential: bool = False,
    are_all_valid: Callable[[list[Row]], bool] | None = None,
    is_verified: bool = False,
) -> list[Row]:
    """Return the valid rows of a file; a file that does not exist has none.

    Args:
        record: the record that the file belongs to.
        name: the name of the file.
        find_problem: returns what is wrong with a row; see `degradation.records.row_validation`.
        excluded: receives one line if the file cannot be read or has invalid rows.
        sequential: the rows build on each other, so the rows after an invalid one are excluded too.
        are_all_valid: a fast check of all rows at once. If it fails, each row is checked.
        is_verified: the file matches the manifest, so the checksum of each line need not be
            computed.
    """
    try:
        lines = record.read_unverified(name).splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = error.strerror or "not a regular file"
        excluded.append(f"{escape(record.run_id)}: {name} cannot be read ({reason})")
        return []
    if are_all_valid is not None:
        decoded = decode_rows(lines, are_verified=is_verified)
        if decoded and are_all_valid(decoded):
            return decoded
    rows, first_problem = _check_lines(lines, find_problem, sequential)
    if first_problem:
        counts = f"{len(lines) - len(rows)} of {len(lines)} lines"
        excluded.append(f"{escape(record.run_id)}: {name}, {counts} ({first_problem})")
    return rows


def _check_lines(
    lines: list[bytes], find_problem: FindRowProblem, sequential: bool
) -> tuple[list[Row], str | None]:
    """Return the valid rows, and what is wrong with the first invalid line."""
    rows: list[Row] = []
    first_problem: str | None = None
    for number, line in enumerate(lines, start=1):
        row = decode_row(line)
        problem = CORRUPT if row is None else find_problem(row, rows)
        if row is not None and problem is None:
            rows.append(row)
            continue
        if first_problem is None:
            first_problem = f"line {number}: {problem}"
        if sequential:
            break
    return rows, first_problem
