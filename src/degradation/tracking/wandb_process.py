"""Keep wandb and its process wandb-core from blocking, changing or outliving this process.

Every call into wandb has a time limit, and all its exceptions become WandbError. Its temporary
files are kept in a folder that is removed when the session ends; wandb-core ends then, too.
"""

import importlib
import logging
import multiprocessing.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
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
Result = TypeVar("Result")

# Extra seconds beyond wandb's own timeout before wandb-core is killed, which ends the call.
GRACE_S = 5.0
# `is_held` in another process takes the lock for an instant.
LOCK_TIMEOUT_S = 1.0
# A process locks its scratch folder long before the folder has this age.
LOCKED_AFTER_S = 60.0
# wandb prints this when it gives up because of the server's response.
REJECTION_MESSAGE = "Fatal error while uploading data"
# wandb neither reports its errors to its makers nor prints which settings files it reads.
QUIET_ENVIRONMENT = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
# Without these, wandb would fill folders in the user's home that nothing removes.
CACHE_VARIABLES = ("WANDB_CACHE_DIR", "WANDB_DATA_DIR")


# How wandb describes a server that was not reached or did not answer. For a refusal, it only passes
# on what the server says, in most cases without the HTTP status.
NO_ANSWER = re.compile(
    "timed out|deadline exceeded|giving up|did not respond|connection (refused|reset)|no route"
    "|no such host|x509|tls:|proxyconnect|EOF",
    re.IGNORECASE,
)
CORRECTION = "correct tracking.project, tracking.entity or the key"


class WandbError(UserError):
    """A failure of wandb or of its server, in one line."""


class WandbRefusal(WandbError):
    """A refusal by wandb or its server that repeating the same call will not change."""


class WandbProcess:
    """A running wandb, with its process wandb-core.

    Attributes:
        scratch: the folder of temporary files.
        timeout_s: how long wandb itself waits in one call, in seconds.
        upload_rejected: whether the server has rejected an upload.
    """

    def __init__(self, scratch: Path, timeout_s: float) -> None:
        self.scratch = scratch
        self.timeout_s = timeout_s
        self.upload_rejected = False
        self.core: subprocess.Popen[Any] | None = None

    def call(self, function: Callable[[], Result]) -> Result:
        """Return the function's result.

        Raises:
            WandbRefusal: wandb or its server refuses what is sent.
            WandbError: it fails in another way, or takes too long.
        """
        exit_function, exception_hook = sys.exit, sys.excepthook
        timer = threading.Timer(self.timeout_s + GRACE_S, self._kill_core)
        timer.daemon = True
        timer.start()
        try:
            with _temporary_files_in(self.scratch):
                return function()
        except (KeyboardInterrupt, Interrupted):
            raise
        # wandb calls sys.exit, and cancels calls that wait for wandb-core: neither is an Exception.
        except BaseException as error:
            error_type = WandbRefusal if _is_refusal(error) else WandbError
            raise error_type(describe_error(error)) from None
        finally:
            timer.cancel()
            # wandb replaces both, and would otherwise decide how this process ends.
            sys.exit, sys.excepthook = exit_function, exception_hook
            self.core = self.core or _find_core()

    def restart(self) -> None:
        """Start a new wandb-core: after a failure, the old one rejects that run's id.

        Raises WandbError.
        """
        self.close()
        self.open()

    def open(self) -> None:
        """Start wandb. Raises WandbError."""
        self.call(self._set_up)

    def _set_up(self) -> None:
        import wandb

        # The mode of each run is passed to wandb.init; WANDB_MODE must not decide instead.
        settings = wandb.Settings(silent=True, mode="online", x_service_wait=self.timeout_s)
        wandb.setup(settings)
        wandb.termsetup(settings, self)

    def close(self) -> None:
        """Stop wandb and end wandb-core."""
        core = self.core or _find_core()
        try:
            self.call(_tear_down)
        except WandbError as error:
            log.debug("wandb could not be closed: %s", error)
        if core is not None:
            _end(core)
        self.core = None

    def _kill_core(self) -> None:
        core = self.core or _find_core()
        if core is not None:
            core.kill()

    # `wandb.termsetup` makes wandb print through these three methods.

    def info(self, message: str) -> None:
        log.debug("%s", message)

    def warning(self, message: str) -> None:
        self.upload_rejected = self.upload_rejected or REJECTION_MESSAGE in message
        log.debug("%s", message)

    error = warning


