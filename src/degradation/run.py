"""One run, wired: skipped if done, resumed if partial, else started; its outcome recorded."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from degradation.checkpointing import ResumeState, resume, save
from degradation.config import Config, ConfigError, parent_config
from degradation.data.datasets import load_dataset
from degradation.data.errors import DataError
from degradation.durable_io import Row
from degradation.environment import InstallationError, check_installation, describe_environment
from degradation.errors import UserError
from degradation.metrics import CLEAN_ERROR, ITERATION, TEST_ERROR
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
    METRICS_FILE,
    OUTCOME,
    PROBES_FILE,
    REASON,
    RUN_FILE,
    SECONDS,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    RecordError,
    State,
)
from degradation.run_metadata import build_probe_row, describe_run
from degradation.signals import Interrupted, StopRequest, catch_stop_signals
from degradation.sweep.jobs import locate_run
from degradation.tracking.mirror import SendRow, mirror
from degradation.tracking.wandb_rows import (
    build_init_arguments,
    convert_probe_row,
    merge_by_iteration,
)
from degradation.training import serialization
from degradation.training.device import (
    check_precision,
    choose_device,
    make_reproducible,
    memory_format,
)
from degradation.training.distributed import SINGLE, WorkerGroup
from degradation.training.trainer import (
    Divergence,
    Metrics,
    ProbeResult,
    Progress,
    Snapshot,
    Trainer,
    fit,
)

log = logging.getLogger(__name__)


class RunFailed(UserError):
    """The run's failure, in one line; it stands in the record too."""


def train(config: Config, group: WorkerGroup = SINGLE) -> State:
    """Bring one run to its end and return its state. Raises RunFailed, Interrupted, ConfigError.

    `group`: the processes that train it together; this is the first, and the others are at `follow`.

    If another process is at it, that is waited for. A constructed network's parent is trained first where that has not
    been done. A run that is over is trained again where a file of it is not what training wrote.
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
        with _waited_for(record):
            record.remove_leftovers()
            outcome = record.outcome(verify_contents=True)
            if outcome is None and record.restore_manifest():
                log.warning(
                    "%s: %s was missing or damaged; restored from %s",
                    run.run_id,
                    DONE_FILE,
                    ATTEMPTS_FILE,
                )
                outcome = record.outcome()
            if outcome is not None:
                log.info("%s: %s already", run.run_id, outcome)
                record.path(CHECKPOINT_FILE).unlink(
                    missing_ok=True
                )  # killed between the last two things that a run does
                return outcome
            return _attempt(config, record, device, group)
    except (InstallationError, RecordError, DataError, OSError) as problem:
        raise RunFailed(f"{run.run_id}: {problem}") from None


@contextmanager
def _waited_for(record: Record) -> Iterator[None]:
    """The run's lock; that another process has it is told."""
    with ExitStack() as stack:
        try:
            stack.enter_context(record.lock())
        except RecordError:
            notify(f"{record.run_id}: another process is training it; waiting for that")
            stack.enter_context(record.lock(NO_TIMEOUT))
        yield


def run_worker(config: Config, group: WorkerGroup) -> None:
    """What every process of a group but the first does: it trains its share, and writes nothing."""
    make_reproducible(config.threads)
    state = group.receive_state()
    if state is None:
        return
    training = Trainer(config, load_dataset(config.data), choose_device(config.device))
    training.restore(state)
    training.join(group)
    with catch_stop_signals() as stop:
        for event in fit(training):
            if isinstance(event, Progress) and group.agree_on_stop(stop.signum) is not None:
                return


def _attempt(config: Config, record: Record, device: torch.device, group: WorkerGroup) -> State:
    """One attempt, its start and its end in attempts.jsonl. A failure is recorded with its reason."""
    make_reproducible(config.threads)
    for name in (ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE):
        if damaged := record.count_corrupt_lines(name):
            log.warning(
                "%s: %d torn or changed lines in %s are left out", record.run_id, damaged, name
            )
    earlier = record.valid_rows(ATTEMPTS_FILE)
    record.rewrite_rows(ATTEMPTS_FILE, earlier)  # a torn last line would hide what is appended
    number = sum("start" in row for row in earlier) + 1
    where = {
        "device": _device_name(device),
        "threads": config.threads,
        "processes": group.shard.count,
        **describe_environment(),
    }
    record.append(ATTEMPTS_FILE, {"attempt": number, "start": time.time(), **where})
    began = time.monotonic()
    end: dict[str, Any] = {"attempt": number}
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
            raise
        log.exception("%s failed", record.run_id)
        raise RunFailed(f"{record.run_id}: {reason}") from error
    finally:
        try:
            record.append(
                ATTEMPTS_FILE, end | {"end": time.time(), SECONDS: time.monotonic() - began}
            )
        except OSError as error:  # a full disk: the reason that is raised says more
            log.warning(
                "%s: the end of the attempt could not be recorded (%s)", record.run_id, error
            )
    record.finish(manifest)  # after that line, which a damaged DONE is restored from
    return State(manifest["outcome"])


