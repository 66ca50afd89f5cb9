"""A job as a task of Ray."""

import contextlib
import os
import traceback
from collections.abc import Callable
from typing import Any

from hydra_plugins.sweep_launcher import Result, redirect_output, summarise_error


def run_task(function: Callable[[], Any], folder: str, log: str) -> Result:
    """Call a job's function on a node of the cluster, and return how it ended.

    Args:
        function: the job
        folder: the working folder of the sweep, which all nodes share
        log: the file that the output is appended to
    """
    try:
        os.chdir(folder)
        problem = redirect_output(log)
        if problem is not None:
            # the node does not share the file system, so it could not write the records either
            return Result(error=problem)
        return Result(function())
    except BaseException as error:
        with contextlib.suppress(OSError):  # the log is on a full disk
            traceback.print_exc()
        return Result(error=summarise_error(error))
