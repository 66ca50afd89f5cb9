"""Inject a fault into a training process, before a chosen call that accesses the disk.

The pool's fork server preloads this module (`hydra.launcher.preload`) if a sweep is to have faults.
The environment variable FAULTS says which: {"root": record root, "injections": {run id: [fault,
number of the call]}, "disabled_safeguard": its name, or null}. The project itself is unaware of it.
"""

import errno
import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.support.watched_disk import Call, WatchedDisk

INJECTED = "injected"  # file: the id of each run that was hit, one line per fault
BALLAST = "ballast"  # file that fills the file system of the record root
RELEASED = "released-"  # prefix of the file that releases a held run
HOLD_TIMEOUT_S = 20.0


class FaultyDisk(WatchedDisk):
    """Counts the calls of each run, and injects its fault before the chosen call.

    Attributes:
        injections: for each run id the fault and the number of the call, counted from 1.
        count: how many calls of each run have been counted.
        error: the errno with which every further call of a run that was hit fails, or None if none
            fails.
    """

    def __init__(
        self, root: Path, injections: dict[str, tuple[str, int]], fsync_works: bool = True
    ) -> None:
        super().__init__(root, fsync_works)
        self.injections = injections
        self.count: Counter[str] = Counter()
        self.error: int | None = None

    def before_call(self, call: Call) -> None:
        run = self.find_run(call)
        fault, number = self.injections.get(run, ("", 0))
        is_counted = COUNTED.get(fault, changes_the_disk)
        if is_counted(self, call):
            self.count[run] += 1
            if self.count[run] == number:
                with open(self.root.parent / INJECTED, "a") as file:
                    file.write(f"{run}\n")
                FAULTS[fault](self, call)
        if self.error is not None and run in self.injections:
            raise OSError(self.error, os.strerror(self.error), str(call[1]))

    def find_run(self, call: Call) -> str:
        """Return the id of the run whose file the call concerns."""
        parts = call[1].relative_to(self.root).parts
        return parts[0] if parts else ""


# --- which calls are counted for a fault


def changes_the_disk(_: FaultyDisk, call: Call) -> bool:
    return call[0] in ("fsync", "replace", "unlink")


def is_any_call(_: FaultyDisk, __: Call) -> bool:
    return True


def ends_a_write(disk: FaultyDisk, call: Call) -> bool:
    """Return whether the call makes content durable that was not."""
    name, path, _ = call
    if name != "fsync" or not path.is_file():
        return False
    status = path.stat()
    return status.st_size > disk.durable_bytes.get(status.st_ino, 0)


def has_wandb_core(disk: FaultyDisk, call: Call) -> bool:
    return changes_the_disk(disk, call) and bool(_wandb_cores())


def _wandb_cores() -> list[int]:
    """Return the ids of the wandb-core processes that this process has started."""
    cores = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            program = (folder / "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        if parent == os.getpid() and program.endswith(b"wandb-core"):
            cores.append(int(folder.name))
    return cores


# --- the faults; each gets the call before which it is injected


def kill_job(_: FaultyDisk, __: Call) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def truncate_and_kill_job(disk: FaultyDisk, call: Call) -> None:
    """Kill the job when half of what it is writing has reached the disk."""
    if ends_a_write(disk, call):
        status = os.fstat(call[2][0])
        durable = disk.durable_bytes.get(status.st_ino, 0)
        os.ftruncate(call[2][0], durable + (status.st_size - durable) // 2)
    kill_job(disk, call)


def signal_launcher(_: FaultyDisk, __: Call, signum: int = signal.SIGKILL) -> None:
    """Send a signal to the launcher, if one has started this process."""
    launcher = multiprocessing.parent_process()
    if launcher is not None:
        os.kill(launcher.pid or 0, signum)


def kill_both(disk: FaultyDisk, call: Call) -> None:
    signal_launcher(disk, call)
    kill_job(disk, call)


def interrupt(_: FaultyDisk, __: Call) -> None:
    """Interrupt the whole process group, as Ctrl-C on a terminal does."""
    launcher = multiprocessing.parent_process()
    if launcher is not None:
        os.killpg(os.getpgid(launcher.pid or 0), signal.SIGINT)


def cut_power(disk: FaultyDisk, call: Call, **lost: bool) -> None:
    signal_launcher(disk, call)
    disk.undo(**lost)
    kill_job(disk, call)


def fill_disk(disk: FaultyDisk, _: Call) -> None:
    with open(disk.root.parent / BALLAST, "wb", buffering=0) as file:
        size = 2**16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def fail(disk: FaultyDisk, call: Call, error: int, is_permanent: bool) -> None:
    """Fail the call; if it is a write, half of its content is written first."""
    name, path, args = call
    if name == "write":
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, args[0][: len(args[0]) // 2])
        os.close(descriptor)
    disk.error = error if is_permanent else None
    raise OSError(error, os.strerror(error), str(path))


def hold(disk: FaultyDisk, call: Call) -> None:
    """Wait until another process is known to wait for the same run."""
    released = disk.root.parent / f"{RELEASED}{disk.find_run(call)}"
    deadline = time.monotonic() + HOLD_TIMEOUT_S
    while not released.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def kill_wandb(_: FaultyDisk, __: Call) -> None:
    for pid in _wandb_cores():
        os.kill(pid, signal.SIGKILL)


ERRORS = {
    "EIO": (errno.EIO, False),
    "ENOSPC": (errno.ENOSPC, False),
    "EACCES": (errno.EACCES, False),
    "permanent EIO": (errno.EIO, True),
    "permanent ENOSPC": (errno.ENOSPC, True),
    "permanent EACCES": (errno.EACCES, True),
}
# Arguments of `undo`: a disk may have written only part of its cache, in any order.
POWER_CUTS: dict[str, dict[str, bool]] = {
    "power cut": {},
    "power cut, rows lost": {"files": False},
    "power cut, files lost": {"rows": False},
}
FAULTS: dict[str, Callable[[FaultyDisk, Call], None]] = {
    "job killed": kill_job,
    "job killed in a write": truncate_and_kill_job,
    "launcher killed": signal_launcher,
    "both killed": kill_both,
    "SIGTERM": partial(signal_launcher, signum=signal.SIGTERM),
    "Ctrl-C": interrupt,
    "disk full": fill_disk,
    "held": hold,
    "wandb-core killed": kill_wandb,
}
FAULTS |= {fault: partial(cut_power, **lost) for fault, lost in POWER_CUTS.items()}
FAULTS |= {
    fault: partial(fail, error=error, is_permanent=is_permanent)
    for fault, (error, is_permanent) in ERRORS.items()
}
# For all other faults, the calls that change the disk are counted.
COUNTED: dict[str, Callable[[FaultyDisk, Call], bool]] = {
    "job killed in a write": ends_a_write,
    "wandb-core killed": has_wandb_core,
    **dict.fromkeys(ERRORS, is_any_call),
}


def install() -> None:
    """Watch the disk of this process, and inject the faults that the environment requests."""
    settings = json.loads(os.environ["FAULTS"])
    injections = {run: (fault, number) for run, (fault, number) in settings["injections"].items()}
    disabled_safeguard = settings["disabled_safeguard"]
    FaultyDisk(
        Path(settings["root"]), injections, fsync_works=disabled_safeguard != "fsync"
    ).install()
    if disabled_safeguard:
        # Imported here because it imports the project, which takes time that other processes save.
        from tests.support.disabled_safeguards import disable

        disable(disabled_safeguard)


if "FAULTS" in os.environ:
    install()
