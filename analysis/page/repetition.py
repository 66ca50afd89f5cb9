"""How to repeat a report: its commands without a machine's folders, and what they need."""

import re

import pandas as pd

from analysis.condition_labels import PLUGIN
from degradation.counting import format_count

# The folders of an absolute path; a path with a space is in quotation marks.
FOLDERS = re.compile(r"(?<=[\s=,'\"])/(?:[^/\s=,'\"]+/)+")
RECORDS_OPTION = "--records"
NEEDS_RECORDS = (
    "This draws the report again from the records and trains nothing; the clone needs their folder,"
    " or archive, at the path after --records. Each record's run.json has the settings with which"
    " its run was trained."
)


def hide_folders(command: str) -> str:
    """Return a command with each absolute path as a file name: a machine's folders help nobody."""
    return FOLDERS.sub("", command)


def list_needs(runs: pd.DataFrame, command: str) -> list[str]:
    """Return what the commands need beside the project, in sentences.

    Args:
        runs: the runs of the report, with their configurations.
        command: the commands that reproduce it.
    """
    needs = [NEEDS_RECORDS] if RECORDS_OPTION in command else []
    names = _list_own_code(runs)
    if names:
        files = format_count(len(names), "file")
        needs.append(
            f"The runs use {files} from outside this project, which the clone needs too. Name,"
            f" definition and hash of the content: {', '.join(names)}."
        )
    return needs


def _list_own_code(runs: pd.DataFrame) -> list[str]:
    """Return the definitions from outside the project: `my_block:Gate (hash 8ebb19245b95)`."""
    keys = [key for key in map(str, runs) if key.startswith("config.")]
    values = {str(value) for key in keys for value in runs[key].dropna() if isinstance(value, str)}
    matches = [match for match in map(PLUGIN.fullmatch, sorted(values)) if match is not None]
    return [f"{match['name']} (hash {match[0].rpartition('@')[2]})" for match in matches]
