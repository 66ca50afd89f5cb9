"""Every call by which a process reaches a folder on the disk, and what of it a power cut would undo."""

import builtins
import io
import os
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

FLAGS = {
    "rb": os.O_RDONLY,
    "wb": os.O_WRONLY | os.O_CREAT,
    "xb": os.O_WRONLY | os.O_CREAT,
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}
Call = tuple[str, Path, tuple[Any, ...]]  # its name, what it is of, its arguments


class WatchedDisk:
    """Sees the calls of this process that are below `root`."""

    def __init__(self, root: Path, covers: bool = True) -> None:
        self.root = root.resolve()
        self.covers = covers  # does an fsync of a file do what it is for?
        self.durable: dict[int, int] = {}  # inode: bytes that an fsync has covered
        self.written: dict[Path, bool] = {}  # are rows appended to it?
        self.undone: list[
            tuple[Path, bytes | None]
        ] = []  # a name that its folder's fsync has not covered: what it was

    def install(self) -> None:
        for name in ("fsync", "replace", "unlink", "open", "mkdir"):
            setattr(os, name, partial(self._os, name, getattr(os, name)))
        vars(builtins)["open"] = partial(self._open, open)

    def _os(self, name: str, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        path = self._below(args[-1] if name == "replace" else args[0])
        flags = args[1] if name == "open" else 0
        return (
            real(*args, **options)
            if path is None
            else self.called((name, path, args), partial(real, **options), flags)
        )

    def _open(
        self, real: Callable[..., Any], file: Any, mode: str = "r", *args: Any, **options: Any
    ) -> Any:
        path = self._below(file)
        if path is None or mode not in FLAGS or args or not set(options) <= {"opener", "closefd"}:
            return real(file, mode, *args, **options)
        make = partial(_File, self, path, mode=mode, **options)
        if isinstance(file, int) or "opener" in options:  # os.open is called for it
            raw = make(file)
        else:
            raw = self.called(("open", path, (file,)), make, FLAGS[mode])
        return io.BufferedReader(raw) if mode == "rb" else io.BufferedWriter(raw)

    def before(self, call: Call) -> None:
        """Called before every call; what it raises comes from the call."""

    def called(self, call: Call, real: Callable[..., Any], flags: int = 0) -> Any:
        """What the call returns."""
        self.before(call)
        name, path, args = call
        fresh = not path.exists()
        # the root itself is spared: the fsync of its parent, which covers it, is not among the calls that are seen
        made = fresh and path != self.root and bool(name == "mkdir" or flags & os.O_CREAT)
        if name == "replace" or made:
            self.undone.append((path, None if fresh else self._durable_content(path)))
        result = real(*args)
        if name == "replace":
            self.written[path] = self.written.pop(Path(os.path.abspath(args[0])), False)
        elif name == "fsync":
            self._is_covered(path, args[0])
        elif flags & (os.O_WRONLY | os.O_RDWR):
            self.written[path] = bool(flags & os.O_APPEND)
            status = path.stat()
            self.durable[status.st_ino] = (
                0 if fresh else self.durable.get(status.st_ino, status.st_size)
            )
        return result

    def _below(self, what: Any) -> Path | None:
        """The path of a name or of a descriptor, where it is in the record root."""
        if isinstance(what, int):
            what = os.readlink(f"/proc/self/fd/{what}")
        path = Path(os.path.abspath(os.fspath(what))) if isinstance(what, str | Path) else None
        return path if path is not None and path.is_relative_to(self.root) else None

    def _durable_content(self, path: Path) -> bytes | None:
        return path.read_bytes()[: self.durable.get(path.stat().st_ino)] if path.is_file() else None

    def _is_covered(self, path: Path, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self.undone = [(name, before) for name, before in self.undone if name.parent != path]
        elif self.covers:
            self.durable[status.st_ino] = status.st_size

    def undo(self, rows: bool = True, files: bool = True) -> None:
        """What a power cut leaves: nothing that no fsync has covered, be it of appended rows or of whole files."""
        for path, appended in self.written.items():
            if (rows if appended else files) and path.is_file():
                status = path.stat()
                os.truncate(
                    path, min(status.st_size, self.durable.get(status.st_ino, status.st_size))
                )
        for path, before in reversed(self.undone if files else []):
            if before is not None:
                path.write_bytes(before)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


class _File(io.FileIO):
    """A file of a record, whose reading and writing are calls too."""

    def __init__(self, disk: WatchedDisk, path: Path, file: Any, mode: str, **options: Any) -> None:
        super().__init__(file, mode, **options)
        self.disk, self.path = disk, path

    def readall(self) -> bytes:
        return bytes(self.disk.called(("read", self.path, ()), super().readall))

    def write(self, content: Any) -> int:
        return int(self.disk.called(("write", self.path, (content,)), super().write))
