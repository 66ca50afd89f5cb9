"""A job under SLURM: what submitit pickles, sends to the node and calls."""

import os
import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import Any

REQUEUE_TIMEOUT_S = 60  # of scontrol, which waits for SLURM to end this job


class Resumable:
    """Calls a function that saves its state at SIGTERM, and is called again to resume.

    Near its time limit, the job is stopped by SIGTERM and requeued. submitit's own handler would
    raise SystemExit in the middle of an iteration; here the run reaches the iteration's end. A run
    may exceed the time limit any number of times, since the limit is the job's.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.is_out_of_time = False

    def __call__(self) -> Any:
        """Call the function; requeue the job instead of failing if its time is up."""
        from submitit.core.job_environment import JobEnvironment

        signal.signal(JobEnvironment._usr_sig(), self._end_in_time)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit ignores it; the run sets its own
        try:
            return self.function()
        except BaseException:
            if not self.is_out_of_time:
                raise
            # an id such as 7_0: SLURM_JOB_ID of an array's last job is that of the whole array
            number = JobEnvironment().job_id
            print(
                f"job {number} reaches its time limit; it is requeued and resumes from its"
                " checkpoint",
                flush=True,
            )
            subprocess.run(["scontrol", "requeue", number], check=True, timeout=REQUEUE_TIMEOUT_S)
            # no result is written: the attempt that finishes the run writes it
            raise SystemExit(0) from None

    def _end_in_time(self, _signum: int, _frame: FrameType | None) -> None:
        """Stop the run before SLURM's time limit does."""
        self.is_out_of_time = True
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise SystemExit(0)  # the run has not begun, or has ended: there is nothing to save
        os.kill(os.getpid(), signal.SIGTERM)
