"""The layout of a record: the names of its files, the keys of its rows, and the states of a run."""

from enum import StrEnum

from degradation.errors import UserError

SCHEMA_VERSION = 2

# Written once; `degradation.records.metadata` describes its keys.
RUN_FILE = "run.json"
# Two rows per attempt, its start and its end: everything that depends on a clock.
ATTEMPTS_FILE = "attempts.jsonl"
# The code that trained the run, and other code that has been compared with it; see trained_code.py.
CODE_FILE = "code.jsonl"
# One row per evaluation, without a clock, so that a repeated run gives the same bytes.
# `degradation.metrics` describes its columns.
METRICS_FILE = "metrics.jsonl"
# One row per probe, iteration and number of images. Those measured during training come first,
# those measured afterwards follow.
PROBES_FILE = "probes.jsonl"
# The loss around the final weights: one row per point, one file per part.
LANDSCAPE_DIR = "landscape"
# The points of all parts; published records have this file instead of one per part.
PUBLISHED_LANDSCAPE_FILE = f"{LANDSCAPE_DIR}/points.jsonl"
# The latest state from which training can resume; removed when the run finishes.
CHECKPOINT_FILE = "checkpoint.pt"
# Weights at the iterations that `schedule.snapshots` lists, one file each.
SNAPSHOTS_DIR = "snapshots"
# The final weights.
WEIGHTS_FILE = "weights.pt"
# The manifest: the outcome, and the checksums of everything that training wrote.
DONE_FILE = "DONE"
# Held by the process that trains the run.
LOCK_FILE = "lock"

# Keys of a row of probes: the probe's name, the number of images it was measured on, the class of
# device ("cpu" or "cuda"), and the measured table, column by column; also the iteration.
PROBE, IMAGES, DEVICE, TABLE = "probe", "pictures", "device", "table"

# Keys of the row that ends an attempt: its outcome, the reason for a failure, its duration in
# seconds by a monotonic clock and, if the attempt finished the run, the manifest, from which a
# corrupt DONE can be restored.
OUTCOME, REASON, SECONDS, MANIFEST = "outcome", "reason", "seconds", "manifest"

# The key of DONE that only published records have; see publication.py.
PUBLISHED = "published"


class State(StrEnum):
    """The state of a run. It is derived from the record's files and its lock, and never stored.

    MISSING: nothing has been trained. RUNNING: a process holds the lock. PARTIAL: the last attempt
    was interrupted. FAILED: the last attempt raised an error. DIVERGED: the loss became infinite or
    NaN, which is a result. DONE: trained to the last iteration.
    """

    MISSING = "missing"
    RUNNING = "running"
    PARTIAL = "partial"
    FAILED = "failed"
    DIVERGED = "diverged"
    DONE = "done"


def snapshot_file(iteration: int) -> str:
    """Return the name of the file with the weights after `iteration` updates."""
    return f"{SNAPSHOTS_DIR}/{iteration:08d}.pt"


class RecordError(UserError):
    """A record that cannot be read or trusted: the file, the problem, and what to do."""
