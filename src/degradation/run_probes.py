"""Measure the networks of a finished run, from its snapshots and final weights.

`run_probes` runs the probes that the record lacks; `run_landscape` measures the loss around the
final weights. Neither changes the run's metrics or weights.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from degradation.attempts import drop_corrupt_rows, wait_for_lock, warn_about_corrupt_rows
from degradation.config import BF16, Config, Landscape
from degradation.config.schema import FP32
from degradation.data.datasets import Dataset, StreamedDataset, load_dataset
from degradation.data.errors import DataError
from degradation.data.loaders import build_loader
from degradation.data.random_streams import build_generator
from degradation.environment import InstallationError, check_installation
from degradation.errors import UserError, format_exception_line
from degradation.outdated_runs import check_measured_run
from degradation.probes.landscape import LossSurface, draw_direction
from degradation.probes.measure import (
    can_measure,
    measure_probe,
    sample_probe_batch,
    warn_about_skipped_probes,
)
from degradation.progress import report_progress
from degradation.records.record import Record
from degradation.records.schema import (
    DEVICE,
    LANDSCAPE_DIR,
    PROBES_FILE,
    RecordError,
    State,
)
from degradation.run_metadata import build_probe_row
from degradation.sweep.jobs import check_record_root_is_folder
from degradation.sweep.pending import (
    Point,
    describe_landscape,
    list_pending_points,
    list_pending_probes,
)
from degradation.sweep.probe_jobs import EXPLAINED, MEASURED
from degradation.sweep.runs import SweepRun, locate_run
from degradation.tracking.mirror import mirror
from degradation.tracking.wandb_rows import read_probe_run
from degradation.trained_network import load_network
from degradation.training.device import (
    check_precision,
    choose_device,
    make_reproducible,
    memory_format,
    place_network,
)
from degradation.training.evaluate import eval_batchnorm

log = logging.getLogger(__name__)


class ProbesFailed(UserError):
    """The networks of a run cannot be measured. The message is one line."""


def run_probes(config: Config) -> str:
    """Run the probes that a finished run's record lacks, and mirror all of them to W&B.

    Returns:
        `explained`, or `diverged` if the run diverged: then nothing is measured.

    Raises:
        ProbesFailed: the run is unfinished or outdated, or its record, data or installation cannot
            be used.
        ConfigError: the device or the precision is not available.
    """
    return _measure_finished_run(config, _run_probes, EXPLAINED)


def run_landscape(config: Config) -> str:
    """Measure the missing points of the part `landscape.part` of the loss landscape.

    Returns `measured`, or `diverged` if the run diverged. Raises the same as `run_probes` (Li et
    al. 2018, section 4).
    """
    return _measure_finished_run(config, _measure_points, MEASURED)


def _measure_finished_run(
    config: Config, measure: Callable[[SweepRun, torch.device], None], completed: str
) -> str:
    """Prepare this process, call `measure` unless the run diverged, and report errors.

    Returns `diverged`, or `completed` if `measure` was called.
    """
    check_record_root_is_folder(config)
    run = locate_run(config)
    try:
        check_installation()
        device = choose_device(config.device)
        check_precision(device, config.precision)
        make_reproducible(config.threads, config.precision)
        outcome = run.record.outcome()
        if outcome is State.DIVERGED:
            return str(outcome)
        if outcome is None:
            raise RecordError(
                f"is {run.record.state()}; train it first (make reproduce, or experiments/train.py)"
            )
        measure(run, device)
    except (InstallationError, RecordError, DataError, OSError) as error:
        raise ProbesFailed(f"{run.run_id}: {error}") from None
    except (torch.OutOfMemoryError, MemoryError) as error:
        reason = format_exception_line(error)
        raise ProbesFailed(f"{run.run_id}: {reason}; fewer images need less memory") from None
    return completed


# --- probes


def _run_probes(run: SweepRun, device: torch.device) -> None:
    """Run all missing probes while holding the run's lock."""
    record = run.record
    with wait_for_lock(record):
        record.remove_leftovers()
        warn_about_corrupt_rows(record, PROBES_FILE)
        drop_corrupt_rows(record, PROBES_FILE)
        missing = list_pending_probes(run.config, record)
        if not missing:
            log.info("%s: already %s", run.run_id, EXPLAINED)
            return
        check_measured_run(run)
        _run_missing_probes(run.config, record, device, missing)
        _mirror(run.config, record)


