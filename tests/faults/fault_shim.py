"""Strikes a training process at a chosen call by which it reaches the disk.

Preloaded by the pool's fork server of a faulted sweep (`hydra.launcher.preload`), told by FAULTS in the environment:
{"root": record root, "strikes": {run id: [fault, number of the call]}, "broken": a safeguard to leave out, or null}.
The product knows nothing of it.
"""

import errno
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).parent)
)  # tests/robustness/test_kill.py loads this file by its path
from watched_disk import Call, WatchedDisk

STRUCK = "struck"  # the runs that have been struck, a line each
BALLAST = "ballast"  # fills the file system that the record root is on
RELEASED = "released-"  # and a run's id: it is held no more
HELD_SECONDS = 20.0  # at most


class Disk(WatchedDisk):
    """Counts a process's calls run by run, and strikes at the call that each run is to be struck at."""

    def __init__(
        self, root: Path, strikes: dict[str, tuple[str, int]], covers: bool = True
    ) -> None:
        super().__init__(root, covers)
        self.strikes = strikes
        self.count: Counter[str] = Counter()
        self.error: int | None = None  # what every call of a struck run fails with

    def before(self, call: Call) -> None:
        run = self.run_of(call)
        fault, number = self.strikes.get(run, ("", 0))
        if COUNTED.get(fault, changes_the_disk)(self, call):
            self.count[run] += 1
            if self.count[run] == number:
                with open(self.root.parent / STRUCK, "a") as file:
                    file.write(f"{run}\n")
                FAULTS[fault](self, call)
        if self.error is not None and run in self.strikes:
            raise OSError(self.error, os.strerror(self.error), str(call[1]))

    def run_of(self, call: Call) -> str:
        return next(iter(call[1].relative_to(self.root).parts), "")


# --- which calls a fault counts


def changes_the_disk(_: Disk, call: Call) -> bool:
    return call[0] in ("fsync", "replace", "unlink")


def is_any(_: Disk, __: Call) -> bool:
    return True


def ends_a_write(disk: Disk, call: Call) -> bool:
    """Something is in the file that no fsync has covered yet."""
    name, path, _ = call
    if name != "fsync" or not path.is_file():
        return False
    status = path.stat()
    return status.st_size > disk.durable.get(status.st_ino, 0)


def has_wandb_core(disk: Disk, call: Call) -> bool:
    return changes_the_disk(disk, call) and bool(_cores())


def _cores() -> list[int]:
    """The wandb-core processes of this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            program = (folder / "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        if parent == os.getpid() and program.endswith(b"wandb-core"):
            found.append(int(folder.name))
    return found


# --- the faults; each gets the call before which it comes


def kill_job(_: Disk, __: Call) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tear_and_kill_job(disk: Disk, call: Call) -> None:
    """Half of what is being written is there."""
    if ends_a_write(disk, call):
        status = os.fstat(call[2][0])
        before = disk.durable.get(status.st_ino, 0)
        os.ftruncate(call[2][0], before + (status.st_size - before) // 2)
    kill_job(disk, call)


def signal_launcher(_: Disk, __: Call, signum: int = signal.SIGKILL) -> None:
    """Where there is one: a process that no launcher has started is on its own."""
    if (launcher := multiprocessing.parent_process()) is not None:
        os.kill(launcher.pid or 0, signum)


def kill_both(disk: Disk, call: Call) -> None:
    signal_launcher(disk, call)
    kill_job(disk, call)


def interrupt(_: Disk, __: Call) -> None:
    """Ctrl-C on a terminal reaches the whole process group."""
    if (launcher := multiprocessing.parent_process()) is not None:
        os.killpg(os.getpgid(launcher.pid or 0), signal.SIGINT)


def cut_power(disk: Disk, call: Call, **lost: bool) -> None:
    signal_launcher(disk, call)
    disk.undo(**lost)
    kill_job(disk, call)


def fill_disk(disk: Disk, _: Call) -> None:
    with open(disk.root.parent / BALLAST, "wb", buffering=0) as file:
        size = 2**16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def fail(disk: Disk, call: Call, error: int, for_ever: bool) -> None:
    """A write that fails has written half."""
    name, path, args = call
    if name == "write":
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, args[0][: len(args[0]) // 2])
        os.close(descriptor)
    disk.error = error if for_ever else None
    raise OSError(error, os.strerror(error), str(path))


def hold(disk: Disk, call: Call) -> None:
    """Until another process is known to be at the same run."""
    released = disk.root.parent / f"{RELEASED}{disk.run_of(call)}"
    deadline = time.monotonic() + HELD_SECONDS
    while not released.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def kill_wandb(_: Disk, __: Call) -> None:
    for pid in _cores():
        os.kill(pid, signal.SIGKILL)


ERRORS = {
    f"{errno.errorcode[error]}{' from then on' if for_ever else ''}": (error, for_ever)
    for for_ever in (False, True)
    for error in (errno.EIO, errno.ENOSPC, errno.EACCES)
}
# the disk may have written some of it all the same, in any order
POWER_CUTS = {
    "power cut": {},
    "power cut, rows lost": {"files": False},
    "power cut, files lost": {"rows": False},
}
FAULTS: dict[str, Callable[[Disk, Call], None]] = {
    "job killed": kill_job,
    "job killed in a write": tear_and_kill_job,
    "launcher killed": signal_launcher,
    "both killed": kill_both,
    "SIGTERM": partial(signal_launcher, signum=signal.SIGTERM),
    "Ctrl-C": interrupt,
    **{fault: partial(cut_power, **lost) for fault, lost in POWER_CUTS.items()},
    "disk full": fill_disk,
    **{
        fault: partial(fail, error=error, for_ever=for_ever)
        for fault, (error, for_ever) in ERRORS.items()
    },
    "held": hold,
    "wandb-core killed": kill_wandb,
}
COUNTED: dict[str, Callable[[Disk, Call], bool]] = {  # else `changes_the_disk`
    "job killed in a write": ends_a_write,
    "wandb-core killed": has_wandb_core,
    **dict.fromkeys(ERRORS, is_any),
}


def install() -> None:
    told = json.loads(os.environ["FAULTS"])
    strikes = {run: (fault, number) for run, (fault, number) in told["strikes"].items()}
    Disk(Path(told["root"]), strikes, covers=told["broken"] != "fsync").install()
    if told["broken"]:
        from safeguards import leave_out

        leave_out(told["broken"])


if "FAULTS" in os.environ:
    install()
