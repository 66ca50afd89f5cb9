"""Complete one run: skip it if it has finished, resume it if it is partial, start it otherwise.

A job of a sweep calls `train_as_member`, and that calls `train` in the main process. This module
decides whether there is anything to train, holds the run's lock meanwhile, and records how the
attempt ends. The training is in `recorded_training`.
"""

import logging
import time

import torch

from degradation.attempts import (
    drop_corrupt_rows,
    record_end,
    record_start,
    wait_for_lock,
    warn_about_corrupt_rows,
)
from degradation.checksums import Row
from degradation.config import Config, ConfigError, parent_config
from degradation.data.datasets import load_dataset
from degradation.data.errors import DataError
from degradation.environment import InstallationError, check_installation
from degradation.errors import UserError, format_exception_line
from degradation.external_code import locate_error
from degradation.metrics import ITERATION
from degradation.outdated_runs import discard_if_outdated, needs_training, report_finished
from degradation.recorded_training import RecordedTraining
from degradation.records.record import Record
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    MANIFEST,
    METRICS_FILE,
    OUTCOME,
    PROBES_FILE,
    REASON,
    RecordError,
    State,
)
from degradation.signals import Interrupted, catch_stop_signals
from degradation.sweep.runs import locate_run
from degradation.training.device import check_precision, choose_device, make_reproducible
from degradation.training.distributed import SINGLE, WorkerGroup, init_distributed
from degradation.training.events import Progress
from degradation.training.trainer import Trainer, fit

log = logging.getLogger(__name__)


class RunFailed(UserError):
    """An attempt at a run failed. The message is one line; attempts.jsonl has the same reason."""


def train_as_member(config: Config) -> State | None:
    """Complete one run as the main process, or take part in it as a worker under torchrun.

    Returns the outcome, or None in a worker. Raises the same as `train`.
    """
    with init_distributed(config) as group:
        if not group.is_main:
            run_worker(config, group)
            return None
        try:
            return train(config, group)
        finally:
            group.send_stop()


def train(config: Config, group: WorkerGroup = SINGLE) -> State:
    """Complete one run, and return its outcome: done or diverged.

    A finished run is skipped, unless the content of one of its files has changed; then it is
    retrained. An outdated run is retrained if `retrain_outdated` is true. A partial run resumes
    from its checkpoint. If another process holds the run's lock, this one waits. The parent of a
    constructed network is trained first if it is unfinished.

    Args:
        group: the processes that train the run together. The main process calls this function; the
            others call `run_worker`.

    Raises:
        RunFailed: the attempt failed; the next one resumes from the last checkpoint.
        Interrupted: SIGTERM or Ctrl-C; a checkpoint of the current iteration has been saved.
        ConfigError: the configuration cannot be run on this machine, or the run was started on
            another device type or with a different number of threads.
    """
    run = locate_run(config)
    record = run.record
    try:
        check_installation()
        device = choose_device(config.device)
        check_precision(device, config.precision)
        finished = report_finished(config, record)
        if finished is not None:
            return finished
        parent = parent_config(config)
        if parent is not None and needs_training(config, record):
            train(parent)
        with wait_for_lock(record):
            record.remove_leftovers()
            outcome = _restore_finished_record(record)
            if outcome is not None and not discard_if_outdated(config, record):
                return outcome
            return _attempt(config, record, device, group)
    except (InstallationError, RecordError, DataError, OSError) as error:
        raise RunFailed(f"{run.run_id}: {error}") from None


def _restore_finished_record(record: Record) -> State | None:
    """Restore the manifest of a finished run if it was lost, and remove its checkpoint.

    Returns the run's outcome, or None if there is something to train.
    """
    outcome = record.outcome(verify_contents=True)
    if outcome is None and record.restore_manifest():
        log.warning(
            "%s: %s was missing or corrupt; restored from %s",
            record.run_id,
            DONE_FILE,
            ATTEMPTS_FILE,
        )
        outcome = record.outcome()
    if outcome is None:
        return None
    log.info("%s: already %s", record.run_id, outcome)
    # left behind if a process was killed between writing DONE and removing the checkpoint
    record.path(CHECKPOINT_FILE).unlink(missing_ok=True)
    return outcome


def run_worker(config: Config, group: WorkerGroup) -> None:
    """Train a share of every batch, in a process of the group that is not the main one.

    A worker starts from the state that the main process sends, and writes nothing. It returns when
    training ends, when any process receives a stop signal, or if there is nothing to train.
    """
    make_reproducible(config.threads, config.precision)
    state = group.receive_state()
    if state is None:
        return
    trainer = Trainer(config, load_dataset(config.data), choose_device(config.device))
    trainer.restore(state)
    trainer.join(group)
    with catch_stop_signals() as stop:
        for event in fit(trainer):
            # a collective operation: the main process calls it after the same events
            if isinstance(event, Progress) and group.agree_on_stop(stop.signum) is not None:
                return


def _attempt(config: Config, record: Record, device: torch.device, group: WorkerGroup) -> State:
    """Train the run to its end, and record the attempt: its start, and how and why it ended."""
    make_reproducible(config.threads, config.precision)
    for name in (ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE):
        warn_about_corrupt_rows(record, name)
    drop_corrupt_rows(record, ATTEMPTS_FILE)  # `checkpointing.resume` drops those of other files
    number = record_start(record, device, config.threads, group.shard.count)
    training = RecordedTraining(config, record, device, group)
    started = time.monotonic()
    end: Row = {"attempt": number}
    try:
        with catch_stop_signals() as stop:
            manifest = training.train(stop)
        end |= {OUTCOME: manifest["outcome"], MANIFEST: manifest}
    except Interrupted as error:
        end |= {OUTCOME: "interrupted", REASON: str(error)}
        raise
    except Exception as error:
        reason = format_exception_line(error)
        place = locate_error(error)
        if place is not None:
            reason = f"{place}: {reason}"
        end |= {OUTCOME: str(State.FAILED), REASON: reason}
        if isinstance(error, ConfigError | RecordError | DataError | OSError):
            raise  # the message is enough; for anything else the log gets the traceback
        log.exception("%s: failed", record.run_id)
        raise RunFailed(f"{record.run_id}: {reason}") from error
    finally:
        if training.last_iteration is not None:
            end[ITERATION] = training.last_iteration
        record_end(record, end, seconds=time.monotonic() - started)
    # written last, so that a corrupt DONE can be restored from the attempt's row
    record.finish(manifest)
    return State(manifest["outcome"])
