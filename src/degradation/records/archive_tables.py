"""The tables of an archive: the same file of all runs, joined, with the run's id in each line.

Files of one kind resemble each other, so a table takes little more than half the space of the
files compressed one by one. It is also what a reader without this package wants: JSON lines
with a column `run_id`. Splitting a table restores the bytes of each file.
"""

import re
from collections.abc import Iterator, Mapping

from degradation.checksums import format_document, from_json, to_json
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CODE_FILE,
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    PUBLISHED_LANDSCAPE_FILE,
    RUN_FILE,
    RecordError,
)

# Which file of a run each table holds
TABLES = {
    "run.jsonl": RUN_FILE,
    "metrics.jsonl": METRICS_FILE,
    "probes.jsonl": PROBES_FILE,
    "landscape.jsonl": PUBLISHED_LANDSCAPE_FILE,
    "attempts.jsonl": ATTEMPTS_FILE,
    "code.jsonl": CODE_FILE,
    "DONE.jsonl": DONE_FILE,
}
DOCUMENTS = (RUN_FILE, DONE_FILE)  # one line per run; the others have one line per row of the file
RUN_ID = "run_id"  # the first key of each line; run.json has it too
LINE_START = re.compile(rb'\{"run_id":"([A-Za-z0-9][A-Za-z0-9._+-]*)",(?=")')

RunFiles = Mapping[str, bytes]  # the content of each file of a run, by name


def join_files(runs: Mapping[str, RunFiles]) -> dict[str, bytes]:
    """Return the tables that hold these files, by name; tables without a line are omitted.

    Args:
        runs: the files of each run, by run id.

    Raises RecordError for a file that splitting its table would not restore.
    """
    tables = {}
    for table, name in TABLES.items():
        lines: list[bytes] = []
        for run_id in sorted(runs):
            if name in runs[run_id]:
                lines += _format_lines(run_id, name, runs[run_id][name])
        if lines:
            tables[table] = b"".join(lines)
    return tables


def _format_lines(run_id: str, name: str, content: bytes) -> list[bytes]:
    """Return the lines of a table for one file."""
    rows = _shorten_document(content) if name in DOCUMENTS else content.splitlines(keepends=True)
    start = f'{{"{RUN_ID}":"{run_id}",'.encode()
    lines = [start + row[1:] for row in rows]
    try:
        is_preserved = split_table(name, b"".join(lines)) == {run_id: content}
    except RecordError:
        is_preserved = False
    if not is_preserved:
        raise RecordError(f"{run_id}/{name}: does not have the form that training writes")
    return lines


def _shorten_document(content: bytes) -> list[bytes]:
    """Return a document as one line of JSON, without the run's id."""
    values = from_json(content)
    if not isinstance(values, dict):
        return []
    others = {key: value for key, value in values.items() if key != RUN_ID}
    return [to_json(others).encode() + b"\n"]


def split_table(name: str, content: bytes) -> dict[str, bytes]:
    """Return the content of a file for each run that a table has, by run id.

    Args:
        name: which file of a run the table holds.

    Raises RecordError, which names the line, if this is not a table of such files.
    """
    if name in DOCUMENTS:
        return _split_documents(name, content)
    rows: dict[str, list[bytes]] = {}
    for _, run_id, row in _split_lines(content):
        rows.setdefault(run_id, []).append(row)
    return {run_id: b"".join(own) for run_id, own in rows.items()}


def _split_documents(name: str, content: bytes) -> dict[str, bytes]:
    documents: dict[str, bytes] = {}
    for number, run_id, row in _split_lines(content):
        values = from_json(row)
        if values is None:
            raise RecordError(f"line {number} is not JSON")
        if run_id in documents:
            raise RecordError(f"line {number} is a second line of its run")
        if name == RUN_FILE:
            values[RUN_ID] = run_id
        documents[run_id] = format_document(values)
    return documents


def _split_lines(content: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Yield the number of each line, the id of its run, and the line without the id."""
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        match = LINE_START.match(line)
        if match is None:
            raise RecordError(f"line {number} does not start with the id of a run")
        yield number, match[1].decode(), b"{" + line[match.end() :]
