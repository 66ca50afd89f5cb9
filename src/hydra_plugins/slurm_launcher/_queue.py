"""The state of jobs as squeue reports it; accounting (sacct) is not needed."""

import subprocess
from collections.abc import Iterable

SQUEUE_TIMEOUT_S = 60  # a busy controller answers slowly
UNKNOWN_JOBS = "Invalid job id"  # squeue's message once SLURM has forgotten all of the jobs
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
    """Return the states of the pending and running jobs, by id such as `7_0`.

    None if SLURM does not answer.
    """
    wanted_ids = set(ids)
    if not wanted_ids:
        return {}
    arrays = ",".join(sorted({job_id.partition("_")[0] for job_id in wanted_ids}))
    command = ["squeue", "--noheader", "--array", "--jobs", arrays, "--format", "%F_%K %T"]
    try:
        completed = subprocess.run(
            command, capture_output=True, text=True, timeout=SQUEUE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if completed.returncode != 0 and UNKNOWN_JOBS not in completed.stderr:
        return None
    states = {}
    for line in completed.stdout.splitlines():
        job_id, _, state = line.strip().partition(" ")
        job_id = job_id.removesuffix("_N/A")  # a single job, not an array
        if job_id in wanted_ids and state not in END_STATES:
            states[job_id] = state
    return states
