"""Bring one run to its end: skip it if it has finished, resume it if it is partial, else start it.

`train` is what every job of a sweep calls. It wires the trainer, the record and the W&B mirror
together; each of them knows nothing of the others.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor

from degradation.attempts import drop_corrupt_rows, record_end, record_start
from degradation.checkpointing import ResumeState, resume, save_checkpoint
from degradation.config import Config, ConfigError, is_evaluated, parent_config
from degradation.data.datasets import load_dataset
from degradation.data.errors import DataError
from degradation.durable_io import Row
from degradation.environment import InstallationError, check_installation
from degradation.errors import UserError
from degradation.event_recorder import EventRecorder
from degradation.metrics import ITERATION
from degradation.models.construction import grow
from degradation.models.network import Network
from degradation.progress import notify, report_progress
from degradation.records.locks import NO_TIMEOUT
from degradation.records.manifest import Manifest, build_manifest
from degradation.records.record import Record
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    MANIFEST,
    OUTCOME,
    REASON,
    RUN_FILE,
    WEIGHTS_FILE,
    RecordError,
    State,
)
from degradation.run_metadata import describe_run
from degradation.signals import Interrupted, StopRequest, catch_stop_signals
from degradation.sweep.jobs import locate_run
from degradation.tracking.mirror import mirror
from degradation.tracking.wandb_rows import build_init_arguments, merge_by_iteration
from degradation.training import serialization
from degradation.training.device import (
    check_precision,
    choose_device,
    make_reproducible,
    memory_format,
)
from degradation.training.distributed import SINGLE, WorkerGroup
from degradation.training.events import (
    Divergence,
    Metrics,
    ProbeResult,
    Progress,
    Snapshot,
)
from degradation.training.trainer import Trainer, fit

log = logging.getLogger(__name__)


class RunFailed(UserError):
    """Why a run failed, in one line; attempts.jsonl holds the same reason."""


def train(config: Config, group: WorkerGroup = SINGLE) -> State:
    """Bring one run to its end, and return its outcome: done or diverged.

    A finished run is skipped, unless the content of one of its files has changed: then it is
    trained again. A partial run resumes from its checkpoint. While another process holds the run's
    lock, this one waits. The parent of a constructed network is trained first if it is unfinished.

    Args:
        group: the processes that train the run together. This is the main process; the others call
            `run_worker`.

    Raises:
        RunFailed: the attempt failed; a later one continues from the last checkpoint.
        Interrupted: SIGTERM or Ctrl-C; a checkpoint of the current iteration has been saved.
        ConfigError: this machine cannot run the configuration.
    """
    run = locate_run(config)
    record = run.record
    try:
        check_installation()
        device = choose_device(config.device)
        check_precision(device, config.precision)
        parent = parent_config(config)
        if parent is not None and record.outcome(verify_contents=True) is None:
            train(parent)
        with _wait_for_lock(record):
            record.remove_leftovers()
            outcome = _find_outcome(record)
            if outcome is not None:
                return outcome
            return _attempt(config, record, device, group)
    except (InstallationError, RecordError, DataError, OSError) as error:
        raise RunFailed(f"{run.run_id}: {error}") from None


@contextmanager
def _wait_for_lock(record: Record) -> Iterator[None]:
    """Hold the run's lock; say so if it has to be waited for."""
    with ExitStack() as stack:
        try:
            stack.enter_context(record.lock())
        except RecordError:
            notify(f"{record.run_id}: another process holds the lock; waiting for it")
            stack.enter_context(record.lock(NO_TIMEOUT))
        yield


def _find_outcome(record: Record) -> State | None:
    """Return the outcome of a finished run, or None if there is something to train."""
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
    # still there if the process was killed between writing DONE and removing the checkpoint
    record.path(CHECKPOINT_FILE).unlink(missing_ok=True)
    return outcome


def run_worker(config: Config, group: WorkerGroup) -> None:
    """Train a share of every batch, as a process of a group that is not the main one.

    A worker starts from the state that the main process sends, and writes nothing.
    """
    make_reproducible(config.threads)
    state = group.receive_state()
    if state is None:
        return
    trainer = Trainer(config, load_dataset(config.data), choose_device(config.device))
    trainer.restore(state)
    trainer.join(group)
    with catch_stop_signals() as stop:
        for event in fit(trainer):
            # the workers exchange signals after the same events as the main process
            if isinstance(event, Progress) and group.agree_on_stop(stop.signum) is not None:
                return


# --- one attempt


def _attempt(config: Config, record: Record, device: torch.device, group: WorkerGroup) -> State:
    """Train the run to its end, and record when the attempt started, how it ended and why."""
    make_reproducible(config.threads)
    drop_corrupt_rows(record)
    number = record_start(record, device, config.threads, group.shard.count)
    started = time.monotonic()
    end: Row = {"attempt": number}
    try:
        with catch_stop_signals() as stop:
            manifest = _train(config, record, device, group, stop, end)
        end |= {OUTCOME: manifest["outcome"], MANIFEST: manifest}
    except Interrupted as error:
        end |= {OUTCOME: "interrupted", REASON: str(error)}
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        end |= {OUTCOME: str(State.FAILED), REASON: reason}
        if isinstance(error, ConfigError | RecordError | DataError | OSError):
            raise  # the message is enough; for anything else the log gets the traceback
        log.exception("%s: failed", record.run_id)
        raise RunFailed(f"{record.run_id}: {reason}") from error
    finally:
        record_end(record, end, seconds=time.monotonic() - started)
    # only now, so that a corrupt DONE can be restored from the row that has just been written
    record.finish(manifest)
    return State(manifest["outcome"])


