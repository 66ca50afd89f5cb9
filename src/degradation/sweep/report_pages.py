"""Where the pages of a sweep's reports are. Does not import torch."""

from collections.abc import Sequence
from pathlib import Path

from degradation.config import split_experiments
from degradation.sweep.report_name import REPORTS, name_report
from degradation.sweep.runs import SweepRun, expand_runs

PAGE_FILE, INDEX_FILE = "report.html", "index.html"


def list_pages(
    overrides: list[str], runs: Sequence[SweepRun], reports: Path = REPORTS
) -> list[Path]:
    """Return the page of each report of a sweep, one per experiment, whether it exists or not.

    Args:
        overrides: the command line of the sweep.
        runs: what it expands to.
        reports: the folder in which each report has its own folder.
    """
    command_lines = split_experiments(overrides)
    if len(command_lines) == 1:
        names = [name_report(overrides, runs)]
    else:
        names = [name_report(line, expand_runs(line)) for line in command_lines]
    return [reports / name / PAGE_FILE for name in names]
