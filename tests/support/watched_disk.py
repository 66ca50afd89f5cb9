"""`WatchedDisk`: intercepts each call that reaches a folder, and undoes what a power cut would."""

import builtins
import io
import os
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

OPEN_FLAGS = {
    "rb": os.O_RDONLY,
    "wb": os.O_WRONLY | os.O_CREAT,
    "xb": os.O_WRONLY | os.O_CREAT,
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}
Call = tuple[str, Path, tuple[Any, ...]]  # the call's name, the path it concerns, its arguments


class WatchedDisk:
    """Intercepts the file operations of this process below `root`.

    Attributes:
        root: the watched folder.
        fsync_works: whether an fsync of a file makes its content durable.
        durable_bytes: how many bytes of each file (by inode) have been made durable.
        written: the files opened for writing, and whether rows are appended to them.
        volatile_names: names that an fsync of their folder has not made durable yet, each with its
            previous content (None: there was no file).
    """

    def __init__(self, root: Path, fsync_works: bool = True) -> None:
        self.root = root.resolve()
        self.fsync_works = fsync_works
        self.durable_bytes: dict[int, int] = {}
        self.written: dict[Path, bool] = {}
        self.volatile_names: list[tuple[Path, bytes | None]] = []

    def install(self) -> None:
        """Replace the functions of `os` and `open` in this process."""
        for name in ("fsync", "replace", "unlink", "open", "mkdir"):
            setattr(os, name, partial(self._os_call, name, getattr(os, name)))
        vars(builtins)["open"] = partial(self._open, open)

    def _os_call(self, name: str, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        path = self._path_below_root(args[-1] if name == "replace" else args[0])
        if path is None:
            return real(*args, **options)
        flags = args[1] if name == "open" else 0
        return self.perform((name, path, args), partial(real, **options), flags)

    def _open(
        self, real: Callable[..., Any], file: Any, mode: str = "r", *args: Any, **options: Any
    ) -> Any:
        path = self._path_below_root(file)
        is_supported = mode in OPEN_FLAGS and not args and set(options) <= {"opener", "closefd"}
        if path is None or not is_supported:
            return real(file, mode, *args, **options)
        create = partial(_WatchedFile, self, path, mode=mode, **options)
        if (
            isinstance(file, int) or "opener" in options
        ):  # os.open is called too, and is intercepted
            raw = create(file)
        else:
            raw = self.perform(("open", path, (file,)), create, OPEN_FLAGS[mode])
        return io.BufferedReader(raw) if mode == "rb" else io.BufferedWriter(raw)

    def before_call(self, call: Call) -> None:
        """Override this to act before each call. An exception propagates to the caller."""

    def perform(self, call: Call, real: Callable[..., Any], flags: int = 0) -> Any:
        """Perform a call, note what it changes, and return its result."""
        self.before_call(call)
        name, path, args = call
        is_new = not path.exists()
        creates = is_new and bool(name == "mkdir" or flags & os.O_CREAT)
        # The fsync of the root's parent, which makes the root durable, is not intercepted.
        if name == "replace" or (creates and path != self.root):
            content_before = None if is_new else self._durable_content(path)
            self.volatile_names.append((path, content_before))
        result = real(*args)
        if name == "replace":
            source = Path(os.path.abspath(args[0]))
            self.written[path] = self.written.pop(source, False)
        elif name == "fsync":
            self._note_fsync(path, args[0])
        elif flags & (os.O_WRONLY | os.O_RDWR):
            self.written[path] = bool(flags & os.O_APPEND)
            status = path.stat()
            length_before = self.durable_bytes.get(status.st_ino, status.st_size)
            self.durable_bytes[status.st_ino] = 0 if is_new else length_before
        return result

    def _path_below_root(self, target: Any) -> Path | None:
        """Return the path of a name or a descriptor, or None if it is not below the root."""
        if isinstance(target, int):
            target = os.readlink(f"/proc/self/fd/{target}")
        if not isinstance(target, str | Path):
            return None
        path = Path(os.path.abspath(os.fspath(target)))
        return path if path.is_relative_to(self.root) else None

    def _durable_content(self, path: Path) -> bytes | None:
        if not path.is_file():
            return None
        return path.read_bytes()[: self.durable_bytes.get(path.stat().st_ino)]

    def _note_fsync(self, path: Path, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self.volatile_names = [
                (name, content) for name, content in self.volatile_names if name.parent != path
            ]
        elif self.fsync_works:
            self.durable_bytes[status.st_ino] = status.st_size

    def undo(self, rows: bool = True, files: bool = True) -> None:
        """Undo everything that no fsync has made durable, as a power cut may do.

        Args:
            rows: undo what has been appended to files.
            files: undo whole files and names.
        """
        for path, is_appended in self.written.items():
            is_undone = rows if is_appended else files
            if is_undone and path.is_file():
                status = path.stat()
                durable = self.durable_bytes.get(status.st_ino, status.st_size)
                os.truncate(path, min(status.st_size, durable))
        if not files:
            return
        for path, content_before in reversed(self.volatile_names):
            if content_before is not None:
                path.write_bytes(content_before)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


class _WatchedFile(io.FileIO):
    """A file whose reads and writes are intercepted by the disk."""

    def __init__(self, disk: WatchedDisk, path: Path, file: Any, mode: str, **options: Any) -> None:
        super().__init__(file, mode, **options)
        self.disk, self.path = disk, path

    def readall(self) -> bytes:
        return bytes(self.disk.perform(("read", self.path, ()), super().readall))

    def write(self, content: Any) -> int:
        return int(self.disk.perform(("write", self.path, (content,)), super().write))
