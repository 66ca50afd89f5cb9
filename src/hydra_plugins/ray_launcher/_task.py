"""A job's life as a task of Ray."""

import contextlib
import os
import traceback
from collections.abc import Callable
from typing import Any

from hydra_plugins.sweep_launcher import Result, redirect_output


def run_task(function: Callable[[], Any], folder: str, log: str) -> Result:
    """In the folder of the sweep, which all nodes share, with a log of its own."""
    try:
        os.chdir(folder)
        problem = redirect_output(log)
        if (
            problem is not None
        ):  # then the records could not be either: the nodes share no file system
            return Result(error=problem)
        return Result(function())
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log is on a full disk
            traceback.print_exc()
        return Result(error=(str(error) or type(error).__name__).splitlines()[0])
