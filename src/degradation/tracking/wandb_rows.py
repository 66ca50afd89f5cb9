"""What W&B has of a record: a run of the training and, where probes were taken afterwards, one of all probes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from degradation.config import Config, family, probe_iterations
from degradation.durable_io import Row
from degradation.metrics import ITERATION, PLATEAUS
from degradation.records.record import Record
from degradation.records.root import root_token
from degradation.records.schema import METRICS, PROBE, PROBES, TABLE


@dataclass(frozen=True)
class Mirrored:
    """One W&B run: wandb.init's arguments, its rows in W&B's order, and the exit status of what it mirrors."""

    identity: dict[str, Any]
    rows: list[Row]
    exit_code: int = 0

    @property
    def steps(self) -> list[int]:
        """Rows of one iteration are one step."""
        return sorted({int(row[ITERATION]) for row in self.rows})


def shown_in_wandb(row: Row) -> Row:
    """A row of probes as W&B has it: its table under the probe's name."""
    return {ITERATION: row[ITERATION], f"probes/{row[PROBE]}": row[TABLE]}


def in_order(metrics: Iterable[Row], probes: Iterable[Row]) -> list[Row]:
    """Rows of metrics and of probes as W&B has them, in the order of the iterations: its steps only rise."""
    return sorted([*metrics, *map(shown_in_wandb, probes)], key=lambda row: int(row[ITERATION]))


def wandb_identity(config: Config, record: Record, description: Row) -> dict[str, Any]:
    return {
        "id": f"{record.run_id}-{root_token(record.root)}",
        "name": record.run_id,
        "group": config.name,
        "job_type": "train",
        "tags": [family(config.model), f"depth-{config.model.depth}", config.data.name],
        "config": description,
    }


def training_run(config: Config, record: Record) -> Mirrored:
    """Raises RecordError."""
    identity = wandb_identity(config, record, _description(record))
    over = record.outcome() is not None
    return Mirrored(
        identity,
        in_order(record.rows(METRICS), probes_of_training(config, record)),
        0 if over else 1,
    )


def explained_run(config: Config, record: Record) -> Mirrored:
    """All probes of a record as a run of their own: that of the training is closed. Raises RecordError.

    Where a probe was taken of several numbers of images at one iteration, W&B has the latest: its key is one.
    """
    latest = {(row[PROBE], row[ITERATION]): row for row in record.valid_rows(PROBES)}
    rows = in_order([], latest.values())
    identity = wandb_identity(config, record, _description(record))
    own = {
        "id": f"{identity['id']}-why-{len(rows)}",
        "name": f"{record.run_id} why",
        "job_type": "explain",
    }
    return Mirrored(identity | own, rows)


def mirrored_runs(config: Config, record: Record) -> list[Mirrored]:
    """The W&B runs of a record: none, one or two. Raises RecordError."""
    taken_afterwards = len(record.valid_rows(PROBES)) > len(probes_of_training(config, record))
    found = [
        training_run(config, record),
        *([explained_run(config, record)] if taken_afterwards else []),
    ]
    return [run for run in found if run.rows]


def probes_of_training(config: Config, record: Record) -> list[Row]:
    """The rows of probes that training took: what the manifest says, or what an earlier release can have taken."""
    known = record.training_probes()
    if known is not None:
        return known
    if record.outcome() is None:
        return record.rows(PROBES)  # nothing is taken afterwards before a run is over
    moments = {*probe_iterations(config), *_plateaus(record.rows(METRICS))}
    found: dict[tuple[str, int], Row] = {}
    for row in record.valid_rows(PROBES):
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
    return {key: value for key, value in record.describe().items() if key != "schema_version"}
