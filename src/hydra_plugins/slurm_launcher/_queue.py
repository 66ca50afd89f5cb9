"""The state of jobs as squeue reports it; accounting (sacct) is not needed."""

import subprocess
from collections.abc import Iterable

SQUEUE_TIMEOUT_S = 60  # a busy controller is slow
UNKNOWN_JOBS = "Invalid job id"  # squeue's message if it knows none of the jobs any more
END_STATES = (
    "COMPLETED",
    "CANCELLED",
    "FAILED",
    "TIMEOUT",
    "NODE_FAIL",
    "PREEMPTED",
    "OUT_OF_MEMORY",
    "BOOT_FAIL",
)


def list_unfinished(ids: Iterable[str]) -> dict[str, str] | None:
    """Return the states of those jobs that wait or run, by id such as `7_0`.

    None if SLURM does not answer now.
    """
    wanted = set(ids)
    if not wanted:
        return {}
    arrays = ",".join(sorted({job_id.partition("_")[0] for job_id in wanted}))
    command = ["squeue", "--noheader", "--array", "--jobs", arrays, "--format", "%F_%K %T"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=SQUEUE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0 and UNKNOWN_JOBS not in answer.stderr:
        return None
    states = {}
    for line in answer.stdout.splitlines():
        job_id, _, state = line.strip().partition(" ")
        job_id = job_id.removesuffix("_N/A")  # a single job, not an array
        if job_id in wanted and state not in END_STATES:
            states[job_id] = state
    return states