def _run_missing_probes(
    config: Config, record: Record, device: torch.device, missing: list[tuple[str, int]]
) -> None:
    """Run the missing probes, except those that need blocks if the network has none.

    Args:
        missing: (name, iteration) of each probe, in order of iteration.
    """
    dataset = load_dataset(config.data)
    loader = build_loader(dataset, config, device)
    network = _load_network(missing[0][1], config, record, dataset, device)
    loaded_iteration = missing[0][1]
    warn_about_skipped_probes(config, network, record.run_id)
    missing = [(name, iteration) for name, iteration in missing if can_measure(name, network)]
    for number, (name, iteration) in enumerate(missing, start=1):
        if iteration != loaded_iteration:
            network = _load_network(iteration, config, record, dataset, device)
            loaded_iteration = iteration
        batch = sample_probe_batch(name, loader, config.probes)
        with eval_batchnorm(network, config, loader):
            table = measure_probe(name, network, batch, config.seed, iteration)
        images = len(batch[1])
        record.append(PROBES_FILE, build_probe_row(name, iteration, images, device.type, table))
        log.info("%s  iteration %6d  %s", record.run_id, iteration, name)
        report_progress(number, len(missing))


def _mirror(config: Config, record: Record) -> None:
    """Send all probes of a run to W&B, as a separate W&B run."""
    explained = read_probe_run(config, record)
    with mirror(config.tracking, record.root, lambda: explained.init_arguments, explained.rows):
        pass


def _load_network(
    iteration: int,
    config: Config,
    record: Record,
    dataset: Dataset | StreamedDataset,
    device: torch.device,
) -> nn.Module:
    """Return the run's network after `iteration` updates, on the device. Raises RecordError."""
    network = load_network(iteration, config, record, dataset.channels, dataset.classes)
    return place_network(network, config.precision, device)


# --- the loss landscape


def _measure_points(run: SweepRun, device: torch.device) -> None:
    """Measure the missing points of one part, and append each immediately to that part's file."""
    config, record, landscape = run.config, run.record, run.config.landscape
    name = f"{LANDSCAPE_DIR}/{landscape.part + 1:03d}-of-{landscape.parts:03d}.jsonl"
    record.path(LANDSCAPE_DIR).mkdir(exist_ok=True)
    with record.lock_file(name):
        record.remove_leftovers_of(name)
        drop_corrupt_rows(record, name)
        missing = list_pending_points(landscape, record)
        if not missing:
            return
        check_measured_run(run)
        dataset = load_dataset(config.data)
        loader = build_loader(dataset, config, device)
        network = _load_network(config.schedule.iterations, config, record, dataset, device)
        first = draw_direction(network, build_generator(landscape.seed, "landscape", 1))
        second = draw_direction(network, build_generator(landscape.seed, "landscape", 2))
        precision = config.precision
        if precision.dtype == BF16:
            precision = replace(precision, dtype=FP32)  # the surface is measured without autocast
        layout = memory_format(precision, device)
        network = network.to(memory_format=layout)
        with eval_batchnorm(network, config, loader):
            surface = LossSurface(network, (first, second), layout)
            for number, point in enumerate(missing, start=1):
                batches = loader.sample_batches("train", landscape.pictures)
                loss, error = surface.measure(point.x, point.y, batches)
                record.append(name, _build_point_row(landscape, point, device, loss, error))
                report_progress(number, len(missing))


def _build_point_row(
    landscape: Landscape, point: Point, device: torch.device, loss: float, error: float
) -> dict[str, Any]:
    """Return the row of one point: its position, how it was measured, and the result."""
    return {
        "shape": point.shape,
        "x": point.x,
        "y": point.y,
        **describe_landscape(landscape),
        DEVICE: device.type,
        "points": landscape.line if point.shape == "line" else landscape.square,
        "loss": loss if math.isfinite(loss) else None,
        "error": error,
    }
