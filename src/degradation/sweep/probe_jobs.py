"""Check the jobs of explain.py and landscape.py before they start.

The launcher calls `check_probe_job` for each job of explain.py and `check_landscape_job` for each
job of landscape.py, by their dotted names in conf/. Does not import torch.
"""

from collections.abc import Callable

from omegaconf import DictConfig

from degradation.config import Config
from degradation.records.schema import RecordError, State
from degradation.records.trained_code import CodeState
from degradation.sweep.code_states import verify_in_subprocess
from degradation.sweep.jobs import JobSpec, prepare_data, validate_job
from degradation.sweep.pending import list_pending_points, list_pending_probes
from degradation.sweep.runs import SweepRun

# What a job of explain.py, or of landscape.py, has done
EXPLAINED = "explained"
MEASURED = "measured"


def check_probe_job(cfg: DictConfig) -> JobSpec:
    """Return what the launcher needs to know about a job of explain.py.

    Raises ConfigError, DataError, InstallationError.
    """
    run = validate_job(cfg)

    def has_pending() -> bool:
        return bool(list_pending_probes(run.config, run.record))

    work = float(run.config.model.depth)
    skip_reason = _find_skip_reason(run, has_pending, EXPLAINED)
    if skip_reason is None:
        prepare_data(run.config.data)
    return JobSpec(run.run_id, work, skip_reason, run.record.is_locked)


def check_landscape_job(cfg: DictConfig) -> JobSpec:
    """Return what the launcher needs to know about a job of landscape.py.

    Raises ConfigError, DataError, InstallationError.
    """
    run = validate_job(cfg)
    landscape = run.config.landscape

    def has_pending() -> bool:
        return bool(list_pending_points(landscape, run.record))

    label = f"{run.run_id}-landscape-{landscape.part + 1}-of-{landscape.parts}"
    skip_reason = _find_exclusion(run.config)
    if skip_reason is None:
        skip_reason = _find_skip_reason(run, has_pending, MEASURED)
    if skip_reason is None:
        prepare_data(run.config.data)
    return JobSpec(label, float(run.config.model.depth), skip_reason)


def _find_exclusion(config: Config) -> str | None:
    """Return why no landscape of this network is requested, or None."""
    depths, seeds = config.landscape.depths, config.landscape.seeds
    if depths is not None and config.model.depth not in depths:
        return "not among landscape.depths"
    if seeds is not None and config.seed not in seeds:
        return "not among landscape.seeds"
    return None


def _find_skip_reason(run: SweepRun, has_pending: Callable[[], bool], completed: str) -> str | None:
    """Return why a job has nothing to do, or None. `completed`: EXPLAINED or MEASURED.

    The weights of an outdated run must not be put into a network of other code. A run that is
    unfinished, or whose record cannot be read, is reported by the job itself.
    """
    try:
        outcome = run.record.outcome()
        if outcome is State.DIVERGED:
            return str(outcome)
        if outcome is State.DONE and not has_pending():
            return f"{completed} before"
        if outcome is State.DONE:
            return _find_outdated(run)
    except RecordError:
        pass
    return None


def _find_outdated(run: SweepRun) -> str | None:
    """Return `outdated` if the current code no longer reproduces the run, or None."""
    state = verify_in_subprocess(run).state
    return str(state) if state is CodeState.OUTDATED else None
