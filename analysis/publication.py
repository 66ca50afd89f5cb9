"""Publish records that no sweep describes: all those in a folder.

A sweep knows its runs and their data, against which `experiments/publish.py` checks its records.
The records in a folder are checked as readers of the archive will check them: the published form is
loaded, and no part of it may be excluded. Weights are not published, so they may be missing.
"""

import tempfile
from pathlib import Path

from analysis.query import load_where
from degradation.records.archive import find_archive
from degradation.records.archive_tables import RunFiles
from degradation.records.metadata_validation import find_metadata_problem
from degradation.records.publication import (
    build_published_files,
    find_private_text,
    list_private_names,
)
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import RUN_FILE, RecordError
from degradation.records.trained_code import CodeState, read_trained_code


def build_published_runs(folder: Path) -> tuple[dict[str, RunFiles], list[str], list[str]]:
    """Return what is published of the finished runs in a folder.

    Returns:
        the published files of each run, by run id; one line per run that is refused; and one line
        per run that is unfinished.
    """
    published: dict[str, RunFiles] = {}
    problems = []
    unfinished = []
    for run_id in list_run_ids(folder):
        record = Record(folder, run_id)
        if record.read_manifest() is None or record.is_locked():
            unfinished.append(f"{run_id}: is {record.state()}; only finished runs are published")
            continue
        published[run_id], problem = _build_checked_files(record)
        if problem is not None:
            problems.append(f"{run_id}: {problem}")
    if not published:
        problems.append(f"{folder}: contains no finished runs")
    return published, problems, unfinished


def _build_checked_files(record: Record) -> tuple[RunFiles, str | None]:
    """Return the published files of a run, or the reason why they are refused."""
    try:
        metadata = record.read_metadata()
        problem = find_metadata_problem(metadata, record.run_id)
        if problem is not None:
            return {}, f"{RUN_FILE}: {problem}"
        trained = read_trained_code(record, metadata["config"])
    except (RecordError, OSError) as error:
        return {}, str(error)
    if trained.state is CodeState.OUTDATED:
        return {}, trained.describe_outdated()
    return build_files(record, trained.state, entity=None)


def build_files(
    record: Record, code_state: CodeState, entity: str | None
) -> tuple[RunFiles, str | None]:
    """Return the published files of a finished run, or the reason why they are refused.

    Args:
        entity: the W&B account, which nothing published may name.
    """
    try:
        files = build_published_files(record, code_state)
        names = list_private_names(record, entity)
    except (RecordError, OSError) as error:
        return {}, str(error)
    problem = find_private_text(files, names)
    return ({}, problem) if problem else (files, None)


def read_published_runs(path: Path) -> dict[str, RunFiles]:
    """Return the files of each run that an archive has; none if it does not exist."""
    archive = find_archive(path)
    if archive is None:
        return {}
    runs: dict[str, dict[str, bytes]] = {}
    for file in archive.list_names(""):
        run_id, _, name = file.partition("/")
        runs.setdefault(run_id, {})[name] = archive.read(file)
    return dict(runs)


def find_defects(content: bytes, path: Path) -> list[str]:
    """Return what readers of an archive would have to exclude, one line each.

    Args:
        content: the archive.
        path: where it will be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(content)
        excluded = load_where(copy, None).excluded
        return [line.replace(str(copy), str(path)) for line in excluded]
