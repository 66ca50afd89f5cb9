"""The validation of each job before a sweep starts.

The launcher calls `check_training_job` for each job of train.py, by its dotted name in
conf/hydra/launcher/. Does not import torch.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from omegaconf import DictConfig, open_dict

from degradation.config import Config, ConfigError, Data, family, quote, read
from degradation.counting import format_count
from degradation.data.downloads import fetch_once, find_file_set
from degradation.data.image_check import check_images
from degradation.environment import check_installation
from degradation.metrics import CLEAN_ERROR, ITERATION
from degradation.records.record import Record
from degradation.records.schema import (
    ATTEMPTS_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RecordError,
    State,
)
from degradation.records.trained_code import CodeState
from degradation.sweep.code_states import verify_in_subprocess
from degradation.sweep.runs import SweepRun, has_finished, locate_run
from degradation.sweep.unread_keys import warn_about_unread_optim_keys


@dataclass(frozen=True)
class JobSpec:
    """What the launcher needs to know about a job before it starts a process for it."""

    label: str
    work: float  # in a unit that is the same for all jobs of a sweep
    skip_reason: str | None  # why the job has nothing to do, such as `done before`
    is_locked: Callable[[], bool] = lambda: False  # by another process; other jobs then go first
    warning: str | None = None  # one line, to be printed
    curve_point: tuple[str, int, int] | None = None  # family, depth and seed
    read_error: Callable[[], float | None] = lambda: None  # of a finished run, in percent
    memory_request: Config | None = None  # for `sweep.gpu_memory`; None: its memory is unknown


def validate_job(cfg: DictConfig) -> SweepRun:
    """Return the run of a job. An error stops the sweep before any job has started.

    Raises ConfigError, DataError, InstallationError.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError(
            "torchrun: a sweep cannot run under it; allowed: one run, with one value for each key"
        )
    own = cfg.copy()
    with open_dict(own):
        own.pop("hydra", None)
    config = read(own)
    run = locate_run(config)
    check_installation()
    check_before_training(config)
    return run


def check_before_training(config: Config) -> None:
    """Refuse a run whose record cannot be written, or whose images cannot be used.

    Warns of keys without effect. Raises ConfigError, DataError.
    """
    check_record_root(config)
    check_images(config.data)
    warn_about_unread_optim_keys([config])


def check_record_root_is_folder(config: Config) -> None:
    """Raise ConfigError if the record root is a file: published records are only read."""
    if os.path.isfile(config.record_root):
        raise ConfigError(
            f"record_root: {quote(config.record_root)} is a file, and this command writes"
            " records; allowed: a folder (an archive of published records is only read)"
        )


def check_record_root(config: Config) -> None:
    """Raise ConfigError if the run is unfinished and its record root cannot be written to.

    A file is refused in any case. Leaves nothing behind.
    """
    check_record_root_is_folder(config)
    folder = Path(config.record_root).absolute()
    try:
        _write_temporary_file(_find_existing_folder(folder))
    except OSError as error:
        if has_finished(locate_run(config).record):
            return
        raise ConfigError(
            f"record_root: {quote(config.record_root)} cannot be written to"
            f" ({error.strerror}); allowed: a folder that can be written to or created"
        ) from None


def _find_existing_folder(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists. Raises OSError."""
    while True:
        try:
            folder.lstat()
        except FileNotFoundError:
            folder = folder.parent
        else:
            return folder


def _write_temporary_file(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass


def check_training_job(cfg: DictConfig) -> JobSpec:
    """Return what the launcher needs to know about a job of train.py.

    A record that cannot be read is reported by the job itself, while the others run. Raises
    ConfigError, DataError, InstallationError.
    """
    run = validate_job(cfg)
    remaining = run.config.schedule.iterations
    skip_reason, warning = None, None
    try:
        outcome = run.record.final_outcome()
        if outcome is not None:
            skip_reason, warning = _describe_finished_run(run, outcome)
        else:
            remaining -= count_recorded_iterations(run.record)
    except (RecordError, OSError):
        skip_reason, warning = None, None
    if skip_reason is None:
        prepare_data(run.config.data)
    work = remaining * _estimate_iteration_work(run.config)
    model = run.config.model
    point = (family(model), model.depth, run.config.seed)
    return JobSpec(
        run.run_id,
        work,
        skip_reason,
        run.record.is_locked,
        warning,
        curve_point=point,
        read_error=partial(_read_last_error, run.record),
        memory_request=run.config,
    )


def _read_last_error(record: Record) -> float | None:
    """Return the clean training error of the last evaluation, in percent; None if unknown."""
    try:
        rows = record.valid_prefix(METRICS_FILE)
    except (RecordError, OSError):
        return None
    return float(rows[-1][CLEAN_ERROR]) if rows else None


def prepare_data(data: Data) -> None:
    """Download what is missing of a data set's published files, and verify all, once per process.

    Otherwise every job of a sweep could fail for want of a network: the node that submits the jobs
    often has one, while the compute nodes do not. Raises DataError.
    """
    files = find_file_set(data)
    if files is not None:
        fetch_once(files)


def _describe_finished_run(run: SweepRun, outcome: State) -> tuple[str | None, str | None]:
    """Return why a finished run is skipped, or None if it is retrained; and a warning or None.

    Raises RecordError.
    """
    trained = verify_in_subprocess(run, repeats_evaluation=True)
    if trained.state is CodeState.OUTDATED:
        if run.config.retrain_outdated:
            return None, None
        warning = f"{trained.describe_outdated()}; retrain_outdated=true retrains it"
        return str(trained.state), warning
    skip_reason = f"{outcome} before{_describe_other_device(run)}"
    if trained.state is CodeState.UNVERIFIED:
        skip_reason += " by code that cannot be verified"
    return skip_reason, _describe_lost_rows(run.record)


def _describe_other_device(run: SweepRun) -> str:
    """Return ` on cpu`, say, for a run that was trained on another device than is requested."""
    requested = run.config.device
    attempts = run.record.valid_rows(ATTEMPTS_FILE)
    devices = {str(row["device"]).partition(":")[0] for row in attempts if "device" in row}
    if requested == "auto" or not devices or devices == {requested}:
        return ""
    return f" on {' and '.join(sorted(devices))}"


def count_recorded_iterations(record: Record) -> int:
    """Return the iteration of the last recorded evaluation, where a checkpoint is saved; 0 if none.

    Raises RecordError.
    """
    rows = record.valid_prefix(METRICS_FILE)
    return int(rows[-1][ITERATION]) if rows else 0


def _estimate_iteration_work(config: Config) -> float:
    """Return a number that is about proportional to the multiply-adds of one iteration.

    `degradation.sweep.cost` counts them, but needs torch.
    """
    return float(config.optim.batch_size * config.model.depth * config.model.width**2)


def _describe_lost_rows(record: Record) -> str | None:
    """Return a warning about corrupt or lost rows that no result depends on, or None."""
    counts = {
        PROBES_FILE: record.count_lost_probes(),
        ATTEMPTS_FILE: record.count_corrupt_lines(ATTEMPTS_FILE),
    }
    lost = [f"{format_count(count, 'row')} of {name}" for name, count in counts.items() if count]
    if not lost:
        return None
    return f"{' and '.join(lost)} are corrupt or lost; explain.py repeats the probes that it can"
