"""What of a record can be shown, and in words what of it is left out: a right checksum makes no sense of a row."""

from collections.abc import Callable

from degradation.config.errors import escape
from degradation.durable_io import Row, decode_row, decode_rows
from degradation.records.cached_reader import CachedRecord
from degradation.records.row_validation import InvalidRow

TORN = "torn or changed"


def read_rows(
    record: CachedRecord,
    name: str,
    misfit: InvalidRow,
    left_out: list[str],
    in_order: bool = False,
    all_fit: Callable[[list[Row]], bool] | None = None,
) -> list[Row]:
    """The rows of a file that fit; `left_out` gets a line where there are others.

    `in_order`: rows build on each other, so that what follows one that is left out is not trusted
    either. `all_fit`: the quick way to the same for rows of numbers; where it does not hold, each
    row is asked for its misfit.
    """
    try:
        lines = record.read_unverified(name).splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        left_out.append(
            f"{escape(record.run_id)}: {name} cannot be read ({error.strerror or 'no regular file'})"
        )
        return []
    if all_fit is not None and (rows := decode_rows(lines)) and all_fit(rows):
        return rows
    kept: list[Row] = []
    first = ""
    for number, line in enumerate(lines, start=1):
        row = decode_row(line)
        problem = TORN if row is None else misfit(row, kept)
        if row is not None and problem is None:
            kept.append(row)
            continue
        first = first or f"line {number}: {problem}"
        if in_order:
            break
    if first:
        lost, total = len(lines) - len(kept), len(lines)
        left_out.append(f"{escape(record.run_id)}: {name}, {lost} of {total} lines ({first})")
    return kept
