"""The runs that a command line expands to, whether they have been trained or not.

Does not import torch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from degradation.checksums import Row
from degradation.config import Config, ConfigError, check_batchnorm, quote, quote_text
from degradation.data.fingerprint import data_fingerprint
from degradation.data.image_side import find_image_side
from degradation.progress import notify
from degradation.records.archive import find_archive
from degradation.records.record import Record
from degradation.records.schema import RecordError
from degradation.run_id import build_run_id, hashed_values
from degradation.sweep.expand import expand_configs
from degradation.sweep.override_effects import RECORD_ROOT


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep, trained or not.

    Attributes:
        config: its configuration.
        hashed: the values that its id hashes, as in run.json (`degradation.run_id.hashed_values`).
        run_id: its id.
        record: its record, which need not exist.
    """

    config: Config
    hashed: Row
    run_id: str
    record: Record


def locate_run(config: Config) -> SweepRun:
    """Return a configuration's run, with its id and its record. Raises ConfigError, DataError."""
    side = find_image_side(config.data)
    if side is not None:
        check_batchnorm(config, side)
    hashed = hashed_values(config, data_fingerprint(config.data))
    run_id = build_run_id(config, hashed)
    return SweepRun(config, hashed, run_id, Record(config.record_root, run_id))


def expand_runs(overrides: list[str]) -> list[SweepRun]:
    """Return the distinct runs of `experiments/train.py OVERRIDES`, in the sweep's order.

    Raises ConfigError, DataError.
    """
    runs = [locate_run(config) for config in expand_configs(overrides)]
    return list({run.run_id: run for run in runs}.values())


def find_record_root(runs: list[SweepRun]) -> Path:
    """Return the folder of the runs' records, which need not exist yet, or an archive of them.

    Raises ConfigError or RecordError if it cannot be read, or ConfigError if there are several.
    """
    roots = sorted({run.config.record_root for run in runs})
    if len(roots) > 1:
        raise ConfigError(
            f"record_root: the runs of one command need one folder, not {', '.join(roots)}"
        )
    root = Path(runs[0].config.record_root)
    if find_archive(root) is not None:
        return root
    try:
        os.scandir(root).close()
    except FileNotFoundError:
        if root.suffix == ".zip":  # nothing will create a published archive of this name
            raise ConfigError(
                f"record_root: {quote(str(root))} does not exist; allowed: a folder, or an"
                " archive such as experiments/ledger/NAME/records.zip"
            ) from None
    except OSError as error:
        raise ConfigError(
            f"record_root: {quote(str(root))} cannot be read ({error.strerror});"
            " allowed: a folder of records"
        ) from None
    return root


def note_missing_root(overrides: Sequence[str], root: Path) -> None:
    """Say that a record root on the command line does not exist, which may be a typing mistake.

    The default root does not exist before anything is trained, and is not mentioned.
    """
    parsed = OverridesParser.create().parse_overrides(quote_text(overrides))
    is_typed = any(override.key_or_group == RECORD_ROOT for override in parsed)
    if is_typed and not root.exists():
        notify(
            f"{RECORD_ROOT}: {quote(str(root))} does not exist, so all runs are missing; training"
            " would create it"
        )


def has_finished(record: Record) -> bool:
    """Return whether the run has finished; False if its record cannot be read."""
    try:
        return record.outcome() is not None
    except (RecordError, OSError):
        return False
