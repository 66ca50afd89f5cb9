"""One run, wired: skipped if done, resumed if partial, else started; its outcome recorded."""

import logging
import time
from typing import Any

import torch
from hydra.errors import CompactHydraException

from degradation.config import Config, ConfigError, parent_of
from degradation.data.content import DataError
from degradation.data.feeds import load
from degradation.description import describe_run, probe_row, shown_in_wandb, wandb_identity
from degradation.environment import InstallationError, check_torch_pair, describe
from degradation.files import Row
from degradation.grid import grid_run
from degradation.interruption import Interrupted, StopRequest, stop_requests
from degradation.models.construction import grow
from degradation.models.network import Network
from degradation.records.schema import (
    ATTEMPTS,
    METRICS,
    PROBES,
    SNAPSHOTS,
    WEIGHTS,
    RecordError,
    State,
)
from degradation.records.store import AS_LONG_AS_IT_TAKES, Record
from degradation.resumption import in_order, resume, save
from degradation.tracking.mirror import Log, mirror
from degradation.training import checkpoint
from degradation.training.fit import Diverged, Metrics, Probed, Progress, Snapshot, Training, fit
from degradation.training.step import choose_device, make_reproducible, memory_format
from hydra_plugins.pool_launcher import report_progress

log = logging.getLogger(__name__)


class RunFailed(CompactHydraException):
    """The run's failure, in one line; it stands in the record too."""


def train(config: Config) -> State:
    """Bring one run to its end and return its state. Raises RunFailed, Interrupted, ConfigError.

    If another process is at it, that is waited for. A constructed network's parent is trained first where that has not
    been done.
    """
    run = grid_run(config)
    record = run.record
    try:
        check_torch_pair()
        device = choose_device(config.device)
        parent = parent_of(config)
        if parent is not None and record.outcome() is None:
            train(parent)
        if record.locked():
            log.info("%s: another process is training it; waiting", run.run_id)
        with record.lock(AS_LONG_AS_IT_TAKES):
            if outcome := record.outcome():
                log.info("%s: %s already", run.run_id, outcome)
                return outcome
            return _attempt(config, record, device)
    except (InstallationError, RecordError, DataError, OSError) as problem:
        raise RunFailed(f"{run.run_id}: {problem}") from None


def _attempt(config: Config, record: Record, device: torch.device) -> State:
    """One attempt, its start and its end in attempts.jsonl. A failure is recorded with its reason."""
    make_reproducible(config.threads)
    record.clean()
    earlier = record.rows(ATTEMPTS)
    record.keep_rows(ATTEMPTS, earlier)  # a torn last line would hide what is appended
    number = sum("start" in row for row in earlier) + 1
    where = {"device": _device_name(device), "threads": config.threads, **describe()}
    record.append(ATTEMPTS, {"attempt": number, "start": time.time(), **where})
    end: dict[str, Any] = {"attempt": number}
    try:
        with stop_requests() as stop:
            outcome = _train(config, record, device, stop)
        end |= {"outcome": str(outcome)}
        return outcome
    except Interrupted as error:
        end |= {"outcome": "interrupted", "reason": str(error)}
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        end |= {"outcome": str(State.FAILED), "reason": reason}
        if isinstance(error, ConfigError | RecordError | DataError | OSError):
            raise
        log.exception("%s failed", record.run_id)
        raise RunFailed(f"{record.run_id}: {reason}") from error
    finally:
        try:
            record.append(ATTEMPTS, end | {"end": time.time()})
        except OSError as error:  # a full disk: the reason that is raised says more
            log.warning("%s: the end of the attempt could not be recorded (%s)", record.run_id, error)


def _train(config: Config, record: Record, device: torch.device, stop: StopRequest) -> State:
    dataset = load(config.data)
    description = describe_run(config, record.run_id, dataset)
    record.create(description)
    training = Training(config, dataset, device)
    kept = resume(config, record, training)
    if training.iteration == 0:
        _construct(config, training)
    total = config.schedule.iterations
    outcome = State.DONE
    known = in_order(kept)
    with mirror(config.tracking, record.root, lambda: wandb_identity(config, record, description), known) as send:
        for event in fit(training):
            match event:
                case Progress(iteration):
                    report_progress(iteration, total)
                    if stop.signum is not None:
                        save(record, training, kept)
                        told = f"{record.run_id}: stopped at iteration {iteration}; its checkpoint is saved"
                        raise Interrupted(told, stop.signum)
                    if iteration % config.schedule.evaluate_every == 0 and iteration < total:
                        save(record, training, kept)
                case Metrics(row):
                    _keep(record, row, send)
                    kept[METRICS].append(row)
                case Probed(iteration, probe, pictures, table):
                    probed = probe_row(probe, iteration, pictures, device.type, table)
                    record.append(PROBES, probed)
                    send(shown_in_wandb(probed))
                    kept[PROBES].append(probed)
                case Snapshot(iteration, weights):
                    record.write(f"{SNAPSHOTS}/{iteration:08d}.pt", checkpoint.dump(weights))
                case Diverged(iteration):
                    log.warning("%s: the loss is not finite at iteration %d", record.run_id, iteration)
                    outcome = State.DIVERGED
    record.write(WEIGHTS, checkpoint.dump(checkpoint.weights(training.network)))
    record.finish(outcome)
    return outcome


def _construct(config: Config, training: Training) -> None:
    """Start from the parent's trained network, grown, where the configuration says so."""
    parent = parent_of(config)
    if parent is None:
        return
    run = grid_run(parent)
    if run.record.outcome() is not State.DONE:
        raise RecordError(f"{run.run_id}: is {run.record.state()}, so no network can be constructed from it")
    channels, classes = training.network.conv1.in_channels, training.network.fc.out_features
    shallow = Network(parent.model, channels, classes)
    shallow.load_state_dict(checkpoint.load(run.record.read(WEIGHTS)))
    shallow = shallow.to(training.device).to(memory_format=memory_format(config.precision)).eval()
    training.start_from(grow(shallow, config.model, lambda: (pictures for pictures, _ in training.feed.clean("train"))))


def _keep(record: Record, row: Row, send: Log) -> None:
    record.append(METRICS, row)  # the disk first: W&B is the mirror
    send(row)
    log.info(
        "%s  iteration %6d  clean training error %5.1f %%  test error %5.1f %%",
        record.run_id, row["iteration"], row["train/clean_error"], row["test/error"],
    )  # fmt: skip


def _device_name(device: torch.device) -> str:
    return f"{device.type}: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
