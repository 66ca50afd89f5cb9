"""Train a run from its last checkpoint to the end, and record what happens.

This module connects the trainer, the record and the mirror in W&B; none of these three knows the
others. `run` decides whether there is anything to train, and records how the attempt ends.
"""

import logging
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor

from degradation.checkpointing import ResumeState, resume, save_checkpoint
from degradation.checksums import Row
from degradation.code_comparison import record_trained_code
from degradation.config import Config, is_evaluated, parent_config
from degradation.data.datasets import load_dataset
from degradation.event_recorder import EventRecorder
from degradation.graph_check.automatic import check_captured_steps
from degradation.metrics import ITERATION
from degradation.models.build import require_blocks
from degradation.models.construction import grow
from degradation.models.network import Network
from degradation.outdated_runs import check_parent, discard_outdated_checkpoint
from degradation.probes.measure import warn_about_skipped_probes
from degradation.progress import report_progress
from degradation.records.manifest import Manifest, build_manifest
from degradation.records.record import Record
from degradation.records.schema import DONE_FILE, RUN_FILE, WEIGHTS_FILE, RecordError, State
from degradation.run_metadata import describe_run
from degradation.signals import Interrupted, StopRequest
from degradation.sweep.runs import locate_run
from degradation.tracking.mirror import mirror
from degradation.tracking.wandb_identity import build_init_arguments
from degradation.tracking.wandb_rows import merge_by_iteration
from degradation.training import serialization
from degradation.training.device import memory_format
from degradation.training.distributed import WorkerGroup
from degradation.training.events import Divergence, Metrics, ProbeResult, Progress, Snapshot
from degradation.training.trainer import Trainer, fit

log = logging.getLogger(__name__)


def train_and_record(
    config: Config,
    record: Record,
    device: torch.device,
    group: WorkerGroup,
    stop: StopRequest,
    end: Row,
) -> Manifest:
    """Train from the last checkpoint to the end, and return the manifest of the finished record.

    Args:
        end: the attempt's last row, whose iteration is updated here and so always correct.

    Raises:
        Interrupted: a stop signal was received; a checkpoint has been saved.
        ConfigError: the run cannot resume on this device type, with this number of threads, or
            with this code.
        RecordError: the record is unusable, or the parent of a constructed network is not done.
        DataError: the data set cannot be loaded.
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
        record.discard_result()

    build_trainer = partial(Trainer, config, dataset, device)
    trainer, resume_state = resume(config, record, build_trainer)
    if trainer.iteration > 0 and discard_outdated_checkpoint(config, record):
        trainer, resume_state = resume(config, record, build_trainer)
    if trainer.iteration == 0:
        record_trained_code(config, record, device, is_shared=not group.is_single)
        _start_from_parent(config, trainer)
    warn_about_skipped_probes(config, trainer.network, record.run_id)
    group.send_state(trainer.state())
    trainer.join(group)
    check_captured_steps(trainer, dataset)
    end[ITERATION] = trainer.iteration
    outcome = _record_training(config, record, metadata, trainer, resume_state, stop, end)

    final_weights = serialization.dump(serialization.copy_weights(trainer.network))
    files |= resume_state.snapshots | {WEIGHTS_FILE: record.write(WEIGHTS_FILE, final_weights)}
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
    """Run the training loop, record and mirror each event, and return the outcome."""
    outcome = State.DONE
    identify = partial(build_init_arguments, config, record, metadata)
    recorded_rows = merge_by_iteration(resume_state.metrics, resume_state.probes)
    with mirror(config.tracking, record.root, identify, recorded_rows) as send:
        recorder = EventRecorder(record, resume_state, send)
        for event in fit(trainer):
            # if the next iteration fails, this is the last complete one
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
    """Report progress, and save a checkpoint after an evaluation or on a stop signal.

    After the last iteration an evaluation needs no checkpoint: the final weights are written next.

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
    """If the network is constructed, build it from its trained parent (models/construction.py).

    Raises:
        RecordError: the parent is not done, or it is outdated.
    """
    parent = parent_config(config)
    if parent is None:
        return
    run = locate_run(parent)
    check_parent(parent, run.record)
    if run.record.outcome() is not State.DONE:
        raise RecordError(
            f"{run.run_id}: is {run.record.state()}, so no network can be constructed from it"
        )
    network = require_blocks(trainer.network, "model.grown_from")
    channels, classes = network.conv1.in_channels, network.fc.out_features
    shallow = Network(parent.model, channels, classes)
    shallow.load_state_dict(serialization.load(run.record.read(WEIGHTS_FILE)))
    layout = memory_format(config.precision, trainer.device)
    shallow = shallow.to(trainer.device).to(memory_format=layout).eval()

    def training_images() -> Iterable[Tensor]:
        return (images for images, _ in trainer.loader.clean_batches("train"))

    trainer.start_from(grow(shallow, config.model, training_images))
