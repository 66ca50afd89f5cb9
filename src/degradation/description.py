"""What is told of a run: to its record, and to W&B."""

from dataclasses import asdict
from typing import Any

from degradation.config import Config, family, parent_of
from degradation.data.content import content
from degradation.data.datasets import Dataset
from degradation.data.imagenet import ImageNet
from degradation.files import Row
from degradation.grid import grid_run
from degradation.identity import NUMERICS_VERSION, hashed_values
from degradation.models.census import census
from degradation.probes import Table
from degradation.records.schema import DEVICE, ITERATION, PICTURES, PROBE, TABLE
from degradation.records.store import Record, mark_of


def describe_run(config: Config, run_id: str, dataset: Dataset | ImageNet) -> dict[str, Any]:
    """What run.json holds of a run; the same for every attempt on any machine."""
    counted = census(config.model, dataset.channels, dataset.side, dataset.classes)
    parent = parent_of(config)
    validation = {"validation": config.data.validation} if config.data.validation else {}
    return {
        "run_id": run_id,
        "family": family(config.model),
        "numerics_version": NUMERICS_VERSION,
        "config": hashed_values(config, content(config.data)),
        "data": {
            "name": config.data.name,
            "checksum": dataset.checksum(),
            "classes": dataset.classes,
            "train": len(dataset.train),
            "test": len(dataset.test),
            **validation,
        },
        "census": asdict(counted),
        **({"parent": grid_run(parent).run_id} if parent is not None else {}),
    }


def probe_row(probe: str, iteration: int, pictures: int, device: str, table: Table) -> Row:
    """What probes.jsonl holds of one probe of one network."""
    return {PROBE: probe, ITERATION: iteration, PICTURES: pictures, DEVICE: device, TABLE: table}


def shown_in_wandb(row: Row) -> Row:
    """A row of probes as W&B has it: its table under the probe's name."""
    return {ITERATION: row[ITERATION], f"probes/{row[PROBE]}": row[TABLE]}


def wandb_identity(config: Config, record: Record, description: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{record.run_id}-{mark_of(record.root)}",
        "name": record.run_id,
        "group": config.name,
        "job_type": "train",
        "tags": [family(config.model), f"depth-{config.model.depth}", config.data.name],
        "config": description,
    }
