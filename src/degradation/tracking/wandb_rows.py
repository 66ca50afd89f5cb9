"""Convert a record into W&B runs: one of the training run, and one of the probes measured later."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from degradation.checksums import Row
from degradation.config import Config
from degradation.metrics import ITERATION
from degradation.records.record import Record
from degradation.records.schema import METRICS_FILE, PROBE, PROBES_FILE, TABLE
from degradation.tracking.wandb_identity import build_init_arguments


@dataclass(frozen=True)
class WandbRunData:
    """One W&B run.

    Attributes:
        init_arguments: arguments of wandb.init: id, name, group, job_type, tags and config.
        rows: what is logged, in the order of the iterations, since W&B's steps only increase.
        exit_code: 0 for a finished run; W&B calls any other run failed.
    """

    init_arguments: dict[str, Any]
    rows: list[Row]
    exit_code: int = 0

    @property
    def steps(self) -> list[int]:
        """W&B's steps, sorted: all rows of one iteration become one step."""
        return sorted({int(row[ITERATION]) for row in self.rows})


def convert_probe_row(row: Row) -> Row:
    """Convert a row of probes for W&B: the table, under the name of the probe."""
    return {ITERATION: row[ITERATION], f"probes/{row[PROBE]}": row[TABLE]}


def merge_by_iteration(metrics: Iterable[Row], probes: Iterable[Row]) -> list[Row]:
    """Return the rows of metrics and the converted rows of probes, sorted by iteration."""
    rows = [*metrics, *map(convert_probe_row, probes)]
    return sorted(rows, key=_get_iteration)


def _get_iteration(row: Row) -> int:
    return int(row[ITERATION])


def read_training_run(config: Config, record: Record) -> WandbRunData:
    """Return the W&B run of a training run. Raises RecordError."""
    metrics = record.valid_prefix(METRICS_FILE)
    rows = merge_by_iteration(metrics, record.read_training_probes())
    is_finished = record.outcome() is not None
    init_arguments = build_init_arguments(config, record, _read_metadata(record))
    return WandbRunData(init_arguments, rows, exit_code=0 if is_finished else 1)


def read_probe_run(config: Config, record: Record) -> WandbRunData:
    """Return the W&B run of all probes of a record. Raises RecordError.

    It is a separate run, since that of the training is closed. Its id contains the number of its
    rows, so further probes make a new run. If a probe was measured on several numbers of images at
    one iteration, only the latest row is sent, because W&B has one key per probe.
    """
    latest = {}
    for row in record.valid_rows(PROBES_FILE):
        latest[row[PROBE], row[ITERATION]] = row
    rows = merge_by_iteration([], latest.values())
    init_arguments = build_init_arguments(config, record, _read_metadata(record))
    init_arguments["id"] += f"-why-{len(rows)}"
    init_arguments["name"] += " why"
    init_arguments["job_type"] = "explain"
    return WandbRunData(init_arguments, rows)


def read_wandb_runs(config: Config, record: Record) -> list[WandbRunData]:
    """Return the W&B runs of a record that have rows: none, one or two. Raises RecordError."""
    runs = [read_training_run(config, record)]
    training_probes = record.read_training_probes()
    if len(record.valid_rows(PROBES_FILE)) > len(training_probes):
        runs.append(read_probe_run(config, record))
    return [run for run in runs if run.rows]


def _read_metadata(record: Record) -> Row:
    """Return run.json without the key that describes the file rather than the run."""
    metadata = record.read_metadata()
    del metadata["schema_version"]
    return metadata
