"""A grid: the runs that a command line stands for, and what is known of each before it starts. Free of torch."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from degradation import config as schema
from degradation.config import Config, ConfigError
from degradation.data.fingerprint import data_fingerprint
from degradation.environment import InstallationError, check_installation
from degradation.records.record import Record
from degradation.records.schema import ATTEMPTS_FILE, PROBES_FILE, RecordError
from degradation.run_id import compute_run_id, hashed_values
from degradation.sweep.expand import expand_configs


@dataclass(frozen=True)
class SweepRun:
    """One run of a grid, trained or not."""

    config: Config
    run_id: str
    record: Record


def locate_run(config: Config) -> SweepRun:
    identifier = compute_run_id(config, data_fingerprint(config.data))
    return SweepRun(config, identifier, Record(config.record_root, identifier))


def expand_runs(overrides: list[str]) -> list[SweepRun]:
    """The distinct runs of `experiments/train.py OVERRIDES`, in the sweep's order.

    Raises ConfigError, or Hydra's own exception for an override that does not parse or compose.
    """
    runs = [locate_run(config) for config in expand_configs(overrides)]
    return list({run.run_id: run for run in runs}.values())


@dataclass(frozen=True)
class JobSpec:
    """What the launcher needs to know of a job before it spends a process on it."""

    label: str
    work: float  # in any unit that is the same for all jobs of a sweep
    skip_reason: str | None  # why there is nothing to do, such as `done before`
    is_locked: Callable[[], bool] = lambda: False  # is another process at it? Then others go first
    warning: str | None = None  # a line for whoever watches


def validate_job(cfg: DictConfig) -> SweepRun:
    """The run of a job, checked before any job has started. Raises ConfigError: then none starts."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError(
            "torchrun: a sweep is not allowed under it; allowed: one run, each key with one value"
        )
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.pop("hydra", None)
    config = schema.read(cfg)
    run = locate_run(config)
    try:
        check_installation()
    except InstallationError as problem:
        raise ConfigError(str(problem)) from None
    check_record_root(config)
    return run


def check_record_root(config: Config) -> None:
    """Raise ConfigError where nothing can be written there, but for a run that is over; nothing is left behind."""
    folder = Path(config.record_root).absolute()
    try:
        while True:
            try:
                folder.lstat()
                break
            except FileNotFoundError:
                folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        if not _is_over(locate_run(config).record):
            told = f"record_root: {schema.quote(config.record_root)} cannot be written to ({problem.strerror})"
            raise ConfigError(
                f"{told}; allowed: a folder that can be, or that can be made"
            ) from None


def _is_over(record: Record) -> bool:
    try:
        return record.outcome() is not None
    except (RecordError, OSError):
        return False


def check_training_job(cfg: DictConfig) -> JobSpec:
    """For train.py; called by the launcher for each job."""
    run = validate_job(cfg)
    work = float(run.config.schedule.iterations * run.config.model.depth)
    try:
        outcome = run.record.final_outcome()
        warning = _damaged(run.record) if outcome else None
    except (RecordError, OSError):  # told by the job itself, while the others go on
        outcome, warning = None, None
    return JobSpec(
        run.run_id, work, f"{outcome} before" if outcome else None, run.record.is_locked, warning
    )


def _damaged(record: Record) -> str | None:
    """Rows on which no number depends: a damaged one costs that row, and not the run."""
    found = {
        PROBES_FILE: record.count_lost_probes(),
        ATTEMPTS_FILE: record.count_corrupt_lines(ATTEMPTS_FILE),
    }
    told = " and ".join(f"{lines} rows of {name}" for name, lines in found.items() if lines)
    return (
        f"{told} are damaged or lost; explain.py takes again those of probes that it can"
        if told
        else None
    )


def find_record_root(runs: list[SweepRun]) -> Path:
    """The folder of their records, which may not be there yet. Raises ConfigError where it cannot be read."""
    folder = Path(runs[0].config.record_root)
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        pass
    except OSError as problem:
        told = f"record_root: {schema.quote(str(folder))} cannot be read ({problem.strerror})"
        raise ConfigError(f"{told}; allowed: a folder of records") from None
    return folder


def describe_planned_run(run: SweepRun) -> dict[str, Any]:
    """What the frame shows of a run that has no record yet, in the form of a record's run.json."""
    return {
        "run_id": run.run_id,
        "family": schema.family(run.config.model),
        "config": hashed_values(run.config, data_fingerprint(run.config.data)),
    }
