"""What an image folder holds besides the images that are read, so that nothing is skipped silently.

Does not import torch.
"""

from collections import Counter
from pathlib import Path, PurePath

from degradation.counting import format_count
from degradation.data.folder_entries import (
    is_image_name,
    is_subfolder,
    is_system_name,
    scan,
    scan_everything,
)
from degradation.data.folders import join_names
from degradation.data.paths import escape_name

NO_SUFFIX = "without suffix"
MAX_KINDS = 5  # suffixes in a message; files of the others are counted together


def describe_skipped_files(root: Path, splits: tuple[str, str]) -> str | None:
    """Return one line that says how many files of which kind are not read and why, or None.

    Args:
        root: a checked root
        splits: the subfolders of the training and the test images
    """
    parts = []
    other_files: Counter[str] = Counter()  # suffix -> number of files that are not images
    system_entries = 0
    images_without_class = 0
    for split in splits:
        pending = [root / split]
        while pending:
            folder = pending.pop()
            is_inside_class = folder != root / split
            for entry in scan_everything(folder):
                if is_system_name(entry.name):
                    system_entries += 1
                elif is_subfolder(entry):
                    pending.append(Path(entry.path))
                elif not is_image_name(entry.name):
                    other_files[PurePath(entry.name).suffix.lower() or NO_SUFFIX] += 1
                elif not is_inside_class:
                    images_without_class += 1
    if other_files:
        kinds = _list_kinds(other_files)
        parts.append(f"files other than images: {other_files.total()} ({kinds})")
    if images_without_class:
        parts.append(f"images in no class folder: {images_without_class}")
    if system_entries:
        parts.append(f"hidden or system files and folders: {system_entries}")
    other_folders = [
        entry.name for entry in scan(root) if is_subfolder(entry) and entry.name not in splits
    ]
    if other_folders:
        parts.append(f"folders beside {' and '.join(splits)}: {join_names(other_folders)}")
    if not parts:
        return None
    return f"data.root: {escape_name(root)}: skipped {'; '.join(parts)}"


def _list_kinds(files: Counter[str]) -> str:
    """Return the number of files of each suffix, the most frequent first."""
    kinds = sorted(files.items(), key=lambda kind: (-kind[1], kind[0]))
    listed = [f"{count} {escape_name(suffix)}" for suffix, count in kinds[:MAX_KINDS]]
    rest = sum(count for _, count in kinds[MAX_KINDS:])
    if rest:
        listed.append(f"{format_count(rest, 'other')}")
    return ", ".join(listed)
