"""What a record is made of: the names of its files, its states, and the form of its rows."""

from enum import StrEnum

from degradation.errors import UserError

SCHEMA_VERSION = 2
READABLE = (1, 2)  # run.json and DONE of version 1 carry no checksum of their own

RUN_FILE = (
    "run.json"  # written once: configuration, id, schema version, census, the data's checksum
)
ATTEMPTS_FILE = "attempts.jsonl"  # two lines an attempt (start, end): all that has a clock
METRICS_FILE = (
    "metrics.jsonl"  # a row an evaluation; no clock, so that a repeat is identical byte for byte
)
PROBES_FILE = "probes.jsonl"  # a row a probe and iteration: those of the training, then those that were taken afterwards
LANDSCAPE_DIR = "landscape"  # the loss around the final weights, a row a point, a file a part
CHECKPOINT_FILE = "checkpoint.pt"  # the latest resumable state; removed when the run is done
SNAPSHOTS_DIR = "snapshots"  # weights at declared iterations
WEIGHTS_FILE = "weights.pt"  # final
DONE_FILE = "DONE"  # a manifest: the outcome and the checksums of all that training wrote
LOCK_FILE = "lock"

# The columns of a row of metrics are those of degradation.metrics.

# A row of probes: which, after which iteration, of how many pictures, on which class of device, and what it found as
# named columns (degradation.probes).
PROBE, IMAGES, DEVICE, TABLE = "probe", "pictures", "device", "table"

# The last line of an attempt: how it ended, why, after how many iterations, and how long it took by a clock that only
# goes forwards. That of an attempt which ended the run has the manifest too, so that a damaged DONE can be restored.
OUTCOME, REASON, SECONDS, MANIFEST = "outcome", "reason", "seconds", "manifest"


class State(StrEnum):
    """Derived from a record's files and its lock, never stored."""

    MISSING = "missing"
    RUNNING = "running"
    PARTIAL = "partial"
    FAILED = "failed"
    DIVERGED = "diverged"
    DONE = "done"


class RecordError(UserError):
    """A record that cannot be trusted: which file, what is wrong, what to do."""
