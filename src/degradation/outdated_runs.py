"""Handle runs whose numbers the current code no longer reproduces (`retrain_outdated`)."""

import logging

from degradation.code_comparison import verify_trained_code
from degradation.config import Config, ConfigError
from degradation.progress import notify
from degradation.records.record import Record
from degradation.records.schema import CHECKPOINT_FILE, RecordError, State
from degradation.records.trained_code import CodeState, read_trained_code
from degradation.sweep.runs import SweepRun

log = logging.getLogger(__name__)


def needs_training(config: Config, record: Record) -> bool:
    """Return whether a run is unfinished, or outdated and `retrain_outdated` is true."""
    if record.outcome(verify_contents=True) is None:
        return True
    if not config.retrain_outdated:
        return False
    return verify_trained_code(config, record).state is CodeState.OUTDATED


def report_finished(config: Config, record: Record) -> State | None:
    """Return the outcome of a run that stays as it is, or None if there may be something to do.

    Nothing is locked, so the record root may be read-only. An outdated run is only reported.
    """
    outcome = None if config.retrain_outdated else record.final_outcome()
    if outcome is not None:
        log.info("%s: already %s", record.run_id, outcome)
        _report_if_outdated(config, record)
    return outcome


def _report_if_outdated(config: Config, record: Record) -> None:
    problem = _find_outdated_problem(config, record)
    if problem is not None:
        notify(f"{problem}; retrain_outdated=true retrains it")


def discard_if_outdated(config: Config, record: Record) -> bool:
    """Discard the result of an outdated run if `retrain_outdated` is true, or else report it.

    Returns whether it was discarded.
    """
    if not config.retrain_outdated:
        _report_if_outdated(config, record)
        return False
    problem = _find_outdated_problem(config, record)
    if problem is None:
        return False
    log.warning("%s; retraining it", problem)
    record.discard_result()
    return True


def _find_outdated_problem(config: Config, record: Record) -> str | None:
    """Return which run is outdated and why, or None if it is not."""
    trained = verify_trained_code(config, record)
    if trained.state is not CodeState.OUTDATED:
        return None
    return f"{record.run_id}: {trained.describe_outdated()}"


def discard_outdated_checkpoint(config: Config, record: Record) -> bool:
    """Check that a partial run was started by code that produces the same numbers.

    If `retrain_outdated` is true, an outdated checkpoint is deleted instead. Returns whether it
    was.

    Raises:
        ConfigError: the run was started by code that produces different numbers.
    """
    trained = verify_trained_code(config, record)
    if trained.state is CodeState.UNVERIFIED:
        log.warning(
            "%s: whether the current code produces the numbers of the code that started it"
            " is unknown",
            record.run_id,
        )
    if trained.state is not CodeState.OUTDATED:
        return False
    problem = f"{record.run_id}: {trained.describe_outdated()}"
    if not config.retrain_outdated:
        raise ConfigError(
            f"retrain_outdated: {problem} and cannot be resumed; allowed: true, to train it from"
            " scratch, or check out the code that started it"
        )
    log.warning("%s; training restarts from scratch", problem)
    record.path(CHECKPOINT_FILE).unlink()
    return True


def check_parent(config: Config, record: Record) -> None:
    """Raise RecordError if the parent of a constructed network is outdated."""
    trained = verify_trained_code(config, record)
    if trained.state is CodeState.OUTDATED:
        raise RecordError(
            f"{record.run_id}: {trained.describe_outdated()}, so no network can be constructed"
            " from it; retrain_outdated=true retrains it"
        )


def check_measured_run(run: SweepRun) -> None:
    """Raise RecordError if a run is outdated: its weights belong to a network of other code.

    As before a sweep (`degradation.sweep.code_states`), neither a published record nor one of an
    earlier release is compared.
    """
    record = run.record
    trained = read_trained_code(record, run.hashed)
    if trained.published_state is None and trained.trained_row is not None:
        trained = verify_trained_code(run.config, record)
    if trained.state is CodeState.OUTDATED:
        raise RecordError(
            f"{trained.describe_outdated()}, so its networks cannot be measured;"
            " train.py with retrain_outdated=true retrains it"
        )
