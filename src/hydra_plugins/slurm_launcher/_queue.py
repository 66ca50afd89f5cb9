"""What SLURM says of jobs: squeue, which every cluster has. Accounting (sacct) need not be there."""

import subprocess
from collections.abc import Iterable

PATIENCE = 60  # seconds; a busy controller takes some
UNKNOWN = "Invalid job id"  # squeue's words where none of the jobs is known any more
ENDING = (
    "COMPLETED",
    "CANCELLED",
    "FAILED",
    "TIMEOUT",
    "NODE_FAIL",
    "PREEMPTED",
    "OUT_OF_MEMORY",
    "BOOT_FAIL",
)


def waiting_or_running(ids: Iterable[str]) -> dict[str, str] | None:
    """State of those jobs that are not over, by id such as `7_0`; None where SLURM does not answer now."""
    wanted = set(ids)
    if not wanted:
        return {}
    numbers = ",".join(sorted({one.partition("_")[0] for one in wanted}))
    command = ["squeue", "--noheader", "--array", "--jobs", numbers, "--format", "%F_%K %T"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if asked.returncode != 0 and UNKNOWN not in asked.stderr:
        return None
    found = {}
    for line in asked.stdout.splitlines():
        number, _, state = line.strip().partition(" ")
        number = number.removesuffix("_N/A")  # a single job is no array
        if number in wanted and state not in ENDING:
            found[number] = state
    return found
