"""Safe access to the files of a data folder, whose content and names are not trusted.

Symbolic links are followed, since image folders often consist of them. Anything but a regular file
is refused: reading a pipe would block, and a device may never end.
"""

import os
from pathlib import Path

from degradation.config import Data
from degradation.config.errors import escape
from degradation.single_warnings import warn_once

CACHE_FOLDER = ".degradation"  # beside the images: the digest of their content, the decoded arrays


def expand_root(data: Data) -> Path:
    """Return data.root as a path, with ~ expanded."""
    return Path(str(data.root)).expanduser()


def escape_name(name: object) -> str:
    """Return a name as one line: control characters, line breaks and invalid UTF-8 escaped."""
    return escape(str(name))


def find_cache_folder(root: Path) -> Path | None:
    """Return the folder for cached data, or None if it is a link, which could lead anywhere."""
    folder = root / CACHE_FOLDER
    if folder.is_symlink():
        warn_once(
            f"{escape_name(folder)}: is a symbolic link, which is not followed; nothing is cached"
        )
        return None
    return folder


def find_user_cache() -> Path | None:
    """Return the package's folder in the user's cache, or None if the user has no home folder."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return user_cache / "degradation" if user_cache.is_absolute() else None
