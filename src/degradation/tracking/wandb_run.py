"""One run of W&B: begun, sent to, finished. What W&B fails at raises WandbError.

Nothing private is sent: no console, no git state, no host, no hardware, unless `tracking.system_metrics` asks for them.
"""

import glob
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from degradation.config import Tracking
from degradation.durable_io import TEMPORARY
from degradation.metrics import GROUPS, ITERATION, LR
from degradation.tracking.wandb_process import WandbError, WandbProcess

Mode = Literal["online", "offline"]

# What W&B draws against the iteration; the summary is the last value, never the best.
METRIC_PATTERNS = (LR, *(f"{group}*" for group in GROUPS))
ROOM = 2**17  # bytes: wandb writes by blocks of 32 KiB
NO_KEY = "no API key: `wandb login`, or set WANDB_API_KEY"


def has_key() -> bool:
    """Is there an API key where wandb looks for one: the environment or ~/.netrc?"""
    from requests.utils import get_netrc_auth

    server = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    given = any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"))
    return given or get_netrc_auth(server) is not None


def scratch_folder(root: Path, run_id: str) -> Path:
    return root / "wandb" / f"{TEMPORARY}{run_id}"


class WandbRun:
    """One W&B run. What is logged of an iteration is sent as one step: it is there whole, or not at all.

    Its methods raise WandbError.
    """

    def __init__(
        self,
        held: WandbProcess,
        tracking: Tracking,
        root: Path,
        mode: Mode,
        identity: dict[str, Any],
    ) -> None:
        if mode == "online" and not has_key():
            raise WandbError(NO_KEY)  # on a terminal wandb would ask for one, and wait
        self.held, held.refused = held, False
        self.offline_in = root if mode == "offline" else None
        self.run = held.call(lambda: _start(tracking, root, mode, identity))
        self.pending: dict[str, Any] = {}
        self.there = self.run.starting_step  # steps below this one are on the server

    def add(self, row: dict[str, Any]) -> None:
        if row.get(ITERATION) != self.pending.get(ITERATION):
            self.flush()
        self.pending |= {key: value for key, value in row.items() if value is not None}

    def flush(self) -> None:
        row, self.pending = self.pending, {}
        step = row.get(ITERATION)
        if row and (step is None or step >= self.there):
            self.held.call(
                lambda: self.run.log(
                    {key: _shown(value) for key, value in row.items()}, step=step, commit=True
                )
            )

    def save(self, name: str, content: bytes) -> None:
        """A file of the run."""
        folder = self.held.scratch / "saved"

        def save() -> None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            self.run.save(glob.escape(str(folder / name)), base_path=str(folder), policy="now")

        self.held.call(save)

    def finish(self, exit_code: int) -> None:
        self.held.call(lambda: self.run.finish(exit_code=exit_code))
        if self.held.refused:
            raise WandbError("the server refused what it was sent")
        if self.offline_in is not None and shutil.disk_usage(self.offline_in).free < ROOM:
            raise WandbError(
                "the disk is full, and wandb says nothing of rows that it could not write"
            )


def _start(tracking: Tracking, root: Path, mode: Mode, identity: dict[str, Any]) -> Any:
    import wandb

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
        finish_timeout=tracking.init_timeout,
        finish_timeout_raises=True,
        x_skip_transaction_log=mode
        == "online",  # what a full disk would lose is not sent; we have the record for that
        stop_fn=lambda: None,  # W&B's page has a button that would interrupt the training
    )
    # what an earlier attempt mirrored offline is sent again from the record: one folder an id, all can be synced
    for superseded in (root / "wandb").glob(f"*run-*-{glob.escape(identity['id'])}"):
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
    if mode == "offline" and os.environ.get("WANDB_DATA_DIR") == str(
        scratch_folder(root, identity["id"])
    ):
        os.environ["WANDB_DATA_DIR"] = str(
            Path(run.dir).parent
        )  # where `wandb sync` looks for the tables
    for name in METRIC_PATTERNS:
        run.define_metric(name, step_metric=ITERATION, summary="last")
    return run


def _shown(value: Any) -> Any:
    """Named columns as a W&B table, a file as a picture, a function's value; anything else as it is."""
    import wandb

    if callable(value):
        return value()
    if isinstance(value, Path):
        return wandb.Image(str(value))
    if not isinstance(value, dict):
        return value
    return wandb.Table(
        columns=[*value], data=[list(row) for row in zip(*value.values(), strict=True)]
    )
