"""The state that an interrupted run goes on from: its checkpoint, and the rows up to it."""

import logging
from typing import Any

from degradation.config import Config, ConfigError
from degradation.description import shown_in_wandb
from degradation.files import Row
from degradation.records.schema import CHECKPOINT, ITERATION, METRICS, PROBES
from degradation.records.store import Record
from degradation.training import checkpoint
from degradation.training.fit import Training

log = logging.getLogger(__name__)
Kept = dict[str, list[Row]]  # by file: the rows of metrics and of probes up to the iteration that training stands at


def save(record: Record, training: Training, kept: Kept) -> None:
    counts = {"rows": len(kept[METRICS]), "probes": len(kept[PROBES])}
    state = {"device": training.device.type, **counts, "training": training.state()}
    record.write(CHECKPOINT, checkpoint.dump(state))


def resume(config: Config, record: Record, training: Training) -> Kept:
    """Set `training` to the checkpoint and cut the rows after it, or start anew. Returns the rows kept."""
    kept: Kept = {METRICS: [], PROBES: []}
    saved = _read_checkpoint(record, set(training.state()))
    if saved is not None:
        begun_on, now_on = saved["device"], training.device.type
        if begun_on != now_on and not config.allow_device_change:
            raise ConfigError(
                f"device: {record.run_id} was begun on {begun_on}, and {now_on!r} is not allowed to go on with it;"
                f" allowed: {begun_on}, or allow_device_change=true"
            )
        training.restore(saved["training"])
        kept[METRICS] = record.rows(METRICS)[: saved["rows"]]
        kept[PROBES] = record.rows(PROBES)[: saved.get("probes", 0)]  # an earlier release took none
        log.info("%s: goes on from iteration %d", record.run_id, training.iteration)
    for name, rows in kept.items():
        record.keep_rows(name, rows)
    return kept


def in_order(kept: Kept) -> list[Row]:
    """What W&B has been sent, in the order of the iterations."""
    rows = [*kept[METRICS], *map(shown_in_wandb, kept[PROBES])]
    return sorted(rows, key=lambda row: int(row[ITERATION]))


def _read_checkpoint(record: Record, expected: set[str]) -> dict[str, Any] | None:
    """The latest state to go on from; None, told, where it or the rows before it cannot be trusted."""
    if not record.path(CHECKPOINT).exists():
        return None
    try:
        saved: dict[str, Any] = checkpoint.load(record.read(CHECKPOINT))
    except checkpoint.CheckpointError as problem:
        log.warning("%s: %s cannot be read (%s); training starts anew", record.run_id, CHECKPOINT, problem)
        return None
    if set(saved["training"]) != expected:
        log.warning("%s: %s is another release's; training starts anew", record.run_id, CHECKPOINT)
        return None
    for name, count in ((METRICS, saved["rows"]), (PROBES, saved.get("probes", 0))):
        if len(record.rows(name)) < count:
            log.warning("%s: %s lacks rows; training starts anew", record.run_id, name)
            return None
    return saved
