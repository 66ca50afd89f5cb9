"""Save and restore the state from which an interrupted run resumes.

A checkpoint holds the trainer's state and states how much of the record belongs to it: the numbers
of rows of metrics and probes, and the snapshots. On resume, rows that were written after the
checkpoint are dropped. They are then measured again, with the same result.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from degradation.checksums import CorruptData, Row, seal, unseal
from degradation.code_comparison import check_code_is_current
from degradation.config import Config, ConfigError
from degradation.errors import format_exception_line
from degradation.records.manifest import fingerprint
from degradation.records.record import Record
from degradation.records.schema import CHECKPOINT_FILE, METRICS_FILE, PROBES_FILE, RecordError
from degradation.training import serialization
from degradation.training.trainer import Trainer

log = logging.getLogger(__name__)

KEYS = {"device", "threads", "rows", "probes", "snapshots", "training"}
OPTIONAL_KEYS = {"threads"}  # missing from checkpoints of an earlier release
REQUIRED_KEYS = KEYS - OPTIONAL_KEYS


class UnusableCheckpoint(Exception):
    """Training cannot resume from the checkpoint. The message is one line."""


@dataclass
class ResumeState:
    """The rows and snapshots in the record up to the trainer's iteration."""

    metrics: list[Row] = field(default_factory=list)
    probes: list[Row] = field(default_factory=list)
    snapshots: dict[str, Row] = field(default_factory=dict)  # file name -> fingerprint


def save_checkpoint(record: Record, trainer: Trainer, resume_state: ResumeState) -> None:
    """Write a checkpoint of the trainer atomically, replacing an earlier one."""
    checkpoint = {
        "device": trainer.device.type,
        "threads": trainer.config.threads,
        "rows": len(resume_state.metrics),
        "probes": len(resume_state.probes),
        "snapshots": resume_state.snapshots,
        "training": trainer.state(),
    }
    record.write(CHECKPOINT_FILE, seal(serialization.dump(checkpoint)))


def resume(
    config: Config, record: Record, build_trainer: Callable[[], Trainer]
) -> tuple[Trainer, ResumeState]:
    """Return a trainer at the checkpoint, or at iteration 0 if there is no usable one.

    Rows of the record after the checkpoint are dropped. If the checkpoint cannot be used, a warning
    is logged and training restarts from scratch.

    Args:
        build_trainer: returns a new trainer at iteration 0. Called a second time if restoring the
            first one fails.

    Raises:
        ConfigError: the run was started on another device type, or on a CPU with another number of
            threads, and `allow_device_change` is false; or the training code has been edited since
            this process imported it.
    """
    check_code_is_current(record.run_id)
    trainer, resume_state = build_trainer(), ResumeState()
    try:
        checkpoint = read_checkpoint(record, set(trainer.state()))
        if checkpoint is not None:
            _check_device(config, record, checkpoint["device"], trainer.device.type)
            _check_threads(config, record, checkpoint.get("threads"), trainer.device.type)
            _restore(trainer, checkpoint["training"])
    except UnusableCheckpoint as problem:
        log.warning("%s: %s; training restarts from scratch", record.run_id, problem)
        trainer, checkpoint = build_trainer(), None
    if checkpoint is not None:
        resume_state.metrics = record.valid_prefix(METRICS_FILE)[: checkpoint["rows"]]
        resume_state.probes = record.valid_prefix(PROBES_FILE)[: checkpoint["probes"]]
        resume_state.snapshots = checkpoint["snapshots"]
        log.info("%s: resumes from iteration %d", record.run_id, trainer.iteration)
    record.rewrite_rows(METRICS_FILE, resume_state.metrics)
    record.rewrite_rows(PROBES_FILE, resume_state.probes)
    return trainer, resume_state


def _check_device(config: Config, record: Record, saved: str, current: str) -> None:
    """Raise ConfigError if the device type has changed without permission."""
    if saved == current or config.allow_device_change:
        return
    raise ConfigError(
        f"device: {record.run_id} was started on {saved} and cannot resume on {current!r};"
        f" allowed: {saved}, or allow_device_change=true"
    )


def _check_threads(config: Config, record: Record, saved: int | None, device: str) -> None:
    """Raise ConfigError if the number of CPU threads has changed without permission.

    It determines how sums are split, so a different number changes the last bits of the results.

    Args:
        saved: the number in the checkpoint, or None in checkpoints of an earlier release.
    """
    if device != "cpu" or config.allow_device_change:
        return
    if saved is None or saved == config.threads:
        return
    raise ConfigError(
        f"threads: {record.run_id} was started with {saved} and cannot resume with"
        f" {config.threads}, because a different number changes the last bits of its results;"
        f" allowed: {saved}, or allow_device_change=true"
    )


def _restore(trainer: Trainer, state: dict[str, Any]) -> None:
    """Restore the trainer. If UnusableCheckpoint is raised, it is left partly restored."""
    try:
        trainer.restore(state)
    except Exception as error:  # wrong shapes and wrong types raise different exceptions
        reason = format_exception_line(error)
        raise UnusableCheckpoint(
            f"{CHECKPOINT_FILE} belongs to another network ({reason})"
        ) from None


def read_checkpoint(record: Record, state_keys: set[str]) -> dict[str, Any] | None:
    """Return the checkpoint, or None if there is none.

    Args:
        state_keys: the keys that the trainer's state must have.

    Raises:
        UnusableCheckpoint: it is corrupt or from another release, or the record lacks rows or
            snapshots that it refers to.
    """
    if not record.path(CHECKPOINT_FILE).exists():
        return None
    try:
        checkpoint: dict[str, Any] = serialization.load(unseal(record.read(CHECKPOINT_FILE)))
    except (CorruptData, serialization.CheckpointError) as problem:
        raise UnusableCheckpoint(f"{CHECKPOINT_FILE} {problem}") from None
    if not _has_keys(checkpoint, state_keys):
        raise UnusableCheckpoint(f"{CHECKPOINT_FILE} was written by another release")
    _check_rows(record, checkpoint)
    _check_snapshots(record, checkpoint["snapshots"])
    return checkpoint


def _has_keys(checkpoint: Any, state_keys: set[str]) -> bool:
    if not isinstance(checkpoint, dict):
        return False
    if not REQUIRED_KEYS <= set(checkpoint) <= KEYS:
        return False
    return set(checkpoint["training"]) == state_keys


def _check_rows(record: Record, checkpoint: dict[str, Any]) -> None:
    """Raise UnusableCheckpoint if rows from before the checkpoint are missing."""
    for name, count in ((METRICS_FILE, checkpoint["rows"]), (PROBES_FILE, checkpoint["probes"])):
        if len(record.valid_prefix(name)) < count:
            raise UnusableCheckpoint(f"{name} lacks rows from before the checkpoint")


def _check_snapshots(record: Record, snapshots: dict[str, Row]) -> None:
    """Raise UnusableCheckpoint if a snapshot from before the checkpoint is missing or corrupt."""
    for name, expected in snapshots.items():
        try:
            is_valid = fingerprint(record.read(name)) == expected
        except RecordError as problem:
            raise UnusableCheckpoint(str(problem)) from None
        if not is_valid:
            raise UnusableCheckpoint(f"{name} does not match its checksum")
