"""The folders of cached data, and the lock of a cached file."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from degradation.data.paths import escape_name
from degradation.durable_io import make_folder
from degradation.single_warnings import warn_once

CACHE_FOLDER = ".degradation"  # beside the images: the digest of their content, the decoded arrays
NO_TIMEOUT_S = -1.0  # wait until the lock is free (filelock's convention)


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


@contextmanager
def lock_if_possible(path: Path, timeout_s: float = NO_TIMEOUT_S) -> Iterator[bool]:
    """Hold the lock of a cached file within this context, so that one process computes it.

    Yields whether the lock is held. It is not if its folder cannot be written to or knows no locks,
    or if another process has held it for `timeout_s` seconds.
    """
    with contextlib.ExitStack() as stack:
        is_held = False
        with contextlib.suppress(OSError, Timeout, NotImplementedError):
            make_folder(path.parent)
            stack.enter_context(FileLock(path.with_suffix(".lock"), timeout=timeout_s))
            is_held = True
        yield is_held
