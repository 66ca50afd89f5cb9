"""The state that an interrupted run goes on from: its checkpoint, and the rows and snapshots up to it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from degradation.config import Config, ConfigError
from degradation.durable_io import CorruptData, Row, seal, unseal
from degradation.records.manifest import fingerprint
from degradation.records.record import Record
from degradation.records.schema import CHECKPOINT_FILE, METRICS_FILE, PROBES_FILE, RecordError
from degradation.training import serialization
from degradation.training.trainer import Trainer

log = logging.getLogger(__name__)


SAVED = {"device", "threads", "rows", "probes", "snapshots", "training"}
ADDED_LATER = {"threads"}  # a checkpoint of an earlier release lacks it


class UnusableCheckpoint(Exception):
    """Why training cannot go on from the checkpoint, in a line."""


@dataclass
class ResumeState:
    """What the record holds of the run up to the iteration that training stands at."""

    metrics: list[Row] = field(default_factory=list)
    probes: list[Row] = field(default_factory=list)
    snapshots: dict[str, Row] = field(default_factory=dict)  # file: its fingerprint


def save(record: Record, training: Trainer, kept: ResumeState) -> None:
    held = {"rows": len(kept.metrics), "probes": len(kept.probes), "snapshots": kept.snapshots}
    where = {"device": training.device.type, "threads": training.config.threads}
    state = {**where, **held, "training": training.state()}
    record.write(CHECKPOINT_FILE, seal(serialization.dump(state)))


def resume(
    config: Config, record: Record, begin: Callable[[], Trainer]
) -> tuple[Trainer, ResumeState]:
    """A training at the checkpoint, and the rows after it cut off; or one from its beginning, told where it is anew."""
    training, kept = begin(), ResumeState()
    try:
        saved = _saved(record, set(training.state()))
        if saved is not None:
            _check_device(config, record, saved["device"], training.device.type)
            _check_threads(config, record, saved.get("threads"), training.device.type)
            _restore(training, saved["training"])
    except UnusableCheckpoint as problem:
        log.warning("%s: %s; training starts anew", record.run_id, problem)
        training, saved = begin(), None
    if saved is not None:
        kept.metrics = record.valid_prefix(METRICS_FILE)[: saved["rows"]]
        kept.probes = record.valid_prefix(PROBES_FILE)[: saved["probes"]]
        kept.snapshots = saved["snapshots"]
        log.info("%s: goes on from iteration %d", record.run_id, training.iteration)
    record.rewrite_rows(METRICS_FILE, kept.metrics)
    record.rewrite_rows(PROBES_FILE, kept.probes)
    return training, kept


def _check_device(config: Config, record: Record, begun_on: str, now_on: str) -> None:
    """Raises ConfigError."""
    if begun_on != now_on and not config.allow_device_change:
        raise ConfigError(
            f"device: {record.run_id} was begun on {begun_on}, and {now_on!r} is not allowed to go on with it;"
            f" allowed: {begun_on}, or allow_device_change=true"
        )


def _check_threads(config: Config, record: Record, begun_with: int | None, device: str) -> None:
    """Sums are cut in as many parts as there are threads, so their number changes a CPU's bits. Raises ConfigError.

    begun_with: None where an earlier release did not record it.
    """
    if device != "cpu" or begun_with in (None, config.threads) or config.allow_device_change:
        return
    raise ConfigError(
        f"threads: {config.threads} is not allowed, since {record.run_id} was begun with {begun_with} and another"
        f" number changes its bits; allowed: {begun_with}, or allow_device_change=true"
    )


def _restore(training: Trainer, state: dict[str, Any]) -> None:
    """Raises Unusable; then the training is neither what it was nor what was saved."""
    try:
        training.restore(state)
    except (
        Exception
    ) as error:  # tensors of other shapes raise one thing, values of other types another
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UnusableCheckpoint(f"{CHECKPOINT_FILE} is of another network ({reason})") from None


def _saved(record: Record, expected: set[str]) -> dict[str, Any] | None:
    """The latest state to go on from, None where there is none. Raises Unusable."""
    if not record.path(CHECKPOINT_FILE).exists():
        return None
    try:
        saved: dict[str, Any] = serialization.load(unseal(record.read(CHECKPOINT_FILE)))
    except (CorruptData, serialization.CheckpointError) as problem:
        raise UnusableCheckpoint(f"{CHECKPOINT_FILE} {problem}") from None
    if (
        not isinstance(saved, dict)
        or set(saved) | ADDED_LATER != SAVED
        or set(saved["training"]) != expected
    ):
        raise UnusableCheckpoint(f"{CHECKPOINT_FILE} is another release's")
    for name, count in ((METRICS_FILE, saved["rows"]), (PROBES_FILE, saved["probes"])):
        if len(record.valid_prefix(name)) < count:
            raise UnusableCheckpoint(f"{name} lacks rows")
    for name, written in saved["snapshots"].items():
        try:
            sound = fingerprint(record.read(name)) == written
        except RecordError as problem:
            raise UnusableCheckpoint(str(problem)) from None
        if not sound:
            raise UnusableCheckpoint(f"{name} does not fit its checksum")
    return saved
