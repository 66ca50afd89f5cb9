"""Paths of a data folder: its root, and untrusted names as text for messages."""

from pathlib import Path

from degradation.config import Data
from degradation.config.errors import escape


def expand_root(data: Data) -> Path:
    """Return data.root as a path, with ~ expanded."""
    return Path(str(data.root)).expanduser()


def escape_name(name: object) -> str:
    """Return a name as one line: control characters, line breaks and invalid UTF-8 escaped."""
    return escape(str(name))
