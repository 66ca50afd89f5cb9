"""Train a run from its last checkpoint to the end, and record what happens.

This module connects the trainer, the record and the mirror in W&B; none of these three knows the
others. `run` decides whether there is anything to train, and records how the attempt ends.
"""

import logging
from functools import partial

import torch

from degradation.checkpointing import ResumeState, resume, save_checkpoint
from degradation.code_comparison import record_trained_code
from degradation.config import Config, is_evaluated, parent_config
from degradation.data.datasets import Dataset, StreamedDataset, load_dataset
from degradation.event_recorder import EventRecorder
from degradation.graph_check.automatic import check_captured_steps
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
from degradation.training.constructed_network import start_from_grown
from degradation.training.distributed import WorkerGroup
from degradation.training.events import Divergence, Metrics, ProbeResult, Progress, Snapshot
from degradation.training.trainer import Trainer, fit

log = logging.getLogger(__name__)


class RecordedTraining:
    """One attempt at a run: its training from the last checkpoint to the end, and its record.

    Attributes:
        last_iteration: the last complete iteration, also after `train` has failed; None before the
            training loop. If the run diverged: the iteration at which it did.
    """

    def __init__(
        self, config: Config, record: Record, device: torch.device, group: WorkerGroup
    ) -> None:
        self.config, self.record, self.device, self.group = config, record, device, group
        self.last_iteration: int | None = None

    def train(self, stop: StopRequest) -> Manifest:
        """Train to the end, and return the manifest of the finished record.

        Raises:
            Interrupted: a stop signal was received; a checkpoint has been saved.
            ConfigError: the run cannot resume on this device type, with this number of threads, or
                with this code.
            RecordError: the record is unusable, or the parent of a constructed network is not done.
            DataError: the data set cannot be loaded.
        """
        dataset = load_dataset(self.config.data)
        metadata = describe_run(self.config, self.record.run_id, dataset)
        files = {RUN_FILE: self.record.write_metadata(metadata)}
        manifest = self._restore_result()
        if manifest is not None:
            return manifest

        trainer, resume_state = self._start_or_resume(dataset)
        self.group.send_state(trainer.state())
        trainer.join(self.group)
        check_captured_steps(trainer, dataset)
        self.last_iteration = trainer.iteration
        identify = partial(build_init_arguments, self.config, self.record, metadata)
        recorded_rows = merge_by_iteration(resume_state.metrics, resume_state.probes)
        with mirror(self.config.tracking, self.record.root, identify, recorded_rows) as send:
            recorder = EventRecorder(self.record, resume_state, send)
            outcome = self._record_events(trainer, recorder, stop)

        weights = serialization.dump(serialization.copy_weights(trainer.network))
        files |= resume_state.snapshots | {WEIGHTS_FILE: self.record.write(WEIGHTS_FILE, weights)}
        return build_manifest(
            outcome, self.last_iteration, files, resume_state.metrics, resume_state.probes
        )

    def _restore_result(self) -> Manifest | None:
        """Return the manifest of a run that only lacked its metadata, or None if it must train.

        A result whose files do not match its manifest is discarded.
        """
        record = self.record
        manifest = record.read_manifest()
        if manifest is not None and record.outcome(verify_contents=True):
            log.warning("%s: %s was corrupt; restored unchanged", record.run_id, RUN_FILE)
            return manifest
        if record.path(DONE_FILE).exists():
            mismatch = record.find_mismatch(verify_contents=True)
            log.warning("%s: %s; retraining the run", record.run_id, mismatch)
            record.discard_result()
        return None

    def _start_or_resume(self, dataset: Dataset | StreamedDataset) -> tuple[Trainer, ResumeState]:
        """Return a trainer at the last checkpoint, or at iteration 0, and what the record holds."""
        config, record = self.config, self.record
        build_trainer = partial(Trainer, config, dataset, self.device)
        trainer, resume_state = resume(config, record, build_trainer)
        if trainer.iteration > 0 and discard_outdated_checkpoint(config, record):
            trainer, resume_state = resume(config, record, build_trainer)
        if trainer.iteration == 0:
            record_trained_code(config, record, self.device, is_shared=not self.group.is_single)
            _start_from_parent(config, trainer)
        warn_about_skipped_probes(config, trainer.network, record.run_id)
        return trainer, resume_state

    def _record_events(self, trainer: Trainer, recorder: EventRecorder, stop: StopRequest) -> State:
        """Run the training loop, record each event, and return the outcome."""
        for event in fit(trainer):
            # if the next iteration fails, this is the last complete one
            self.last_iteration = trainer.iteration
            match event:
                case Metrics(row):
                    recorder.record_metrics(row)
                case Snapshot():
                    recorder.record_snapshot(event)
                case ProbeResult():
                    recorder.record_probe(event, trainer.device.type)
                case Progress():
                    self._finish_iteration(trainer, recorder.resume_state, stop)
                case Divergence(iteration):
                    log.warning(
                        "%s: the loss is not finite at iteration %d; training ends",
                        self.record.run_id,
                        iteration,
                    )
                    self.last_iteration = iteration
                    return State.DIVERGED
        return State.DONE

    def _finish_iteration(
        self, trainer: Trainer, resume_state: ResumeState, stop: StopRequest
    ) -> None:
        """Report progress, and save a checkpoint after an evaluation or on a stop signal.

        After the last iteration an evaluation needs no checkpoint: the final weights are written
        next.

        Raises:
            Interrupted: a process of the group has received a stop signal.
        """
        iteration, last = trainer.iteration, self.config.schedule.iterations
        report_progress(iteration, last)
        signum = self.group.agree_on_stop(stop.signum)
        if signum is not None:
            save_checkpoint(self.record, trainer, resume_state)
            raise Interrupted(
                f"{self.record.run_id}: stopped at iteration {iteration}; its checkpoint is saved",
                signum,
            )
        if iteration < last and is_evaluated(iteration, last, self.config.schedule.evaluate_every):
            save_checkpoint(self.record, trainer, resume_state)


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
    weights = serialization.load(run.record.read(WEIGHTS_FILE))
    start_from_grown(trainer, parent, partial(trainer.loader.clean_batches, "train"), weights)
