"""The identity of a run in W&B: its id, name, group, job type and tags."""

from typing import Any

from degradation.checksums import Row
from degradation.config import Config, family
from degradation.records.record import Record
from degradation.records.root import root_token


def build_init_arguments(config: Config, record: Record, metadata: Row) -> dict[str, Any]:
    """Return the arguments of wandb.init for the training of a run.

    Args:
        config: the configuration of the run.
        record: its record; the token of its root makes the W&B id unique.
        metadata: the values of run.json without `schema_version`.
    """
    return {
        "id": f"{record.run_id}-{root_token(record.root)}",
        "name": record.run_id,
        "group": config.name,
        "job_type": "train",
        "tags": [family(config.model), f"depth-{config.model.depth}", config.data.name],
        "config": metadata,
    }
