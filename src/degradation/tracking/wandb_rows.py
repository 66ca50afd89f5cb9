"""What W&B has of a record: a run of the training and, where probes were taken afterwards, one of all probes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from degradation.config import Config, family, probe_iterations
from degradation.durable_io import Row
from degradation.metrics import ITERATION, PLATEAUS
from degradation.records.record import Record
from degradation.records.root import root_token
from degradation.records.schema import METRICS_FILE, PROBE, PROBES_FILE, TABLE


@dataclass(frozen=True)
class WandbRunData:
    """One W&B run: wandb.init's arguments, its rows in W&B's order, and the exit status of what it mirrors."""

    identity: dict[str, Any]
    rows: list[Row]
    exit_code: int = 0

    @property
    def steps(self) -> list[int]:
        """Rows of one iteration are one step."""
        return sorted({int(row[ITERATION]) for row in self.rows})


def convert_probe_row(row: Row) -> Row:
    """A row of probes as W&B has it: its table under the probe's name."""
    return {ITERATION: row[ITERATION], f"probes/{row[PROBE]}": row[TABLE]}


def merge_by_iteration(metrics: Iterable[Row], probes: Iterable[Row]) -> list[Row]:
    """Rows of metrics and of probes as W&B has them, in the order of the iterations: its steps only rise."""
    return sorted([*metrics, *map(convert_probe_row, probes)], key=lambda row: int(row[ITERATION]))


def build_init_arguments(config: Config, record: Record, description: Row) -> dict[str, Any]:
    return {
        "id": f"{record.run_id}-{root_token(record.root)}",
        "name": record.run_id,
        "group": config.name,
        "job_type": "train",
        "tags": [family(config.model), f"depth-{config.model.depth}", config.data.name],
        "config": description,
    }


def read_training_run(config: Config, record: Record) -> WandbRunData:
    """Raises RecordError."""
    identity = build_init_arguments(config, record, _description(record))
    over = record.outcome() is not None
    return WandbRunData(
        identity,
        merge_by_iteration(record.valid_prefix(METRICS_FILE), probes_of_training(config, record)),
        0 if over else 1,
    )


def read_probe_run(config: Config, record: Record) -> WandbRunData:
    """All probes of a record as a run of their own: that of the training is closed. Raises RecordError.

    Where a probe was taken of several numbers of images at one iteration, W&B has the latest: its key is one.
    """
    latest = {(row[PROBE], row[ITERATION]): row for row in record.valid_rows(PROBES_FILE)}
    rows = merge_by_iteration([], latest.values())
    identity = build_init_arguments(config, record, _description(record))
    own = {
        "id": f"{identity['id']}-why-{len(rows)}",
        "name": f"{record.run_id} why",
        "job_type": "explain",
    }
    return WandbRunData(identity | own, rows)


def read_wandb_runs(config: Config, record: Record) -> list[WandbRunData]:
    """The W&B runs of a record: none, one or two. Raises RecordError."""
    taken_afterwards = len(record.valid_rows(PROBES_FILE)) > len(probes_of_training(config, record))
    found = [
        read_training_run(config, record),
        *([read_probe_run(config, record)] if taken_afterwards else []),
    ]
    return [run for run in found if run.rows]


def probes_of_training(config: Config, record: Record) -> list[Row]:
    """The rows of probes that training took: what the manifest says, or what an earlier release can have taken."""
    known = record.read_training_probes()
    if known is not None:
        return known
    if record.outcome() is None:
        return record.valid_prefix(PROBES_FILE)  # nothing is taken afterwards before a run is over
    moments = {*probe_iterations(config), *_plateaus(record.valid_prefix(METRICS_FILE))}
    found: dict[tuple[str, int], Row] = {}
    for row in record.valid_rows(PROBES_FILE):
        if row[PROBE] in config.probes.training and row[ITERATION] in moments:
            found.setdefault((row[PROBE], row[ITERATION]), row)
    return list(found.values())


def _plateaus(metrics: list[Row]) -> Iterator[int]:
    """The iterations after which the rate was lowered since the error stood still."""
    before = 0
    for row in metrics:
        if row.get(PLATEAUS, 0) > before:
            before = row[PLATEAUS]
            yield row[ITERATION]


def _description(record: Record) -> Row:
    """run.json without what is of the file and not of the run."""
    return {key: value for key, value in record.read_metadata().items() if key != "schema_version"}