def _train(
    config: Config,
    record: Record,
    device: torch.device,
    group: WorkerGroup,
    stop: StopRequest,
    end: Row,
) -> Manifest:
    """`end`, the attempt's last line, is filled as far as it is known."""
    dataset = load_dataset(config.data)
    description = describe_run(config, record.run_id, dataset)
    files = {RUN_FILE: record.write_metadata(description)}
    if (before := record.read_manifest()) and record.outcome(verify_contents=True):
        log.warning("%s: %s was damaged; it is as it was", record.run_id, RUN_FILE)
        return before
    if record.path(DONE_FILE).exists():
        log.warning(
            "%s: %s; trained anew", record.run_id, record.find_mismatch(verify_contents=True)
        )
        record.discard_manifest()
    training, kept = resume(config, record, partial(Trainer, config, dataset, device))
    if training.iteration == 0:
        _construct(config, training)
    group.send_state(training.state())
    training.join(group)
    end[ITERATION] = training.iteration
    outcome = State.DONE
    sent = merge_by_iteration(kept.metrics, kept.probes)
    with mirror(
        config.tracking,
        record.root,
        lambda: build_init_arguments(config, record, description),
        sent,
    ) as send:
        for event in fit(training):
            end[ITERATION] = training.iteration  # a failure comes after it
            match event:
                case Progress(iteration):
                    _progress(config, record, training, kept, stop, iteration)
                case Metrics(row):
                    _keep(record, row, send)
                    kept.metrics.append(row)
                case ProbeResult(iteration, probe, images, table):
                    probed = build_probe_row(probe, iteration, images, device.type, table)
                    record.append(PROBES_FILE, probed)
                    send(convert_probe_row(probed))
                    kept.probes.append(probed)
                case Snapshot(iteration, weights):
                    name = f"{SNAPSHOTS_DIR}/{iteration:08d}.pt"
                    kept.snapshots[name] = record.write(name, serialization.dump(weights))
                case Divergence(iteration):
                    log.warning(
                        "%s: the loss is not finite at iteration %d", record.run_id, iteration
                    )
                    outcome, end[ITERATION] = State.DIVERGED, iteration
    files |= kept.snapshots
    files[WEIGHTS_FILE] = record.write(
        WEIGHTS_FILE, serialization.dump(serialization.copy_weights(training.network))
    )
    return build_manifest(outcome, end[ITERATION], files, kept.metrics, kept.probes)


def _progress(
    config: Config,
    record: Record,
    training: Trainer,
    kept: ResumeState,
    stop: StopRequest,
    iteration: int,
) -> None:
    """The state is whole: told, and saved where a stop is asked for or a row has been written. Raises Interrupted."""
    total = config.schedule.iterations
    report_progress(iteration, total)
    signum = training.group.agree_on_stop(stop.signum)
    if signum is not None:
        save(record, training, kept)
        raise Interrupted(
            f"{record.run_id}: stopped at iteration {iteration}; its checkpoint is saved", signum
        )
    if iteration % config.schedule.evaluate_every == 0 and iteration < total:
        save(record, training, kept)


def _construct(config: Config, training: Trainer) -> None:
    """Start from the parent's trained network, grown, where the configuration says so."""
    parent = parent_config(config)
    if parent is None:
        return
    run = locate_run(parent)
    if run.record.outcome() is not State.DONE:
        raise RecordError(
            f"{run.run_id}: is {run.record.state()}, so no network can be constructed from it"
        )
    channels, classes = training.network.conv1.in_channels, training.network.fc.out_features
    shallow = Network(parent.model, channels, classes)
    shallow.load_state_dict(serialization.load(run.record.read(WEIGHTS_FILE)))
    shallow = shallow.to(training.device).to(memory_format=memory_format(config.precision)).eval()
    training.start_from(
        grow(
            shallow,
            config.model,
            lambda: (pictures for pictures, _ in training.loader.clean_batches("train")),
        )
    )


def _keep(record: Record, row: Row, send: SendRow) -> None:
    record.append(METRICS_FILE, row)  # the disk first: W&B is the mirror
    send(row)
    log.info(
        "%s  iteration %6d  clean training error %5.1f %%  test error %5.1f %%",
        record.run_id, row[ITERATION], row[CLEAN_ERROR], row[TEST_ERROR],
    )  # fmt: skip


def _device_name(device: torch.device) -> str:
    return (
        f"{device.type}: {torch.cuda.get_device_name(device)}"
        if device.type == "cuda"
        else device.type
    )
