"""What happens to a run whose numbers the present code does not give (`retrain_outdated`)."""

import logging

from degradation.code_comparison import find_trained_code
from degradation.config import Config, ConfigError
from degradation.progress import notify
from degradation.records.record import Record
from degradation.records.schema import CHECKPOINT_FILE, RecordError
from degradation.records.trained_code import CodeState

log = logging.getLogger(__name__)


def discard_if_outdated(config: Config, record: Record) -> bool:
    """Discard the result of an outdated run if `retrain_outdated` is true; return whether it was.

    Otherwise an outdated run is only reported.
    """
    trained = find_trained_code(config, record)
    if trained.state is not CodeState.OUTDATED:
        return False
    problem = f"{record.run_id}: {trained.describe_outdated()}"
    if not config.retrain_outdated:
        notify(f"{problem}; retrain_outdated=true retrains it")
        return False
    log.warning("%s; retraining it", problem)
    record.discard_manifest()
    return True


def check_resumable(config: Config, record: Record) -> None:
    """Check that a partial run was begun by code that gives the same numbers as the present code.

    If `retrain_outdated` is true, the checkpoint of other code is removed instead.

    Raises:
        ConfigError: the run was begun by code that computes other numbers.
    """
    checkpoint = record.path(CHECKPOINT_FILE)
    if not checkpoint.exists():
        return
    trained = find_trained_code(config, record)
    if trained.state is CodeState.UNVERIFIED:
        log.warning("%s: the code that began it cannot be verified", record.run_id)
    if trained.state is not CodeState.OUTDATED:
        return
    problem = f"{record.run_id}: {trained.describe_outdated()}"
    if not config.retrain_outdated:
        raise ConfigError(
            f"retrain_outdated: {problem} and cannot resume; allowed: true, to train it from"
            " scratch, or the code that began it"
        )
    log.warning("%s; training restarts from scratch", problem)
    checkpoint.unlink()


def check_parent(config: Config, record: Record) -> None:
    """Raise RecordError if the parent of a constructed network is outdated."""
    trained = find_trained_code(config, record)
    if trained.state is CodeState.OUTDATED:
        raise RecordError(
            f"{record.run_id}: {trained.describe_outdated()}, so no network can be constructed"
            " from it; retrain_outdated=true retrains it"
        )
