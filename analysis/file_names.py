"""What distinguishes the files of several conditions: `error-against-depth-width-8.png`."""

import re
from collections.abc import Sequence

MAX_CHARACTERS = 50  # of a condition in a file's name


def list_suffixes(labels: Sequence[str]) -> list[str]:
    """Return the end of the file names of each condition, such as `-width-8`.

    It is empty for the only condition. A point between digits becomes `_`, and other characters
    than letters and digits become a hyphen. Names that would be equal or empty get a number.
    """
    if len(labels) == 1:
        return [""]
    names = [_write_name(label) for label in labels]
    suffixes = []
    for number, name in enumerate(names, start=1):
        is_distinct = name != "" and names.count(name) == 1
        suffixes.append(f"-{name}" if is_distinct else f"-{name}-{number}".replace("--", "-"))
    return suffixes


def _write_name(label: str) -> str:
    text = re.sub(r"(?<=\d)\.(?=\d)", "_", label.lower())
    return re.sub(r"[^a-z0-9_]+", "-", text).strip("-_")[:MAX_CHARACTERS].rstrip("-_")
