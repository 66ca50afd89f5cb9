"""The identity of a run in W&B: its id, name, group, job type and tags, all within W&B's limits."""

import hashlib
from pathlib import Path
from typing import Any

from degradation.checksums import Row
from degradation.config import Config, family
from degradation.records.record import Record
from degradation.records.root import root_token

REFUSED_IN_IDS = frozenset("/\\#?%:;,'")  # by wandb's client or by its server
# W&B allows 128 characters, also in the name of the artifact that holds a table: `run-`, the id,
# the key of the table (of a report: at most 24 characters) and a checksum of 7.
MAX_ID_CHARACTERS = 92
# The id of an offline run is a part of the name of its folder.
MAX_ID_BYTES = 200
MAX_TAG_CHARACTERS = 64
DIGEST_LENGTH = 8


def build_init_arguments(config: Config, record: Record, metadata: Row) -> dict[str, Any]:
    """Return the arguments of wandb.init for the training of a run.

    Args:
        config: the configuration of the run.
        record: its record; the token of its root makes the W&B id unique.
        metadata: the values of run.json without `schema_version`.
    """
    depth_tag = f"depth-{config.model.depth}"
    return {
        "id": f"{record.run_id}-{root_token(record.root)}",
        "name": record.run_id,
        "group": config.name,
        "job_type": "train",
        "tags": [family(config.model), depth_tag, to_tag(config.data.name)],
        "config": metadata,
    }


def build_report_arguments(name: str, root: Path) -> dict[str, Any]:
    """Return the arguments of wandb.init for a report: a run of job type `analysis`.

    Args:
        name: the name of the report.
        root: the record root, whose token makes the W&B id unique.
    """
    return {
        "id": to_id("report", name, root_token(root)),
        "name": f"report {name}",
        "group": name,
        "job_type": "analysis",
    }


def to_id(prefix: str, name: str, suffix: str) -> str:
    """Return a W&B id of three parts.

    Characters that W&B refuses become `_`. If they, or its length, change the name, its digest is
    added, so that different names never have the same id.
    """
    wandb_id = f"{prefix}-{name}-{suffix}"
    if not REFUSED_IN_IDS & set(name) and _is_short(wandb_id):
        return wandb_id
    accepted = "".join("_" if character in REFUSED_IN_IDS else character for character in name)
    while not _is_short(f"{prefix}-{accepted}-{_digest(name)}-{suffix}"):
        accepted = accepted[:-1]
    return f"{prefix}-{accepted}-{_digest(name)}-{suffix}"


def _is_short(wandb_id: str) -> bool:
    return len(wandb_id) <= MAX_ID_CHARACTERS and len(wandb_id.encode()) <= MAX_ID_BYTES


def to_tag(name: str) -> str:
    """Return the W&B tag of a name; a name that is too long is shortened, with its digest."""
    if len(name) <= MAX_TAG_CHARACTERS:
        return name
    kept_length = MAX_TAG_CHARACTERS - DIGEST_LENGTH - 1
    return f"{name[:kept_length]}-{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:DIGEST_LENGTH]
