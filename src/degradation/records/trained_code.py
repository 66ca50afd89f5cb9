"""The rows of code.jsonl: which code trained a run, and which other code gives the same numbers.

The first row is written when training starts from scratch. A further row is written whenever other
code has been compared with it. Rows are independent, so a corrupt one is ignored. Records of
earlier releases have no code.jsonl.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from degradation.checksums import Row
from degradation.numerical_code import (
    CodeHashes,
    combine_hashes,
    hash_numerical_code,
    list_changed_files,
)
from degradation.records.record import Record
from degradation.records.schema import CODE_FILE, PUBLISHED
from degradation.records.value_checks import is_number, is_text

log = logging.getLogger(__name__)

# Keys of a row: the combined hash, the hash of each file, and how this code is related to the run.
# The first row also holds the numbers of the first updates, and where they were computed.
CODE, FILES, RELATION, NUMBERS, ENVIRONMENT = "code", "files", "relation", "numbers", "environment"

NAMED_FILES = 5  # how many changed files a message names


class Relation(StrEnum):
    """How code relates to a run: it trained the run, or produces equal or different numbers."""

    TRAINED = "trained"
    EQUAL = "equal"
    DIFFERENT = "different"


class CodeState(StrEnum):
    """Whether the current code reproduces a run.

    CURRENT: the current code trained the run, or gives the same numbers. OUTDATED: it gives other
    numbers. UNVERIFIED: it has not been compared with the run, or cannot be. For a published
    record, the code at the time of publication takes the place of the current code, unless the
    current code is known to give other numbers.
    """

    CURRENT = "current"
    OUTDATED = "outdated"
    UNVERIFIED = "unverified"


@dataclass(frozen=True)
class TrainedCode:
    """What code.jsonl holds about a run, next to the hashes of the current code.

    Attributes:
        hashes: those of the current code.
        rows: the valid rows, oldest first.
        published_state: what was known when the record was published; None if it was not.
    """

    hashes: CodeHashes
    rows: Sequence[Row]
    published_state: CodeState | None = None

    @property
    def relation(self) -> Relation | None:
        """How the current code relates to the run, or None if that has not been recorded."""
        relation = None
        present = combine_hashes(self.hashes)
        for row in self.rows:
            if row[CODE] == present:
                relation = Relation(row[RELATION])
        return relation

    @property
    def state(self) -> CodeState:
        if self.relation is None:
            return self.published_state or CodeState.UNVERIFIED
        return CodeState.OUTDATED if self.relation is Relation.DIFFERENT else CodeState.CURRENT

    @property
    def trained_row(self) -> Row | None:
        """The row of the code that trained the run, or None if there is no valid one."""
        for row in self.rows:
            if row[RELATION] == Relation.TRAINED:
                return row
        return None

    def describe_change(self) -> str:
        """Return which files have changed since the run was trained, if that is known."""
        row = self.trained_row
        if row is None:
            return "the changed files are unknown"
        files = list_changed_files(row[FILES], self.hashes)
        rest = len(files) - NAMED_FILES
        more = f" and {rest} more" if rest > 0 else ""
        return f"changed: {', '.join(files[:NAMED_FILES])}{more}"

    def describe_outdated(self) -> str:
        """Return why a run is outdated, as the end of a sentence about it."""
        return f"was trained by code that produces different numbers ({self.describe_change()})"


def read_trained_code(record: Record, config: Row) -> TrainedCode:
    """Return what is known about the code that trained a run.

    Args:
        config: the values that the run id hashes, as in run.json.

    Raises RecordError if code.jsonl cannot be read.
    """
    hashes = hash_numerical_code(
        config["model"].get("block", "basic"),
        config["data"]["name"],
        config.get("optim", {}).get("name", "sgd"),  # records of earlier releases lack the keys
        config["schedule"].get("shape", "step"),
        config["model"].get("network", "resnet"),
    )
    rows = [row for row in record.valid_rows(CODE_FILE) if _is_valid(row)]
    return TrainedCode(hashes, rows, _read_published_state(record))


def _read_published_state(record: Record) -> CodeState | None:
    published = (record.read_manifest() or {}).get(PUBLISHED)
    return None if published is None else CodeState(published[CODE])


def build_code_row(hashes: CodeHashes, relation: Relation) -> Row:
    """Return the row of code.jsonl for the code with these hashes."""
    return {CODE: combine_hashes(hashes), FILES: hashes, RELATION: str(relation)}


def add_comparison(
    record: Record, trained: TrainedCode, relation: Relation, *, write: bool
) -> TrainedCode:
    """Add how the current code relates to a run, and return all that is known.

    Args:
        write: append it to code.jsonl. If the record is read-only, the comparison has to be
            repeated the next time.
    """
    row = build_code_row(trained.hashes, relation)
    if write:
        try:
            with record.lock_file(CODE_FILE):
                record.append(CODE_FILE, row)
        except OSError as error:
            problem = error.strerror or error
            log.warning("%s: %s cannot be written (%s)", record.run_id, CODE_FILE, problem)
    return replace(trained, rows=[*trained.rows, row])


def _is_valid(row: Row) -> bool:
    """Return whether a row has the form of a row of code.jsonl. Its checksum has been verified."""
    files = row.get(FILES)
    if not is_text(row.get(CODE)) or row.get(RELATION) not in tuple(Relation):
        return False
    if not isinstance(files, dict) or not all(map(is_text, files.values())):
        return False
    return _are_numbers(row.get(NUMBERS, {})) and isinstance(row.get(ENVIRONMENT, {}), dict)


def _are_numbers(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(
        isinstance(numbers, list) and all(n is None or is_number(n) for n in numbers)
        for numbers in value.values()
    )