@contextmanager
def wandb_session(scratch: Path, timeout_s: float) -> Iterator[WandbProcess]:
    """Start wandb, and end it on exit.

    Args:
        scratch: a folder for temporary files that exists only during the session. Folders that
            killed processes left beside it are removed.
        timeout_s: how long wandb itself waits in one call, in seconds.

    Raises:
        WandbError: wandb cannot be imported or started.
        LockTimeout: another process uses the scratch folder.
        OSError: the scratch folder cannot be created.
    """
    _remove_stale(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        stack.enter_context(hold(scratch / LOCK_FILE, LOCK_TIMEOUT_S))
        for name in CACHE_VARIABLES:
            if name not in os.environ:
                os.environ[name] = str(scratch)
                stack.callback(os.environ.pop, name, None)
        import_wandb()
        process = WandbProcess(scratch, timeout_s)
        stack.callback(process.close)
        process.open()
        yield process


def _remove_stale(scratch: Path) -> None:
    """Remove the scratch folders that no process holds, except new ones of other processes."""
    for folder in (scratch, *scratch.parent.glob(f"{TEMPORARY}*")):
        if folder != scratch and _is_new(folder):
            continue
        if not is_held(folder / LOCK_FILE):
            shutil.rmtree(folder, ignore_errors=True)


def _is_new(folder: Path) -> bool:
    """Return whether the process that created a folder may not have locked it yet."""
    try:
        return time.time() - folder.stat().st_mtime < LOCKED_AFTER_S
    except OSError:  # removed meanwhile
        return True


def _tear_down() -> None:
    import wandb

    wandb.teardown(exit_code=1)  # marks a run that was never finished as failed


def _find_core() -> "subprocess.Popen[Any] | None":
    """Return wandb-core if this process has started it. wandb has no public API for this."""
    setup = sys.modules.get("wandb.sdk.wandb_setup")
    connection = getattr(getattr(setup, "_singleton", None), "_connection", None)
    return getattr(getattr(connection, "_proc", None), "_process", None)


def _end(core: "subprocess.Popen[Any]") -> None:
    """Wait for wandb-core, kill it if necessary, and remove the folder of its socket."""
    try:
        core.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        core.kill()
        core.wait()
    for folder in Path(tempfile.gettempdir()).glob(f"wandb-{os.getpid()}-{core.pid}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def import_wandb() -> None:
    """Import wandb so that it prints nothing and its temporary folders are removed.

    It creates them at import. Pool jobs exit without running atexit handlers, so wandb would not
    remove them.

    Raises WandbError.
    """
    os.environ.update(QUIET_ENVIRONMENT)
    if "wandb" not in sys.modules:
        folder = tempfile.mkdtemp(prefix="wandb-")
        multiprocessing.util.Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=0)
        try:
            with _temporary_files_in(Path(folder)):
                importlib.import_module("wandb")
        except Exception as error:  # an incomplete installation may raise anything
            reason = describe_error(f"{type(error).__name__}: {error}")
            raise WandbError(f"wandb cannot be imported ({reason})") from None


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Make the tempfile module use this folder."""
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _is_refusal(error: BaseException) -> bool:
    from wandb.errors import AuthenticationError, CommError, UsageError

    if isinstance(error, UsageError | AuthenticationError):
        return True
    return isinstance(error, CommError) and NO_ANSWER.search(str(error)) is None


def describe_error(error: object) -> str:
    """Return an error's message, which may come from the server, as one escaped line.

    That is its first line, except for an invalid setting: there, the first line only counts the
    errors, the next ones name a setting and its problem, and what follows quotes its value.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if "validation error" not in lines[0]:
        return escape(lines[0].rstrip("."))
    parts = []
    for line in lines[1:]:
        part, end, _ = line.partition("[type=")
        parts.append(part.strip())
        if end:
            break
    return escape(": ".join(parts))
