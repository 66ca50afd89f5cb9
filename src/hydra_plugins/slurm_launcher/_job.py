"""A job under SLURM: the object that submitit pickles, sends to the node and calls."""

import os
import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import Any

REQUEUE_TIMEOUT_S = 60  # time limit for scontrol, which waits until SLURM has ended this job


class Resumable:
    """Calls a function that saves its state on SIGTERM, and resumes when it is called again.

    Near its time limit, the job gets SIGTERM and is requeued. submitit's own handler would raise
    SystemExit in the middle of an iteration; here the run first completes the iteration. A run may
    need any number of time limits, since each limit is that of one attempt.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.is_out_of_time = False

    def __call__(self) -> Any:
        """Call the function; requeue the job instead of failing if its time is up."""
        from submitit.core.job_environment import JobEnvironment

        signal.signal(JobEnvironment._usr_sig(), self._stop_before_limit)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit ignores it; the run sets its own
        try:
            return self.function()
        except BaseException:
            if not self.is_out_of_time:
                raise
            # an id such as 7_0: SLURM_JOB_ID of an array's last job is that of the whole array
            number = JobEnvironment().job_id
            print(
                f"job {number} has reached its time limit; it is requeued and resumes from its"
                " checkpoint",
                flush=True,
            )
            subprocess.run(["scontrol", "requeue", number], check=True, timeout=REQUEUE_TIMEOUT_S)
            # no result is written: the attempt that finishes the run writes it
            raise SystemExit(0) from None

    def _stop_before_limit(self, _signum: int, _frame: FrameType | None) -> None:
        """Stop the run before SLURM kills it at the time limit."""
        self.is_out_of_time = True
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise SystemExit(0)  # the run has not begun, or has ended: there is nothing to save
        os.kill(os.getpid(), signal.SIGTERM)
