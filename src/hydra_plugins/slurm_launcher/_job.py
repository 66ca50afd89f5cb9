"""A job's life under SLURM: what submitit pickles, sends and calls."""

import os
import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import Any

PATIENCE = 60  # seconds for scontrol: SLURM ends the job while it waits


class Resumable:
    """Calls a function that saves its state at SIGTERM. Near the time limit the job is stopped so, and requeued.

    submitit's own handler would raise SystemExit wherever the training just is; so a run reaches the end of its
    iteration. However often that happens, it goes on: the time limit is one of the job and not of the run.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.out_of_time = False

    def __call__(self) -> Any:
        from submitit.core.job_environment import JobEnvironment

        signal.signal(JobEnvironment._usr_sig(), self._ask)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit ignores it; the run sets its own
        try:
            return self.function()
        except BaseException:
            if not self.out_of_time:
                raise
            # 7_0: the SLURM_JOB_ID of an array's last job is the array's own, and would requeue all of its jobs
            number = JobEnvironment().job_id
            print(
                f"job {number} is out of time and requeued; it goes on from its checkpoint",
                flush=True,
            )
            subprocess.run(["scontrol", "requeue", number], check=True, timeout=PATIENCE)
            raise SystemExit(0) from None  # no result: the attempt that ends the run writes it

    def _ask(self, _: int, __: FrameType | None) -> None:
        self.out_of_time = True
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise SystemExit(0)  # the run has not begun, or is over: there is nothing to save
        os.kill(os.getpid(), signal.SIGTERM)
