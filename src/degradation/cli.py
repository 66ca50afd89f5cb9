"""The start and end of every script: a user error is one line on stderr, a bug is a traceback."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from degradation.config import check_overrides, quote_text, split_experiments
from degradation.config.error_messages import format_hydra_error
from degradation.config.errors import ConfigError, escape, quote
from degradation.environment import check_code_folder
from degradation.errors import UserError
from degradation.socket_paths import shorten_socket_paths

FULL_ERROR = "HYDRA_FULL_ERROR"  # 1: print the tracebacks of user errors too
RUNS_FAILED_STATUS = 3  # exit status of a sweep that ended, with failed runs
HYDRA_ERRORS = (HydraException, OmegaConfBaseException)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises ConfigError instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        subject, _, problem = message.removeprefix("argument ").partition(": ")
        if subject == "unrecognized arguments":
            subject, problem = problem, "not recognised"
            if not subject.startswith("-"):
                raise ConfigError(
                    f"{subject}: an option separates this from the other overrides; put options"
                    " such as --cfg job at the end"
                )
        text = f"{subject}: {problem}" if problem else subject
        raise ConfigError(f"{text}; --help shows what is allowed")


def add_overrides(parser: argparse.ArgumentParser, note: str = "") -> None:
    """Add the arguments that select runs, which are those of train.py.

    Args:
        note: the end of the help text, such as which keys the script reads
    """
    parser.add_argument(
        "overrides",
        nargs="*",
        help=f"as for train.py: experiment=NAME, key=value, key=value1,value2{note}",
    )
    parser.add_argument(
        "-m",
        "--multirun",
        action="store_true",
        help="accepted and ignored, so that the arguments of train.py can be reused",
    )


class _JobError(BaseException):
    """Wraps a single run's error, so that Hydra does not catch it and print its own line."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's `main` and exit the process; a bug is raised.

    The exit status is the one that `main` returns (None: 0); 1 after a user error, which is
    printed on stderr; RUNS_FAILED_STATUS after a sweep that ended, but whose runs did not all
    succeed; and 130 after Ctrl-C.
    """
    prints_tracebacks = os.environ.get(FULL_ERROR) == "1"
    shorten_socket_paths()
    try:
        check_code_folder(getattr(sys.modules["__main__"], "__file__", None))
        status = main() or 0
    except KeyboardInterrupt:
        status = 130
    except (Exception, _JobError) as raised:
        error = raised.error if isinstance(raised, _JobError) else raised
        if _is_reported(error):
            sys.exit(RUNS_FAILED_STATUS)
        if prints_tracebacks or not is_user_error(error):
            raise error from error.__cause__
        print(format_error(error), file=sys.stderr)
        status = 1
    sys.exit(status)


def run_hydra_script(main: Callable[[], Any], config_name: str) -> NoReturn:
    """Run a script whose `main` is decorated by `hydra.main` and `hydra_job`; see `run_script`.

    Several experiments are run one after the other; runs that fail do not stop the next one.
    """

    def run() -> None:
        arguments = Parser(parents=[get_args_parser()], add_help=False).parse_args()
        typed = arguments.overrides
        command_lines = [typed] if arguments.shell_completion else split_experiments(typed)
        sweep_folders = []
        for overrides in command_lines:
            arguments.overrides = overrides
            sweep_folders.append(_check_arguments(arguments, config_name))
        os.environ[FULL_ERROR] = "1"  # Hydra raises errors instead of printing them its own way
        argv, failures = sys.argv, []
        for overrides, sweep_folder in zip(command_lines, sweep_folders, strict=True):
            if not arguments.shell_completion:
                replacements = dict(zip(typed, quote_text(overrides), strict=True))
                sys.argv = [replacements.get(argument, argument) for argument in argv]
            if len(command_lines) > 1:
                print(_describe_difference(typed, overrides), file=sys.stderr, flush=True)
            try:
                _run_command_line(main, sweep_folder)
            except HydraException as error:
                if not _is_reported(error):
                    raise
                failures.append(error)
        if failures:
            raise failures[0]

    run_script(run)


def _describe_difference(typed: list[str], overrides: list[str]) -> str:
    """Return the override that replaces the typed one: a single experiment of several."""
    pairs = zip(typed, overrides, strict=True)
    return " ".join(override for original, override in pairs if override != original)


def _run_command_line(main: Callable[[], Any], sweep_folder: Path | None) -> None:
    """Run a script's `main`; a sweep that is refused leaves no multirun.yaml."""
    start_ns = time.time_ns()
    try:
        main()
    except (UserError, *HYDRA_ERRORS) as error:
        if sweep_folder is not None and not _is_reported(error):
            _remove_multirun_file(sweep_folder, start_ns)
        raise


def hydra_job(job: Callable[[DictConfig], str]) -> Callable[[DictConfig], str]:
    """Decorate the function that `hydra.main` calls, so that a single run's errors bypass Hydra.

    In a sweep, the launcher reports the errors of each job.
    """

    @wraps(job)
    def run(cfg: DictConfig) -> str:
        try:
            return job(cfg)
        except Exception as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN:
                raise
            raise _JobError(error) from error

    return run


def is_user_error(error: Exception) -> bool:
    """Return whether a user can fix the error; any other error is a bug."""
    return isinstance(error, (UserError, OSError, *HYDRA_ERRORS))


def format_error(error: Exception) -> str:
    """Return an error as one line that begins with the key or the file."""
    if isinstance(error, HYDRA_ERRORS):
        return format_hydra_error(error)
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    return escape(message)


def _is_reported(error: Exception) -> bool:
    """Return whether the launcher has printed the error; its traceback is in the job's log."""
    return getattr(error, "is_reported", False)


def _check_arguments(arguments: argparse.Namespace, config_name: str) -> Path | None:
    """Refuse a command line that Hydra would answer with a traceback.

    Returns the folder of a sweep's logs, or None for a single run. Raises ConfigError.
    """
    if arguments.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun: is not allowed, since it executes a file")
    actions = ("run", "multirun", "cfg", "info", "shell_completion")
    requested = [name for name in actions if getattr(arguments, name)]
    if len(requested) > 1:
        names = " --".join(requested)
        raise ConfigError(f"--{names}: are not allowed together; allowed: one of them")
    if arguments.resolve and not arguments.cfg:
        raise ConfigError("--resolve: is not allowed; allowed: only with --cfg")
    if arguments.config_dir and not Path(arguments.config_dir).is_dir():
        folder = quote(arguments.config_dir)
        raise ConfigError(f"--config-dir: {folder} does not exist; allowed: an existing folder")
    if arguments.shell_completion:
        return None
    has_own_folder = arguments.config_dir or arguments.config_path
    if has_own_folder or arguments.config_name not in (None, config_name):
        check_overrides(arguments.overrides)
        return None
    from degradation.sweep.expand import check_command_line

    only_prints = arguments.cfg or arguments.info or arguments.help or arguments.hydra_help
    return check_command_line(
        arguments.overrides, config_name, arguments.multirun, starts_jobs=not only_prints
    )


def _remove_multirun_file(sweep_folder: Path, start_ns: int) -> None:
    """Remove the multirun.yaml that Hydra wrote before the launcher refused the sweep."""
    multirun_file = sweep_folder / "multirun.yaml"
    try:
        if multirun_file.stat().st_mtime_ns < start_ns:
            return  # written by an earlier sweep
        multirun_file.unlink()
        if sweep_folder.is_absolute():
            sweep_folder.rmdir()
        else:
            os.removedirs(sweep_folder)
    except OSError:
        return  # nothing was written, or the folder holds more
