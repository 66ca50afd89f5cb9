"""The state that an interrupted run goes on from: its checkpoint, and the rows and snapshots up to it."""

import logging
from dataclasses import dataclass, field
from typing import Any

from degradation.config import Config, ConfigError
from degradation.files import Damaged, Row, seal, unseal
from degradation.records.manifest import fingerprint
from degradation.records.schema import CHECKPOINT, METRICS, PROBES, RecordError
from degradation.records.store import Record
from degradation.training import checkpoint
from degradation.training.fit import Training

log = logging.getLogger(__name__)


class Unusable(Exception):
    """Why training cannot go on from the checkpoint, in a line."""


@dataclass
class Kept:
    """What the record holds of the run up to the iteration that training stands at."""

    metrics: list[Row] = field(default_factory=list)
    probes: list[Row] = field(default_factory=list)
    snapshots: dict[str, Row] = field(default_factory=dict)  # file: its fingerprint


def save(record: Record, training: Training, kept: Kept) -> None:
    held = {"rows": len(kept.metrics), "probes": len(kept.probes), "snapshots": kept.snapshots}
    state = {"device": training.device.type, **held, "training": training.state()}
    record.write(CHECKPOINT, seal(checkpoint.dump(state)))


def resume(config: Config, record: Record, training: Training) -> Kept:
    """Set `training` to the checkpoint and cut the rows after it, or start anew, told. Returns what is kept."""
    kept = Kept()
    try:
        saved = _saved(record, set(training.state()))
    except Unusable as problem:
        log.warning("%s: %s; training starts anew", record.run_id, problem)
        saved = None
    if saved is not None:
        begun_on, now_on = saved["device"], training.device.type
        if begun_on != now_on and not config.allow_device_change:
            raise ConfigError(
                f"device: {record.run_id} was begun on {begun_on}, and {now_on!r} is not allowed to go on with it;"
                f" allowed: {begun_on}, or allow_device_change=true"
            )
        try:
            training.restore(saved["training"])
        except Exception as error:  # tensors of other shapes raise one thing, values of other types another
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RecordError(f"{record.path(CHECKPOINT)}: is of another network ({reason}); delete it") from None
        kept.metrics = record.rows(METRICS)[: saved["rows"]]
        kept.probes = record.rows(PROBES)[: saved["probes"]]
        kept.snapshots = saved["snapshots"]
        log.info("%s: goes on from iteration %d", record.run_id, training.iteration)
    record.keep_rows(METRICS, kept.metrics)
    record.keep_rows(PROBES, kept.probes)
    return kept


def _saved(record: Record, expected: set[str]) -> dict[str, Any] | None:
    """The latest state to go on from, None where there is none. Raises Unusable."""
    if not record.path(CHECKPOINT).exists():
        return None
    try:
        content = record.read(CHECKPOINT)
        # the first release did not seal its checkpoints; a zip file begins with PK
        saved: dict[str, Any] = checkpoint.load(unseal(content) if not content.startswith(b"PK") else content)
    except (Damaged, checkpoint.CheckpointError) as problem:
        raise Unusable(f"{CHECKPOINT} {problem}") from None
    if not isinstance(saved, dict) or not {"device", "rows"} < set(saved) or set(saved.get("training", ())) != expected:
        raise Unusable(f"{CHECKPOINT} is another release's")
    saved = {"probes": 0, "snapshots": {}, **saved}  # earlier releases had no probes, and trusted their snapshots
    for name, count in ((METRICS, saved["rows"]), (PROBES, saved["probes"])):
        if len(record.rows(name)) < count:
            raise Unusable(f"{name} lacks rows")
    for name, written in saved["snapshots"].items():
        try:
            sound = fingerprint(record.read(name)) == written
        except RecordError as problem:
            raise Unusable(str(problem)) from None
        if not sound:
            raise Unusable(f"{name} does not fit its checksum")
    return saved
