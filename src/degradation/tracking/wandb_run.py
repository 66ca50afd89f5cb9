"""`WandbRun`: one W&B run, from wandb.init to its end. Failures of wandb raise WandbError.

Nothing private is sent: no console output and no git state, and the host's name, the hardware and
the list of packages only if `tracking.system_metrics` is true.
"""

import glob
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from degradation.config import Tracking
from degradation.durable_io import TEMPORARY
from degradation.metrics import GROUPS, ITERATION, LR
from degradation.tracking.wandb_process import WandbError, WandbProcess, WandbRefusal

Mode = Literal["online", "offline"]

# What W&B plots against the iteration. The summary is the last value, never the best.
METRIC_PATTERNS = (LR, *(f"{group}*" for group in GROUPS))
MIN_FREE_BYTES = 2**17  # wandb writes blocks of 32 KiB


def scratch_folder(root: Path, name: str) -> Path:
    """Return the folder under a record root for the temporary files of one wandb session."""
    return root / "wandb" / f"{TEMPORARY}{name}"


class WandbRun:
    """One W&B run, started by the constructor. All methods raise WandbError.

    All rows of one iteration are sent as one step, so a step arrives as a whole or not at all.
    """

    def __init__(
        self,
        process: WandbProcess,
        tracking: Tracking,
        root: Path,
        mode: Mode,
        init_arguments: dict[str, Any],
    ) -> None:
        """Start the run.

        Args:
            process: the running wandb.
            tracking: project, entity, timeout and privacy.
            root: the record root, where offline runs are stored.
            mode: send to the server, or store for `wandb sync`. Online, the credentials must have
                been checked: without any, wandb would ask for a key on a terminal, and wait.
            init_arguments: further arguments of wandb.init (`wandb_identity.build_init_arguments`).
        """
        self.process = process
        self.process.upload_rejected = False
        self.offline_root = root if mode == "offline" else None
        self.run = process.call(lambda: _start(tracking, root, mode, init_arguments))
        self.pending: dict[str, Any] = {}
        self.first_new_step = self.run.starting_step  # the server has all steps below this one

    def add(self, row: dict[str, Any]) -> None:
        """Add a row to its step; the step is sent when a row of another iteration follows."""
        if row.get(ITERATION) != self.pending.get(ITERATION):
            self.flush()
        self.pending |= {key: value for key, value in row.items() if value is not None}

    def flush(self) -> None:
        """Send the pending step, unless the server has it."""
        row, self.pending = self.pending, {}
        step = row.get(ITERATION)
        if not row or (step is not None and step < self.first_new_step):
            return
        self.process.call(lambda: self.run.log(_convert_row(row), step=step, commit=True))

    def save(self, name: str, content: bytes) -> None:
        """Upload a file of the run."""
        folder = self.process.scratch / "saved"

        def save() -> None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            self.run.save(glob.escape(str(folder / name)), base_path=str(folder), policy="now")

        self.process.call(save)

    def finish(self, exit_code: int) -> None:
        """Wait until everything is sent, and close the run."""
        self.process.call(lambda: self.run.finish(exit_code=exit_code))
        if self.process.upload_rejected:
            raise WandbRefusal("the server rejected an upload")
        if self.offline_root is None:
            return
        if shutil.disk_usage(self.offline_root).free < MIN_FREE_BYTES:
            raise WandbError("the disk is full, and wandb does not report rows it cannot write")


def _start(tracking: Tracking, root: Path, mode: Mode, init_arguments: dict[str, Any]) -> Any:
    """Start a run in wandb."""
    import wandb

    _remove_superseded(root, init_arguments["id"])
    run = wandb.init(
        project=tracking.project,
        entity=tracking.entity,
        dir=root,
        mode=mode,
        resume="allow",
        settings=_build_settings(tracking, mode),
        **init_arguments,
    )
    scratch = scratch_folder(root, init_arguments["id"])
    if mode == "offline" and os.environ.get("WANDB_DATA_DIR") == str(scratch):
        # `wandb sync` looks for the tables of an offline run in the run's folder.
        os.environ["WANDB_DATA_DIR"] = str(Path(run.dir).parent)
    for pattern in METRIC_PATTERNS:
        run.define_metric(pattern, step_metric=ITERATION, summary="last")
    return run


def _build_settings(tracking: Tracking, mode: Mode) -> Any:
    import wandb

    is_private = not tracking.system_metrics
    return wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        x_disable_meta=is_private,
        x_disable_machine_info=is_private,
        x_disable_stats=is_private,
        x_save_requirements=not is_private,
        host="anonymous" if is_private else None,
        init_timeout=tracking.init_timeout,
        finish_timeout=tracking.init_timeout,
        finish_timeout_raises=True,
        # The record has what is sent online, so wandb need not store it on a disk that may be full.
        x_skip_transaction_log=mode == "online",
        # A button on W&B's page would otherwise interrupt the training.
        stop_fn=lambda: None,
    )


def _remove_superseded(root: Path, wandb_id: str) -> None:
    """Remove the offline folders of earlier attempts: all their rows are sent again.

    One folder per id remains, so that `wandb sync` can send all folders.
    """
    for folder in (root / "wandb").glob(f"*run-*-{glob.escape(wandb_id)}"):
        shutil.rmtree(folder, ignore_errors=True)


def _convert_row(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _convert(value) for key, value in row.items()}


def _convert(value: Any) -> Any:
    """Return named columns as a W&B table, a path as an image, and a function's result."""
    import wandb

    if callable(value):
        return value()
    if isinstance(value, Path):
        return wandb.Image(str(value))
    if not isinstance(value, dict):
        return value
    rows: list[Any] = [list(row) for row in zip(*value.values(), strict=True)]
    return wandb.Table(columns=[*value], data=rows)
