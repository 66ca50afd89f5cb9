"""How every command begins and ends: what a user can mend is one line on stderr, and only a bug has a traceback."""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from types import TracebackType
from typing import Any, NoReturn, TextIO, cast

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from degradation.config import check_overrides
from degradation.config.errors import ConfigError, escape
from degradation.config.hydra_errors import format_hydra_error
from degradation.errors import UserError

FULL_ERROR = "HYDRA_FULL_ERROR"  # 1: a user wants tracebacks
HYDRAS = (
    "hydra",
    "omegaconf",
    "antlr4",
    "yaml",
)  # packages in which what fails was given by the user
PREAMBLE = (
    "Error executing job with overrides: "  # Hydra writes it before it raises what a job has raised
)


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command line by a ConfigError, and not by its usage."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; --help shows what is allowed")


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a script and end its process: 0, 1 after a line on stderr, 130 after Ctrl-C; a bug is raised."""
    with_traceback = os.environ.get(FULL_ERROR) == "1"
    try:
        status = main() or 0
    except KeyboardInterrupt:
        status = 130
    except Exception as error:
        if with_traceback or not is_user_error(error):
            raise
        if not _is_of_the_pool(error):
            print(format_error(error), file=sys.stderr)
        status = 1
    sys.exit(status)


def run_hydra_script(main: Callable[[], Any], config_name: str) -> NoReturn:
    """As `run_script`, for a function that hydra.main has decorated."""

    def started() -> None:
        given = Parser(parents=[get_args_parser()], add_help=False).parse_args()
        if given.experimental_rerun is not None:
            raise ConfigError(
                "--experimental-rerun: is not allowed, since it executes what is in a file"
            )
        if not given.shell_completion:
            check_overrides(given.overrides)
        if os.environ.get(FULL_ERROR) == "1":
            main()
            return
        os.environ[FULL_ERROR] = "1"  # Hydra then raises what it would print in lines of its own
        warnings.filterwarnings(
            "error", "provider=.* is not available", UserWarning
        )  # a search path
        began = time.time_ns()
        try:
            with redirect_stderr(cast(TextIO, _WithoutPreamble(sys.stderr))):
                main()
        except (UserError, HydraException, OmegaConfBaseException) as error:
            if not _is_of_the_pool(error):
                _take_back(config_name, given.overrides, began)
            raise

    run_script(started)


def is_user_error(error: Exception) -> bool:
    """Is it something that a user can mend, and no bug?"""
    kinds = (UserError, HydraException, OmegaConfBaseException, OSError)
    return isinstance(error, kinds) or _raised_in(error.__traceback__) in HYDRAS


def format_error(error: Exception) -> str:
    """What is told of it: the key or the file first."""
    if type(error).__module__.partition(".")[0] in HYDRAS and isinstance(
        error, HydraException | OmegaConfBaseException
    ):
        return format_hydra_error(error)
    told = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        told = f"{error.filename}: {error.strerror}"
    elif not isinstance(error, HydraException) and _raised_in(error.__traceback__) in HYDRAS:
        null = "; allowed: keys of parts that are not null" if "NoneType" in told else ""
        told = f"{' '.join(sys.argv[1:])}: {told.splitlines()[0]}{null}"
    return escape(told)


def _raised_in(trace: TracebackType | None) -> str:
    """The package whose code has raised, be it by a call of Python's own library."""
    package = ""
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        package = package if name in sys.stdlib_module_names else name
        trace = trace.tb_next
    return package


def _is_of_the_pool(error: Exception) -> bool:
    """Has the pool told it already, as one of the failed runs of a sweep?"""
    launcher = sys.modules.get("hydra_plugins.sweep_launcher")
    return launcher is not None and isinstance(error, launcher.JobFailed)


class _WithoutPreamble:
    """stderr, but for the line that Hydra puts before an error that it then raises."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith(PREAMBLE) else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _take_back(config_name: str, overrides: Sequence[str], began: int) -> None:
    """Remove the description of a sweep that Hydra writes before it looks at the sweep's values."""
    from degradation.sweep.expand import sweep_folder

    try:
        folder = sweep_folder(overrides, config_name)
        written = folder / "multirun.yaml"
        if written.stat().st_mtime_ns >= began:
            written.unlink()
            for made in (folder,) if folder.is_absolute() else (folder, *folder.parents):
                made.rmdir()  # an empty one: any other stops this
    except (HydraException, OmegaConfBaseException, OSError):
        return
