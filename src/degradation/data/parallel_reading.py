"""Reading many image files in threads, so that all broken ones are reported at once."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from degradation.data.errors import DataError
from degradation.data.folders import MAX_LISTED
from degradation.data.image_files import ImageError
from degradation.data.paths import escape_name
from degradation.progress import notify

Result = TypeVar("Result")

IMAGES_PER_MAP = 1000  # images whose results are held at a time
REPORT_EVERY = 100_000  # images: minutes on one core


def read_images(
    root: Path, paths: Sequence[Path], read: Callable[[Path], Result]
) -> Iterator[Result]:
    """Yield `read(path)` of each path in order, without those that raise ImageError.

    Args:
        root: the folder that the paths are below, for the message

    Raises:
        DataError: after the last path, if any could not be read: names the first MAX_LISTED, and
            says how many they are.
    """
    broken: list[ImageError] = []
    with ThreadPoolExecutor(_count_cores()) as executor:
        for start in range(0, len(paths), IMAGES_PER_MAP):
            if start and start % REPORT_EVERY == 0:
                notify(f"{escape_name(root)}: {start} of {len(paths)} images are checked")
            for result in executor.map(
                partial(_try_to_read, read), paths[start : start + IMAGES_PER_MAP]
            ):
                if isinstance(result, ImageError):
                    broken.append(result)
                else:
                    yield result
    if len(broken) == 1:
        raise broken[0]
    if broken:
        raise DataError(_describe_broken(root, broken, len(paths)))


def _try_to_read(read: Callable[[Path], Result], path: Path) -> Result | ImageError:
    try:
        return read(path)
    except ImageError as error:
        return error


def _describe_broken(root: Path, broken: list[ImageError], total: int) -> str:
    """Return one line that names the first broken images by problem, relative to the root."""
    names: dict[str, list[str]] = {}
    for error in broken[:MAX_LISTED]:
        name = escape_name(error.path.relative_to(root))
        names.setdefault(error.problem, []).append(name)
    listed = [f"{', '.join(group)} ({problem})" for problem, group in names.items()]
    if len(broken) > MAX_LISTED:
        listed.append(f"and {len(broken) - MAX_LISTED} more")
    return (
        f"{escape_name(root)}: {len(broken)} of {total} images cannot be used:"
        f" {'; '.join(listed)}; replace, convert or remove them"
    )


def _count_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
