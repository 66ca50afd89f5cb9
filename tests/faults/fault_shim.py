"""Strikes a training process at a chosen call by which it reaches the disk: before any fsync, rename or unlink.

Preloaded by the pool's fork server of a faulted sweep (`hydra.launcher.preload`), told by FAULTS in the environment:
{"root": record root, "strikes": {run id: [fault, number of the call]}, "broken": a safeguard to leave out, or null}.
The product knows nothing of it.
"""

import json
import multiprocessing
import os
import shutil
import signal
import stat
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

STRUCK = "struck"  # the runs that have been struck, a line each
BALLAST = "ballast"  # fills the file system that the record root is on


class Disk:
    """Counts a process's calls run by run, and knows what of them a power cut would undo."""

    def __init__(self, root: Path, strikes: dict[str, tuple[str, int]], covers: bool = True) -> None:
        self.root, self.strikes = root.resolve(), strikes
        self.covers = covers  # does an fsync do what it is for?
        self.count: Counter[str] = Counter()
        self.durable: dict[int, int] = {}  # inode: bytes that an fsync has covered
        self.undone: list[tuple[Path, bytes | None]] = []  # a name that its folder's fsync has not covered: what it was

    def install(self) -> None:
        for name in ("fsync", "replace", "unlink", "open", "mkdir"):
            setattr(os, name, partial(self._called, name, getattr(os, name)))

    def _called(self, name: str, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        path = _path_of(args[-1] if name == "replace" else args[0])
        if path is None or not path.is_relative_to(self.root):
            return real(*args, **options)
        if name in ("fsync", "replace", "unlink"):
            run = next(iter(path.relative_to(self.root).parts), "")
            self.count[run] += 1
            fault, number = self.strikes.get(run, ("", 0))
            if self.count[run] == number:
                with open(self.root.parent / STRUCK, "a") as file:
                    file.write(f"{run}\n")
                FAULTS[fault](self, name, args)
        if name in ("replace", "open", "mkdir") and not path.is_dir():
            self._will_change(name, path, args)
        result = real(*args, **options)
        if name == "fsync" and self.covers:
            self._is_durable(path, args[0])
        return result

    def _will_change(self, name: str, path: Path, args: tuple[Any, ...]) -> None:
        if name == "open" and (path.exists() or not args[1] & os.O_CREAT):
            return
        before = path.read_bytes() if path.is_file() else None
        if name == "replace":
            source = os.stat(args[0])
            if self.durable.get(source.st_ino, -1) < source.st_size:
                Path(args[0]).write_bytes(b"")  # renamed before its content was on the disk
        self.undone.append((path, before))

    def _is_durable(self, path: Path, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self.undone = [(name, before) for name, before in self.undone if name.parent != path]
        else:
            self.durable[status.st_ino] = status.st_size

    def undo(self) -> None:
        """What is left after a power cut: nothing that no fsync has covered."""
        for path, before in reversed(self.undone):
            if before is not None:
                path.write_bytes(before)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _path_of(what: Any) -> Path | None:
    if isinstance(what, int):
        what = os.readlink(f"/proc/self/fd/{what}")
    return Path(os.path.abspath(os.fspath(what))) if isinstance(what, str | Path) else None


def _kill(pid: int, signum: int = signal.SIGKILL) -> None:
    os.kill(pid, signum)


def _launcher() -> int:
    parent = multiprocessing.parent_process()
    return parent.pid if parent is not None and parent.pid is not None else os.getppid()


def kill_job(_: Disk, __: str, ___: tuple[Any, ...]) -> None:
    _kill(os.getpid())


def tear_and_kill_job(_: Disk, name: str, args: tuple[Any, ...]) -> None:
    """Half of what is being written is there."""
    if name == "fsync" and stat.S_ISREG(os.fstat(args[0]).st_mode):
        os.ftruncate(args[0], max(0, os.fstat(args[0]).st_size - 17))
    _kill(os.getpid())


def kill_launcher(_: Disk, __: str, ___: tuple[Any, ...]) -> None:
    _kill(_launcher())


def kill_both(_: Disk, __: str, ___: tuple[Any, ...]) -> None:
    _kill(_launcher())
    _kill(os.getpid())


def terminate(_: Disk, __: str, ___: tuple[Any, ...]) -> None:
    _kill(_launcher(), signal.SIGTERM)


def interrupt(_: Disk, __: str, ___: tuple[Any, ...]) -> None:
    """Ctrl-C on a terminal reaches the whole process group."""
    os.killpg(os.getpgid(_launcher()), signal.SIGINT)


def cut_power(disk: Disk, _: str, __: tuple[Any, ...]) -> None:
    _kill(_launcher())
    disk.undo()
    _kill(os.getpid())


def fill_disk(disk: Disk, _: str, __: tuple[Any, ...]) -> None:
    with open(disk.root.parent / BALLAST, "wb", buffering=0) as file:
        size = 2**16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def kill_wandb(_: Disk, __: str, ___: tuple[Any, ...]) -> None:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            program = (folder / "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        if parent == os.getpid() and program.endswith(b"wandb-core"):
            _kill(int(folder.name))


FAULTS: dict[str, Callable[[Disk, str, tuple[Any, ...]], None]] = {
    "job killed": kill_job,
    "job killed in a write": tear_and_kill_job,
    "launcher killed": kill_launcher,
    "both killed": kill_both,
    "SIGTERM": terminate,
    "Ctrl-C": interrupt,
    "power cut": cut_power,
    "disk full": fill_disk,
    "wandb-core killed": kill_wandb,
}


def leave_out(safeguard: str) -> None:
    """Break the product on purpose: the trial must tell it."""
    import contextlib

    from degradation import files, resumption
    from degradation.records import manifest, store

    if safeguard == "checksum":
        files.unseal = resumption.unseal = lambda sealed: sealed.partition(b"\n")[2]
        manifest.fingerprint = store.fingerprint = resumption.fingerprint = lambda content: {
            "bytes": len(content),
            "sha256": "",
        }
    elif safeguard == "lock":
        store.hold = lambda path, timeout: contextlib.nullcontext(path.touch())
    elif safeguard == "torn rows":
        files.decode_row = store.decode_row = json.loads


def install() -> None:
    told = json.loads(os.environ["FAULTS"])
    strikes = {run: (fault, number) for run, (fault, number) in told["strikes"].items()}
    Disk(Path(told["root"]), strikes, covers=told["broken"] != "fsync").install()
    if told["broken"]:
        leave_out(told["broken"])


if "FAULTS" in os.environ:
    install()
