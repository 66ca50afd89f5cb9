"""W&B as a mirror of what is on disk: it may fail at any time, and training goes on.

Nothing private is sent: no console, no git state, no host, no hardware, unless `tracking.system_metrics` asks for them.
"""

import glob
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from degradation.config import Tracking

log = logging.getLogger(__name__)
Mode = Literal["online", "offline"]
Log = Callable[[dict[str, Any]], None]

# W&B's groups of metrics, each drawn against the iteration, its summary the last value (never the best)
METRIC_GROUPS = ("lr", "train/*", "test/*", "schedule/*")


def _has_key() -> bool:
    """Is there an API key where wandb looks for one: the environment or ~/.netrc?"""
    from requests.utils import get_netrc_auth

    server = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    return bool(os.environ.get("WANDB_API_KEY")) or get_netrc_auth(server) is not None


def _start(tracking: Tracking, root: Path, mode: Mode, identity: dict[str, Any]) -> Any:
    import wandb

    os.environ["WANDB_ERROR_REPORTING"] = "false"
    private = not tracking.system_metrics
    settings = wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        x_disable_meta=private,
        x_disable_machine_info=private,
        x_disable_stats=private,
        x_save_requirements=not private,
        host="anonymous" if private else None,
        init_timeout=tracking.init_timeout,
    )
    root.mkdir(parents=True, exist_ok=True)
    # what an earlier attempt mirrored offline is sent again from the record: one folder an id, all can be synced
    for superseded in (root / "wandb").glob(f"offline-run-*-{glob.escape(identity['id'])}"):
        shutil.rmtree(superseded, ignore_errors=True)
    run = wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        dir=root,
        mode=mode,
        resume="allow",
        settings=settings,
        **identity,
    )
    for name in METRIC_GROUPS:
        run.define_metric(name, step_metric="iteration", summary="last")
    return run


def _start_or_fall_back(tracking: Tracking, root: Path, identity: dict[str, Any]) -> Any:
    """A W&B run, or None where even an offline one cannot be opened."""
    online = tracking.mode == "online" or (tracking.mode == "auto" and _has_key())
    modes: list[Mode] = ["online", "offline"] if online else ["offline"]
    for mode in modes:
        try:
            return _start(tracking, root, mode, identity)
        except Exception as error:
            log.warning("W&B (%s) does not answer: %s", mode, str(error).splitlines()[0] if str(error) else error)
    return None


def _shown(value: Any) -> Any:
    """Named columns as a W&B table; anything else as it is."""
    if not isinstance(value, dict):
        return value
    import wandb

    return wandb.Table(columns=[*value], data=[list(row) for row in zip(*value.values(), strict=True)])


@contextmanager
def mirror(
    tracking: Tracking, root: Path, identify: Callable[[], dict[str, Any]], rows: Iterable[dict[str, Any]]
) -> Iterator[Log]:
    """A function that sends a row to W&B. `rows`, those of an earlier attempt, are sent first.

    `identify()` gives wandb.init's id, name, group, job_type, tags and config. The first failure is told once and ends
    the mirroring. An exception inside the `with` marks the W&B run as failed.
    """
    if tracking.mode == "disabled":
        yield lambda _: None
        return
    run = _start_or_fall_back(tracking, root, identify())

    def send(row: dict[str, Any]) -> None:
        nonlocal run
        if run is None:
            return
        try:
            run.log({key: _shown(value) for key, value in row.items() if value is not None}, step=row.get("iteration"))
        except Exception as error:
            log.warning("W&B stopped mirroring (%s); the record on disk goes on", error)
            run = None

    for row in rows:
        send(row)
    code = 1
    try:
        yield send
        code = 0
    finally:
        if run is not None:
            try:
                run.finish(exit_code=code)
            except Exception as error:
                log.warning("W&B could not be closed (%s); the record on disk is whole", error)


def mirror_analysis(
    tracking: Tracking,
    root: Path,
    identify: Callable[[], dict[str, Any]],
    tables: dict[str, Any],
    figures: dict[str, Path],
) -> None:
    """The report's tables (pandas frames) and figures (PNG files) as one W&B run of job type `analysis`."""
    if tracking.mode == "disabled":
        return
    import wandb

    with mirror(tracking, root, identify, []) as send:
        send(
            {name: wandb.Table(dataframe=frame) for name, frame in tables.items()}
            | {name: wandb.Image(str(path)) for name, path in figures.items()}
        )