# --- training


def _train(
    config: Config,
    record: Record,
    device: torch.device,
    group: WorkerGroup,
    stop: StopRequest,
    end: Row,
) -> Manifest:
    """Train from the last checkpoint to the end, and return the manifest of the finished record.

    Args:
        end: the attempt's last row. The iteration is filled in here, so that it is right whichever
            way the attempt ends.
    """
    dataset = load_dataset(config.data)
    metadata = describe_run(config, record.run_id, dataset)
    files = {RUN_FILE: record.write_metadata(metadata)}
    manifest = record.read_manifest()
    if manifest is not None and record.outcome(verify_contents=True):
        log.warning("%s: %s was corrupt; restored unchanged", record.run_id, RUN_FILE)
        return manifest
    if record.path(DONE_FILE).exists():
        mismatch = record.find_mismatch(verify_contents=True)
        log.warning("%s: %s; retraining the run", record.run_id, mismatch)
        record.discard_manifest()

    trainer, resume_state = resume(config, record, partial(Trainer, config, dataset, device))
    if trainer.iteration == 0:
        _start_from_parent(config, trainer)
    group.send_state(trainer.state())
    trainer.join(group)
    end[ITERATION] = trainer.iteration
    outcome = _record_training(config, record, metadata, trainer, resume_state, stop, end)

    files |= resume_state.snapshots
    final_weights = serialization.dump(serialization.copy_weights(trainer.network))
    files[WEIGHTS_FILE] = record.write(WEIGHTS_FILE, final_weights)
    return build_manifest(outcome, end[ITERATION], files, resume_state.metrics, resume_state.probes)


def _record_training(
    config: Config,
    record: Record,
    metadata: Row,
    trainer: Trainer,
    resume_state: ResumeState,
    stop: StopRequest,
    end: Row,
) -> State:
    """Train to the end of the schedule, record and mirror what happens, and return the outcome."""
    outcome = State.DONE
    identify = partial(build_init_arguments, config, record, metadata)
    recorded_rows = merge_by_iteration(resume_state.metrics, resume_state.probes)
    with mirror(config.tracking, record.root, identify, recorded_rows) as send:
        recorder = EventRecorder(record, resume_state, send)
        for event in fit(trainer):
            # if the next iteration fails, the attempt ended after this one
            end[ITERATION] = trainer.iteration
            match event:
                case Metrics(row):
                    recorder.record_metrics(row)
                case Snapshot():
                    recorder.record_snapshot(event)
                case ProbeResult():
                    recorder.record_probe(event, trainer.device.type)
                case Progress():
                    _finish_iteration(config, record, trainer, resume_state, stop)
                case Divergence(iteration):
                    log.warning(
                        "%s: the loss is not finite at iteration %d; training ends",
                        record.run_id,
                        iteration,
                    )
                    outcome, end[ITERATION] = State.DIVERGED, iteration
    return outcome


def _finish_iteration(
    config: Config,
    record: Record,
    trainer: Trainer,
    resume_state: ResumeState,
    stop: StopRequest,
) -> None:
    """Report progress, and save a checkpoint after an evaluation or before a stop.

    The last iteration needs none: the final weights follow at once.

    Raises:
        Interrupted: a process of the group has received a stop signal.
    """
    iteration, last = trainer.iteration, config.schedule.iterations
    report_progress(iteration, last)
    signum = trainer.group.agree_on_stop(stop.signum)
    if signum is not None:
        save_checkpoint(record, trainer, resume_state)
        raise Interrupted(
            f"{record.run_id}: stopped at iteration {iteration}; its checkpoint is saved", signum
        )
    if iteration < last and is_evaluated(iteration, last, config.schedule.evaluate_every):
        save_checkpoint(record, trainer, resume_state)


def _start_from_parent(config: Config, trainer: Trainer) -> None:
    """Replace a constructed network by its parent's trained network, made deeper.

    Raises:
        RecordError: the parent is not done.
    """
    parent = parent_config(config)
    if parent is None:
        return
    run = locate_run(parent)
    if run.record.outcome() is not State.DONE:
        raise RecordError(
            f"{run.run_id}: is {run.record.state()}, so no network can be constructed from it"
        )
    channels, classes = trainer.network.conv1.in_channels, trainer.network.fc.out_features
    shallow = Network(parent.model, channels, classes)
    shallow.load_state_dict(serialization.load(run.record.read(WEIGHTS_FILE)))
    layout = memory_format(config.precision)
    shallow = shallow.to(trainer.device).to(memory_format=layout).eval()

    def training_images() -> Iterable[Tensor]:
        return (images for images, _ in trainer.loader.clean_batches("train"))

    trainer.start_from(grow(shallow, config.model, training_images))
