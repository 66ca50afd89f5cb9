"""Why: what is measured inside the networks of a run that is over, from its snapshots and weights."""

import logging
import math
from collections.abc import Callable

import torch

from degradation.config import Config
from degradation.data.datasets import Dataset, load_dataset
from degradation.data.errors import DataError
from degradation.data.imagenet import ImageNet
from degradation.data.loaders import build_loader
from degradation.data.random_streams import build_generator
from degradation.environment import InstallationError, check_torch_pair
from degradation.errors import UserError
from degradation.models.network import Network, initialise
from degradation.probes import measure_probe, sample_probe_batch
from degradation.probes.landscape import Surface, direction
from degradation.progress import notify, report_progress
from degradation.records.locks import NO_TIMEOUT
from degradation.records.record import Record
from degradation.records.schema import (
    DEVICE,
    LANDSCAPE_DIR,
    PROBES_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    RecordError,
    State,
)
from degradation.run_metadata import build_probe_row
from degradation.sweep.jobs import SweepRun, locate_run
from degradation.sweep.pending import (
    EXPLAINED,
    describe_landscape,
    list_pending_points,
    list_pending_probes,
)
from degradation.tracking.mirror import mirror
from degradation.tracking.wandb_rows import read_probe_run
from degradation.training import serialization
from degradation.training.device import (
    check_precision,
    choose_device,
    make_reproducible,
    memory_format,
)
from degradation.training.evaluate import eval_batchnorm

log = logging.getLogger(__name__)


class ProbesFailed(UserError):
    """Why a run cannot be explained, in one line."""


def run_probes(config: Config) -> str:
    """Take the probes that a run's record lacks, and mirror them all. Raises ProbesFailed, ConfigError."""
    return _of_done_run(config, _take_probes)


def run_landscape(config: Config) -> str:
    """Measure the points of this part that a run's record lacks. Raises ProbesFailed, ConfigError."""
    return _of_done_run(config, _measure_points)


def _of_done_run(config: Config, measure: Callable[[SweepRun, torch.device], None]) -> str:
    run = locate_run(config)
    try:
        check_torch_pair()
        device = choose_device(config.device)
        check_precision(device, config.precision)
        make_reproducible(config.threads)
        outcome = run.record.outcome()
        if outcome is State.DIVERGED:
            return str(outcome)
        if outcome is None:
            raise RecordError(
                f"is {run.record.state()}; train it first (make reproduce, or experiments/train.py)"
            )
        measure(run, device)
    except (InstallationError, RecordError, DataError, OSError) as problem:
        raise ProbesFailed(f"{run.run_id}: {problem}") from None
    except (torch.OutOfMemoryError, MemoryError) as problem:
        reason = f"{type(problem).__name__}: {problem}".splitlines()[0]
        raise ProbesFailed(f"{run.run_id}: {reason}; fewer pictures need less memory") from None
    return EXPLAINED


def _take_probes(run: SweepRun, device: torch.device) -> None:
    config, record = run.config, run.record
    if record.is_locked():
        notify(f"{run.run_id}: another process is at it; waiting for that")
    with record.lock(NO_TIMEOUT):
        record.remove_leftovers()
        if damaged := record.count_corrupt_lines(PROBES_FILE):
            log.warning(
                "%s: %d torn or changed lines in %s are left out", run.run_id, damaged, PROBES_FILE
            )
        record.rewrite_rows(
            PROBES_FILE, record.valid_rows(PROBES_FILE)
        )  # a torn last line would hide what is appended
        left = list_pending_probes(config, record)
        if not left:
            log.info("%s: %s already", run.run_id, EXPLAINED)
            return
        dataset = load_dataset(config.data)
        feed = build_loader(dataset, config, device)
        network = Network(config.model, dataset.channels, dataset.classes)
        held = None  # the iteration that the network's weights are of
        for number, (name, iteration) in enumerate(left):
            if iteration != held:
                network = _network_at(iteration, config, record, dataset, device)
                held = iteration
            batch = sample_probe_batch(name, feed, config.probes)
            with eval_batchnorm(network, config, feed):
                table = measure_probe(name, network, batch, config.seed, iteration)
            record.append(
                PROBES_FILE, build_probe_row(name, iteration, len(batch[1]), device.type, table)
            )
            log.info("%s  iteration %6d  %s", run.run_id, iteration, name)
            report_progress(number + 1, len(left))
        _mirror(config, record)


def _network_at(
    iteration: int,
    config: Config,
    record: Record,
    dataset: Dataset | ImageNet,
    device: torch.device,
) -> Network:
    """The run's network after so many iterations. Raises RecordError where its weights are not there."""
    network = Network(config.model, dataset.channels, dataset.classes)
    snapshot = f"{SNAPSHOTS_DIR}/{iteration:08d}.pt"
    if iteration == config.schedule.iterations:
        _load(network, record, WEIGHTS_FILE)
    elif iteration > 0 or record.path(snapshot).exists():
        _load(network, record, snapshot)
    else:
        initialise(
            network, build_generator(config.seed, "initialisation"), config.model.initialisation
        )
    return network.to(device).to(memory_format=memory_format(config.precision))


def _load(network: Network, record: Record, name: str) -> None:
    try:
        network.load_state_dict(serialization.load(record.read(name)))
    except (serialization.CheckpointError, RuntimeError, TypeError, AttributeError) as problem:
        wrong = (
            problem
            if isinstance(problem, serialization.CheckpointError)
            else "is of another network"
        )
        raise RecordError(f"{record.path(name)}: {wrong}; train the run again") from None


def _mirror(config: Config, record: Record) -> None:
    """All probes of a run as a W&B run of their own."""
    explained = read_probe_run(config, record)
    with mirror(config.tracking, record.root, lambda: explained.identity, explained.rows):
        pass


def _measure_points(run: SweepRun, device: torch.device) -> None:
    """One row a point, as soon as it is known, in a file of this part."""
    config, record = run.config, run.record
    asked = config.landscape
    name = f"{LANDSCAPE_DIR}/{asked.part + 1:03d}-of-{asked.parts:03d}.jsonl"
    record.path(LANDSCAPE_DIR).mkdir(exist_ok=True)
    with record.lock_file(name):
        record.rewrite_rows(name, record.valid_rows(name))
        left = list_pending_points(asked, record)
        if not left:
            return
        dataset = load_dataset(config.data)
        feed = build_loader(dataset, config, device)
        network = _network_at(config.schedule.iterations, config, record, dataset, device)
        along = [
            direction(network, build_generator(asked.seed, "landscape", index)) for index in (1, 2)
        ]
        with eval_batchnorm(network, config, feed):
            surface = Surface(
                network.to(memory_format=torch.channels_last), (along[0], along[1])
            )  # the fastest
            for number, point in enumerate(left):
                loss, error = surface.measure(
                    point.x, point.y, feed.sample_batches("train", asked.pictures)
                )
                where = {"shape": point.shape, "x": point.x, "y": point.y}
                count = asked.line if point.shape == "line" else asked.square
                found = {
                    "points": count,
                    "loss": loss if math.isfinite(loss) else None,
                    "error": error,
                }
                record.append(
                    name, where | describe_landscape(asked) | {DEVICE: device.type} | found
                )
                report_progress(number + 1, len(left))
