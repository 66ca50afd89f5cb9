"""Waiting for SLURM jobs, and reporting how each of them ends."""

import re
import time
from collections.abc import Sequence
from typing import Any

from hydra_plugins.slurm_launcher._queue import list_unfinished
from hydra_plugins.sweep_launcher import Display, Job, Result, Stopped

POLL_INTERVAL_S = 2.0
RESULT_DELAY_S = 15.0  # a shared file system may take this long to show a result
EXCEPTION_NAME = re.compile(r"^(\w+\.)+\w+: ")  # at the start of a traceback's last line


class Watch:
    """Polls the jobs of a sweep until all have ended.

    Args:
        jobs: the launcher's jobs
        submitted: submitit's job for each label
        display: where to print and to count
        signals: the signals that have arrived; `record_signals` appends to it
    """

    def __init__(
        self, jobs: Sequence[Job], submitted: dict[str, Any], display: Display, signals: list[int]
    ) -> None:
        self.jobs = jobs
        self.submitted = submitted
        self.display = display
        self.signals = signals
        self.results: dict[str, Result] = {}
        self.missing_since: dict[str, float] = {}  # label: when SLURM first did not list the job

    def wait_for_results(self) -> list[Result]:
        """Return the results in the order of the jobs. Raises Stopped."""
        self.display.running_label = "queued or running"
        self.display.queue_jobs([job.work for job in self.jobs])
        for index, job in enumerate(self.jobs):
            self.display.start_job(index, job.label)
        while True:
            self._poll()
            self.display.draw()
            if self.signals:
                raise Stopped(self.signals[0], "; the submitted jobs continue (scancel stops them)")
            if len(self.results) == len(self.jobs):
                return [self.results[job.label] for job in self.jobs]
            time.sleep(POLL_INTERVAL_S)

    def _poll(self) -> None:
        """Store new results, and print new failures."""
        pending = [
            (index, job) for index, job in enumerate(self.jobs) if job.label not in self.results
        ]
        unfinished = list_unfinished(self.submitted[job.label].job_id for _, job in pending)
        for index, job in pending:
            # without an answer from SLURM, the job may still be pending or running
            job_id = self.submitted[job.label].job_id
            is_unfinished = unfinished is None or job_id in unfinished
            result = self._find_result(job.label, is_unfinished)
            if result is None:
                continue
            self.results[job.label] = result
            self.display.end_job(index, failed=result.error is not None)
            if result.error is not None:
                self.display.print_failure(job.label, result.error, job.log)

    def _find_result(self, label: str, is_unfinished: bool) -> Result | None:
        """Return how a job has ended, or None if it has not."""
        slurm_job = self.submitted[label]
        outcome, value = "", None
        if slurm_job.paths.result_pickle.exists():
            outcome, value = slurm_job._get_outcome_and_result()
        if outcome == "success":
            return Result(value)
        if is_unfinished:  # an error is of an earlier attempt, after which the job was requeued
            self.missing_since.pop(label, None)
            return None
        if outcome:
            last_line = str(value).strip().splitlines()[-1]
            return Result(error=EXCEPTION_NAME.sub("", last_line))
        now = time.monotonic()
        if now - self.missing_since.setdefault(label, now) < RESULT_DELAY_S:
            return None
        return Result(
            error=f"job {slurm_job.job_id} was ended by SLURM or by a signal, without a result"
        )
