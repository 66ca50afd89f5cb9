"""Write and read report.json, the summary of a report in a form that programs read."""

import dataclasses
import json
from dataclasses import MISSING
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from analysis.report_summary import FORMAT, ReportSummary
from degradation.durable_io import open_file, write_atomically

SUMMARY_FILE = "report.json"
MAX_NUMBER = 2**53  # a program in any language reads larger whole numbers wrongly
MAX_BYTES = 16_000_000  # a larger file is not a summary: that of 10,000 runs has less than 1 MB


class UnreadableSummary(ValueError):
    """A report.json that cannot be used; the message says why, in a few words."""


def write_summary(folder: Path, summary: ReportSummary) -> Path:
    """Write report.json into the report's folder and return its path."""
    path = folder / SUMMARY_FILE
    content = {"format": FORMAT, **dataclasses.asdict(summary)}
    text = json.dumps(content, indent=1, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def read_summary(folder: Path) -> ReportSummary:
    """Return the summary of the report in a folder.

    Raises UnreadableSummary if it is missing, corrupt, or of another format.
    """
    try:
        with open_file(folder / SUMMARY_FILE) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableSummary(f"{SUMMARY_FILE} is missing") from error
    except OSError as error:
        raise UnreadableSummary(f"{SUMMARY_FILE} cannot be read") from error
    if len(content) > MAX_BYTES:
        raise UnreadableSummary(f"{SUMMARY_FILE} is larger than {MAX_BYTES:,} bytes")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableSummary(f"{SUMMARY_FILE} is not valid JSON") from error
    if not isinstance(values, dict):
        raise UnreadableSummary(f"{SUMMARY_FILE} is not a JSON object")
    if values.get("format") != FORMAT:
        raise UnreadableSummary(f"{SUMMARY_FILE} does not have the format {FORMAT}")
    summary: ReportSummary = _build(ReportSummary, values, SUMMARY_FILE)
    if min([summary.excluded, *summary.runs.values()]) < 0:
        raise UnreadableSummary(
            f"{SUMMARY_FILE} has a negative number of runs or of excluded records"
        )
    return summary


def _build(kind: type, values: Any, place: str) -> Any:
    """Return an instance of a dataclass from the values of its fields; others are ignored."""
    if not isinstance(values, dict):
        raise UnreadableSummary(f"{place}: not an object")
    arguments = {}
    optional = {field.name for field in dataclasses.fields(kind) if field.default is not MISSING}
    for name, hint in get_type_hints(kind).items():
        if name not in values and name in optional:
            continue  # a report from before the field was added
        if name not in values:
            raise UnreadableSummary(f"{place}: {name} is missing")
        arguments[name] = _convert(hint, values[name], f"{place}: {name}")
    return kind(**arguments)


def _convert(hint: Any, value: Any, place: str) -> Any:
    """Return a value of the type that a field has. Raises UnreadableSummary."""
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, place)  # type: ignore[arg-type]
    if get_origin(hint) is list and isinstance(value, list):
        return [_convert(get_args(hint)[0], item, place) for item in value]
    if get_origin(hint) is dict and isinstance(value, dict):
        return {key: _convert(get_args(hint)[1], item, place) for key, item in value.items()}
    allowed = get_args(hint) if get_origin(hint) not in (list, dict) else ()
    for type_ in allowed or (hint,):
        # True is an int for Python, and 1 a float for JSON.
        if type(value) is type_ or (type_ is float and type(value) is int):
            if type(value) is int and abs(value) > MAX_NUMBER:
                raise UnreadableSummary(f"{place} has too large a number")
            return value
    raise UnreadableSummary(f"{place} has the wrong type")
