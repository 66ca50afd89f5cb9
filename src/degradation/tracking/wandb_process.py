"""wandb and its process wandb-core, held so that neither holds up, changes or outlives who uses them.

Every call into wandb is bounded, its exceptions become one, its temporary files lie in a folder that goes with the
session, and wandb-core ends with it.
"""

import importlib
import logging
import multiprocessing.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from degradation.config.errors import escape
from degradation.durable_io import TEMPORARY
from degradation.errors import UserError
from degradation.records.locks import hold, is_held
from degradation.records.schema import LOCK_FILE
from degradation.signals import Interrupted

log = logging.getLogger(__name__)
Returned = TypeVar("Returned")

GRACE = 5.0  # seconds after wandb's own time limits; then wandb-core is ended, and the call with it
REFUSED = (
    "Fatal error while uploading data"  # wandb's words for an answer that it will not ask for again
)
CACHES = (
    "WANDB_CACHE_DIR",
    "WANDB_DATA_DIR",
)  # what is put there in the home folder stays for ever


class WandbError(UserError):
    """What wandb failed at, in one line."""


class WandbProcess:
    """wandb for a while. `patience`: how many seconds a call may take."""

    def __init__(self, scratch: Path, patience: float) -> None:
        self.scratch, self.patience = scratch, patience
        self.refused = False  # did the server refuse what it was sent?
        self.core: subprocess.Popen[Any] | None = None

    def call(self, function: Callable[[], Returned]) -> Returned:
        """What the function returns. Raises WandbError, also where it takes too long."""
        hooks = sys.exit, sys.excepthook
        watch = threading.Timer(self.patience + GRACE, self._end_core)
        watch.daemon = True
        watch.start()
        try:
            with _temporary_files_in(self.scratch):
                return function()
        except (KeyboardInterrupt, Interrupted):
            raise
        except (
            BaseException
        ) as error:  # wandb's sys.exit, and what is cancelled with wandb-core, are no Exceptions
            raise WandbError(_one_line(error)) from None
        finally:
            watch.cancel()
            sys.exit, sys.excepthook = (
                hooks  # wandb puts its own there, which would have a say in how a process ends
            )
            self.core = self.core or _core()

    def restart(self) -> None:
        """A new wandb-core: for the old one a run id that it has failed at is in use for ever. Raises WandbError."""
        self.close()
        self.open()

    def open(self) -> None:
        """Raises WandbError."""
        self.call(self._set_up)

    def _set_up(self) -> None:
        import wandb

        settings = wandb.Settings(silent=True, x_service_wait=self.patience)
        wandb.setup(settings)
        wandb.termsetup(settings, self)

    def close(self) -> None:
        """wandb-core is over after this."""
        core = self.core or _core()
        try:
            self.call(_tear_down)
        except WandbError as error:
            log.debug("wandb was not torn down: %s", error)
        if core is not None:
            _end(core)
        self.core = None

    def _end_core(self) -> None:
        core = self.core or _core()
        if core is not None:
            core.kill()

    # what wandb would print; asked for by `wandb.termsetup`

    def info(self, message: str) -> None:
        log.debug("%s", message)

    def warning(self, message: str) -> None:
        self.refused = self.refused or REFUSED in message
        log.debug("%s", message)

    error = warning


@contextmanager
def session(scratch: Path, patience: float) -> Iterator[WandbProcess]:
    """`scratch`: a folder that exists only as long as the session. Raises OSError, WandbError, Held."""
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    for stale in (scratch, *scratch.parent.glob(f"{TEMPORARY}*")):
        if not is_held(stale / LOCK_FILE):  # of a process that was killed
            shutil.rmtree(stale, ignore_errors=True)
    scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        stack.enter_context(hold(scratch / LOCK_FILE, 0.0))
        held = WandbProcess(scratch, patience)
        stack.callback(held.close)
        ours = [name for name in CACHES if name not in os.environ]
        os.environ.update(dict.fromkeys(ours, str(scratch)))
        for name in ours:
            stack.callback(os.environ.pop, name, None)
        _import_wandb()
        held.open()
        yield held


def _tear_down() -> None:
    import wandb

    wandb.teardown(exit_code=1)  # of a run that has not been finished: the mirroring of it failed


def _core() -> "subprocess.Popen[Any] | None":
    """wandb-core where this process has started one. wandb has no public name for it."""
    setup = sys.modules.get("wandb.sdk.wandb_setup")
    connection = getattr(getattr(setup, "_singleton", None), "_connection", None)
    return getattr(getattr(connection, "_proc", None), "_process", None)


def _end(core: "subprocess.Popen[Any]") -> None:
    """wandb-core is over after this, and so is the folder of its socket, which one that was killed leaves behind."""
    try:
        core.wait(GRACE)
    except subprocess.TimeoutExpired:
        core.kill()
        core.wait()
    for folder in Path(tempfile.gettempdir()).glob(f"wandb-{os.getpid()}-{core.pid}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _import_wandb() -> None:
    """Importing wandb makes temporary folders, which a job of a pool would leave: it ends without atexit."""
    if "wandb" not in sys.modules:
        folder = tempfile.mkdtemp(prefix="wandb-")
        multiprocessing.util.Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=0)
        with _temporary_files_in(Path(folder)):
            importlib.import_module("wandb")


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _one_line(error: BaseException) -> str:
    """What it says, be it the server's words."""
    told = str(error).strip() or type(error).__name__
    return escape(told.splitlines()[0])
